"""Tests of s3d: buckets, objects, listings."""
import base64
import hashlib
import zlib

from selftest_lib import MIB, RNG, Server, equal, fails, random_keys, test


# ---- buckets, objects ------------------------------------------------------------------------


@test
def buckets():
    with Server("--bucket", "eu@eu-west-1") as s:
        c = s.client()
        c.create_bucket(Bucket="fresh")
        equal(sorted(b["Name"] for b in c.list_buckets()["Buckets"]), ["b", "eu", "fresh"])
        fails("BucketAlreadyOwnedByYou", 409, c.create_bucket, Bucket="fresh")
        fails("InvalidBucketName", 400, c.create_bucket, Bucket="a..b")
        c.put_object(Bucket="fresh", Key="k")
        fails("BucketNotEmpty", 409, c.delete_bucket, Bucket="fresh")
        c.delete_object(Bucket="fresh", Key="k")
        c.delete_bucket(Bucket="fresh")
        fails("404", 404, c.head_bucket, Bucket="fresh")
        fails("NoSuchBucket", 404, c.list_objects_v2, Bucket="fresh")
        equal(c.head_bucket(Bucket="b")["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"],
              "us-east-1")
        equal(c.get_bucket_location(Bucket="b")["LocationConstraint"], None)
        eu = s.client(region="eu-west-1")
        equal(eu.get_bucket_location(Bucket="eu")["LocationConstraint"], "eu-west-1")
        status, headers, body = s.raw("GET", "/eu/k")
        equal((status, headers["x-amz-bucket-region"]), (403, "eu-west-1"))
        assert b"<Code>AccessDenied</Code>" in body


@test
def virtual_host():
    with Server("--no-auth") as s:
        s.client().put_object(Bucket="b", Key="a b+c/ä", Body=b"x")
        status, _, body = s.raw("GET", "/a%20b%2Bc/%C3%A4", headers={"Host": "b.s3.localhost:1"})
        equal((status, body), (200, b"x"))
        status, _, body = s.raw("GET", "/?list-type=2", headers={"Host": "b.s3.localhost"})
        assert b"<KeyCount>1</KeyCount>" in body, body


@test
def put_get_head_delete():
    with Server() as s:
        c = s.client()
        body = RNG.randbytes(70000)
        etag = '"' + hashlib.md5(body).hexdigest() + '"'
        p = c.put_object(Bucket="b", Key="k", Body=body, Metadata={"one": "1", "mode": "0644"},
                         ContentType="text/x-y", CacheControl="no-cache",
                         StorageClass="STANDARD_IA",
                         ContentLanguage="de", ContentDisposition="inline", Tagging="a=b&c=d%20e")
        equal(p["ETag"], etag)
        for got in c.get_object(Bucket="b", Key="k"), c.head_object(Bucket="b", Key="k"):
            equal((got["ETag"], got["ContentLength"], got["Metadata"]),
                  (etag, len(body), {"one": "1", "mode": "0644"}))
            equal((got["ContentType"], got["CacheControl"], got["StorageClass"]),
                  ("text/x-y", "no-cache", "STANDARD_IA"))
            equal((got["ContentLanguage"], got["ContentDisposition"]), ("de", "inline"))
        equal(c.get_object(Bucket="b", Key="k")["Body"].read(), body)
        equal({t["Key"]: t["Value"] for t in c.get_object_tagging(Bucket="b", Key="k")["TagSet"]},
              {"a": "b", "c": "d e"})
        c.put_object_tagging(Bucket="b", Key="k", Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})
        equal(c.get_object_tagging(Bucket="b", Key="k")["TagSet"], [{"Key": "x", "Value": "y"}])
        c.delete_object_tagging(Bucket="b", Key="k")
        equal(c.get_object_tagging(Bucket="b", Key="k")["TagSet"], [])
        fails("InvalidStorageClass", 400, c.put_object, Bucket="b", Key="k", StorageClass="X")
        fails("MetadataTooLarge", 400, c.put_object, Bucket="b", Key="k",
              Metadata={"a": "x" * 3000})
        fails("KeyTooLongError", 400, c.put_object, Bucket="b", Key="k" * 1025)
        fails("BadDigest", 400, c.put_object, Bucket="b", Key="k", Body=b"x",
              ContentMD5=base64.b64encode(hashlib.md5(b"y").digest()).decode())
        c.delete_object(Bucket="b", Key="k")
        c.delete_object(Bucket="b", Key="k")
        fails("404", 404, c.head_object, Bucket="b", Key="k")
        fails("NoSuchKey", 404, c.get_object, Bucket="b", Key="k")
        c.put_object(Bucket="b", Key="empty")
        equal(c.get_object(Bucket="b", Key="empty")["Body"].read(), b"")
        big = RNG.randbytes(20 * MIB)
        c.put_object(Bucket="b", Key="big", Body=big)
        equal(c.get_object(Bucket="b", Key="big")["Body"].read(), big)


@test
def ranges():
    with Server() as s:
        c = s.client()
        body = RNG.randbytes(1000)
        c.put_object(Bucket="b", Key="k", Body=body)
        for _ in range(200):
            a, z = RNG.randrange(1000), RNG.randrange(1200)
            if z < a:
                a, z = z, a
            got = c.get_object(Bucket="b", Key="k", Range=f"bytes={a}-{z}")
            equal(got["ResponseMetadata"]["HTTPStatusCode"], 206)
            equal(got["Body"].read(), body[a:z + 1])
            equal(got["ContentRange"], f"bytes {a}-{min(z, 999)}/1000")
        equal(c.get_object(Bucket="b", Key="k", Range="bytes=-7")["Body"].read(), body[-7:])
        equal(c.get_object(Bucket="b", Key="k", Range="bytes=990-")["Body"].read(), body[990:])
        equal(c.get_object(Bucket="b", Key="k", Range="bytes=-5000")["Body"].read(), body)
        equal(c.get_object(Bucket="b", Key="k", Range="bytes=9-1")["Body"].read(), body)
        e = fails("InvalidRange", 416, c.get_object, Bucket="b", Key="k", Range="bytes=1000-")
        equal(e["Error"]["ActualObjectSize"], "1000")
        c.put_object(Bucket="b", Key="empty")
        fails("InvalidRange", 416, c.get_object, Bucket="b", Key="empty", Range="bytes=0-")


@test
def read_conditions():
    with Server() as s:
        c = s.client()
        etag = c.put_object(Bucket="b", Key="k", Body=b"1")["ETag"]
        mtime = c.head_object(Bucket="b", Key="k")["LastModified"]
        c.get_object(Bucket="b", Key="k", IfMatch=etag)
        fails("PreconditionFailed", 412, c.get_object, Bucket="b", Key="k", IfMatch='"x"')
        fails("412", 412, c.head_object, Bucket="b", Key="k", IfMatch='"x"')
        fails("304", 304, c.get_object, Bucket="b", Key="k", IfNoneMatch=etag)
        c.get_object(Bucket="b", Key="k", IfNoneMatch='"x"')
        fails("304", 304, c.get_object, Bucket="b", Key="k", IfModifiedSince=mtime)
        c.get_object(Bucket="b", Key="k", IfUnmodifiedSince=mtime)
        fails("PreconditionFailed", 412, c.get_object, Bucket="b", Key="k",
              IfUnmodifiedSince="2001-01-01")
        c.put_object(Bucket="b", Key="cold", Body=b"1", StorageClass="DEEP_ARCHIVE")
        c.head_object(Bucket="b", Key="cold")
        fails("InvalidObjectState", 403, c.get_object, Bucket="b", Key="cold")
        fails("ObjectNotInActiveTierError", 403, c.copy_object, Bucket="b", Key="x",
              CopySource="b/cold")


@test
def write_conditions():
    with Server("--no-auth") as s:
        equal(s.raw("PUT", "/b/k", b"1", {"If-None-Match": "*"})[0], 200)
        equal(s.raw("PUT", "/b/k", b"2", {"If-None-Match": "*"})[0], 412)
        etag = hashlib.md5(b"1").hexdigest()
        equal(s.raw("PUT", "/b/k", b"2", {"If-Match": f'"{etag}"'})[0], 200)
        equal(s.raw("PUT", "/b/k", b"3", {"If-Match": f'"{etag}"'})[0], 412)
        equal(s.raw("PUT", "/b/new", b"3", {"If-Match": f'"{etag}"'})[0], 404)
        copy = {"x-amz-copy-source": "/b/k"}
        equal(s.raw("PUT", "/b/copy", None, {**copy, "If-None-Match": "*"})[0], 200)
        equal(s.raw("PUT", "/b/copy", None, {**copy, "If-None-Match": "*"})[0], 412)
        equal(s.raw("PUT", "/b/copy", None, {**copy, "If-Match": '"x"'})[0], 412)
        equal(s.raw("DELETE", "/b/k", None, {"If-Match": '"x"'})[0], 412)
        equal(s.raw("GET", "/b/k")[2], b"2")
        equal(s.raw("DELETE", "/b/k", None, {"If-Match": '"*"'.strip('"')})[0], 204)
        crc = base64.b64encode(zlib.crc32(b"zz").to_bytes(4, "big")).decode()
        equal(s.raw("PUT", "/b/k", b"zz", {"x-amz-checksum-crc32": crc})[0], 200)
        equal(s.raw("PUT", "/b/k", b"zy", {"x-amz-checksum-crc32": crc})[0], 400)
        # RFC 3720 B.4 and the NVMe specification give these values for "123456789".
        for name, value in ("crc32c", 0xe3069283), ("crc64nvme", 0xae8b14860a799888):
            value = value.to_bytes(8 if "64" in name else 4, "big")
            equal(s.raw("PUT", "/b/k", b"123456789",
                        {f"x-amz-checksum-{name}": base64.b64encode(value).decode()})[0], 200)
        equal(s.raw("PUT", "/b/k", b"zy", {"x-amz-content-sha256": "0" * 64})[0], 400)
        equal(s.raw("PUT", "/b/k", b"zy",
                    {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"})[0], 501)
        equal(s.raw("PUT", "/b/k", iter([b"zy"]))[0], 411)
        equal(s.raw("GET", "/b/k?acl")[0], 501)


# ---- listings --------------------------------------------------------------------------------


def model(keys, prefix, delimiter, after):
    """Items of a listing in order: (name, is_prefix)."""
    items, seen = [], set()
    for key in keys:
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        name = key[:at + len(delimiter)] if at >= 0 else key
        if name.encode() <= after.encode() and after:
            continue
        if name not in seen:
            seen.add(name)
            items.append((name, at >= 0))
    return items


def check_page(page, want, limit):
    got = [(o["Key"], False) for o in page.get("Contents", [])]
    prefixes = [(p["Prefix"], True) for p in page.get("CommonPrefixes", [])]
    for part in got, prefixes:
        equal(part, sorted(part, key=lambda i: i[0].encode()))
    got = sorted(got + prefixes, key=lambda i: i[0].encode())
    equal(got, want[:limit])
    equal(page["IsTruncated"], len(want) > limit)
    return got


@test
def list_v2_against_model():
    with Server() as s:
        c = s.client()
        keys = random_keys(700)
        for key in keys:
            c.put_object(Bucket="b", Key=key)
        for _ in range(150):
            base = RNG.choice(keys)
            prefix = base[:RNG.randrange(len(base))] if RNG.random() < 0.6 else ""
            delimiter = RNG.choice(["", "/", "/", "//", "-", "b", "é/"])
            after = RNG.choice(["", "", base, base[:RNG.randrange(len(base) + 1)], "zzzz"])
            limit = RNG.choice([1, 2, 7, 100, 1000])
            want = model(keys, prefix, delimiter, after)
            args = {"Bucket": "b", "Prefix": prefix, "MaxKeys": limit}
            if delimiter:
                args["Delimiter"] = delimiter
            if after:
                args["StartAfter"] = after
            while True:
                page = c.list_objects_v2(**args)
                got = check_page(page, want, limit)
                equal(page["KeyCount"], len(got))
                want = want[len(got):]
                if not page["IsTruncated"]:
                    break
                args["ContinuationToken"] = page["NextContinuationToken"]
        equal(c.list_objects_v2(Bucket="b", MaxKeys=0)["KeyCount"], 0)
        equal(c.list_objects_v2(Bucket="b", MaxKeys=5000)["MaxKeys"], 1000)
        fails("InvalidArgument", 400, c.list_objects_v2, Bucket="b", ContinuationToken="nonsense")
        fails("InvalidArgument", 400, c.list_objects_v2, Bucket="b", MaxKeys=-1)
        assert "Owner" not in c.list_objects_v2(Bucket="b")["Contents"][0]
        assert "Owner" in c.list_objects_v2(Bucket="b", FetchOwner=True)["Contents"][0]
        equal(s.keys(), keys)


@test
def list_v1_against_model():
    with Server() as s:
        c = s.client()
        keys = random_keys(300)
        for key in keys:
            c.put_object(Bucket="b", Key=key)
        for _ in range(60):
            base = RNG.choice(keys)
            prefix = base[:RNG.randrange(len(base))] if RNG.random() < 0.5 else ""
            delimiter = RNG.choice(["", "/", "//"])
            after, limit = RNG.choice(["", base]), RNG.choice([1, 5, 1000])
            want = model(keys, prefix, delimiter, after)
            while True:
                args = {"Delimiter": delimiter} if delimiter else {}
                page = c.list_objects(Bucket="b", Prefix=prefix, MaxKeys=limit, Marker=after,
                                      **args)
                got = check_page(page, want, limit)
                want = want[len(got):]
                if not page["IsTruncated"]:
                    break
                after = page["NextMarker"] if delimiter else page["Contents"][-1]["Key"]


@test
def list_raw_forms():
    with Server("--no-auth", "--page-max", "3") as s:
        for key in "a b", "a+b", "a\x01b", "a&b", "a\rb", "ÿ":
            s.control("PUT", "put", b"", bucket="b", key=key)
        s.control("PUT", "put?bucket=b&key=%ff%fe", b"")
        status, _, body = s.raw("GET", "/b?list-type=2&encoding-type=url")
        assert b"<MaxKeys>1000</MaxKeys>" in body and b"<IsTruncated>true" in body, body
        assert b"<Key>a%01b</Key>" in body and b"<Key>a%0Db</Key>" in body, body
        assert b"<Key>a+b</Key>" in body, body
        _, _, body = s.raw("GET", "/b?list-type=2&prefix=a%01")
        assert b"<Key>a&#x1;b</Key>" in body, body
        equal(s.keys()[-1].encode("utf-8", "surrogateescape"), b"\xff\xfe")
        equal(s.raw("GET", "/b/%FF%FE")[0], 200)


@test
def large_listing():
    with Server() as s:
        c = s.client()
        s.control("POST", "seed", {"bucket": "b", "prefix": "p/", "count": 100000, "size": 10,
                                   "dirs": 100})
        page = c.list_objects_v2(Bucket="b", Prefix="p/", Delimiter="/")
        equal([p["Prefix"] for p in page["CommonPrefixes"]], [f"p/d{i:04}/" for i in range(100)])
        total = 0
        for page in c.get_paginator("list_objects_v2").paginate(Bucket="b"):
            total += page["KeyCount"]
        equal(total, 100000)
        one = c.get_object(Bucket="b", Key="p/d0007/f007001")
        equal('"' + hashlib.md5(one["Body"].read()).hexdigest() + '"', one["ETag"])
