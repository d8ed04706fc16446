"""Tests of s3d: versions of objects, against a model in Python."""
from selftest_lib import RNG, Server, equal, fails, random_keys, test


def versioning(client, status):
    client.put_bucket_versioning(Bucket="b", VersioningConfiguration={"Status": status})


def all_versions(client, **more):
    """[(key, id, is_latest, is_marker)] in the order of the listing, and the common prefixes."""
    found, prefixes = [], []
    pages = client.get_paginator("list_object_versions").paginate(Bucket="b", **more)
    for page in pages:
        rows = [(v, False) for v in page.get("Versions", [])]
        rows += [(m, True) for m in page.get("DeleteMarkers", [])]
        found += [(r["Key"], r["VersionId"], r["IsLatest"], marker) for r, marker in rows]
        prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
    return found, prefixes


class Model:
    """{key: [[id, marker], ...]}, newest first."""

    def __init__(self):
        self.keys = {}
        self.enabled = None

    def add(self, key, version, marker):
        rows = self.keys.setdefault(key, [])
        if not self.enabled:
            rows[:] = [row for row in rows if row[0] != "null"]
        rows.insert(0, [version, marker])

    def expected(self):
        return sorted((key, version, at == 0, marker) for key, rows in self.keys.items()
                      for at, (version, marker) in enumerate(rows))


def random_change(client, model, key):
    if RNG.random() < 0.6:
        got = client.put_object(Bucket="b", Key=key, Body=str(RNG.random()).encode())
        model.add(key, got["VersionId"], False)
    elif RNG.random() < 0.7 or not model.keys.get(key):
        got = client.delete_object(Bucket="b", Key=key)
        equal(got["DeleteMarker"], True)
        model.add(key, got["VersionId"], True)
    else:
        at = RNG.randrange(len(model.keys[key]))
        client.delete_object(Bucket="b", Key=key, VersionId=model.keys[key].pop(at)[0])
        if not model.keys[key]:
            del model.keys[key]


@test
def versions_follow_the_model():
    with Server("--page-max", "7") as s:
        c = s.client()
        keys = random_keys(40)
        model = Model()
        c.put_object(Bucket="b", Key=keys[0], Body=b"before")
        model.keys[keys[0]] = [["null", False]]
        equal(all_versions(c)[0], model.expected())
        for status in "Enabled", "Suspended", "Enabled":
            versioning(c, status)
            equal(c.get_bucket_versioning(Bucket="b")["Status"], status)
            model.enabled = status == "Enabled"
            for _ in range(150):
                random_change(c, model, RNG.choice(keys))
            equal(sorted(all_versions(c)[0]), model.expected())
        now = sorted((k for k, rows in model.keys.items() if not rows[0][1]), key=str.encode)
        equal(s.keys(), now)
        for key, rows in model.keys.items():
            for version, marker in rows:
                if marker:
                    fails("405", 405, c.head_object, Bucket="b", Key=key, VersionId=version)
                else:
                    got = c.get_object(Bucket="b", Key=key, VersionId=version)
                    equal(got["VersionId"], version)


@test
def versions_with_a_delimiter():
    with Server("--page-max", "3") as s:
        c = s.client()
        versioning(c, "Enabled")
        for key in "a/1", "a/2", "b", "b", "c/x/y", "d", "e/1", "e/1", "f":
            c.put_object(Bucket="b", Key=key)
        c.delete_object(Bucket="b", Key="e/1")
        found, prefixes = all_versions(c, Delimiter="/")
        equal([row[0] for row in found], ["b", "b", "d", "f"])
        equal(prefixes, ["a/", "c/", "e/"])
        equal(len(all_versions(c, Prefix="e/")[0]), 3)
        got = c.list_object_versions(Bucket="b", KeyMarker="b", MaxKeys=1)
        equal(got["Versions"][0]["Key"], "c/x/y")


@test
def copies_of_versions():
    with Server() as s:
        c = s.client()
        c.put_object(Bucket="b", Key="k", Body=b"old")
        versioning(c, "Enabled")
        c.put_object(Bucket="b", Key="k", Body=b"new", Tagging="t=1")
        source = {"Bucket": "b", "Key": "k", "VersionId": "null"}
        c.copy_object(Bucket="b", Key="to", CopySource=source)
        equal(c.get_object(Bucket="b", Key="to")["Body"].read(), b"old")
        equal(c.get_object_tagging(Bucket="b", Key="k", VersionId="null")["TagSet"], [])
        fails("NoSuchVersion", 404, c.copy_object, Bucket="b", Key="to",
              CopySource={**source, "VersionId": "none"})
        marker = c.delete_object(Bucket="b", Key="k")["VersionId"]
        fails("InvalidRequest", 400, c.copy_object, Bucket="b", Key="to",
              CopySource={**source, "VersionId": marker})
        fails("NoSuchKey", 404, c.get_object, Bucket="b", Key="k")
