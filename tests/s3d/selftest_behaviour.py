"""Tests of s3d: signatures, faults, rates, counters, options."""
import http.client
import json
import os
import subprocess
import tempfile
import threading

from selftest_lib import MIB, RNG, S3D, Server, delete_xml, equal, fails, md5_header, refused, test


# ---- signatures ------------------------------------------------------------------------------


@test
def signatures():
    with Server() as s:
        s.client().put_object(Bucket="b", Key="a/../b//c. d+e~ä*'()!", Body=b"x")
        fails("SignatureDoesNotMatch", 403, s.client(secret="x").list_objects_v2, Bucket="b")
        fails("InvalidAccessKeyId", 403, s.client(key="x").list_objects_v2, Bucket="b")
        e = fails("AuthorizationHeaderMalformed", 400,
                  s.client(region="eu-west-1").list_buckets)
        equal(e["Error"]["Region"], "us-east-1")
        fails("InvalidToken", 400, s.client(aws_session_token="t").list_objects_v2, Bucket="b")
        equal(s.raw("GET", "/b?list-type=2")[0], 403)
        s.control("POST", "clock", {"offset_s": 1000})
        e = fails("RequestTimeTooSkewed", 403, s.client().list_objects_v2, Bucket="b")
        assert e["Error"]["ServerTime"], e
        s.control("POST", "clock", {"offset_s": -800})
        s.client().list_objects_v2(Bucket="b")
    with Server("--session-token", "tok") as s:
        s.client(aws_session_token="tok").list_objects_v2(Bucket="b")
        fails("InvalidToken", 400, s.client().list_objects_v2, Bucket="b")


@test
def lacks():
    with Server("--no-auth", "--page-max", "2", "--lacks",
                "DeleteObjects,list-type,encoding-type,copy-source-if-match") as s:
        c = s.client()
        for k in "a+", "b", "c":
            etag = c.put_object(Bucket="b", Key=k, Body=b"x")["ETag"]
        fails("NotImplemented", 501, c.delete_objects, Bucket="b",
              Delete={"Objects": [{"Key": "b"}]})
        copy = {"Bucket": "b", "Key": "d", "CopySource": "b/c"}
        fails("NotImplemented", 501, c.copy_object, CopySourceIfMatch=etag, **copy)
        _, _, page = s.raw("GET", "/b?list-type=2&encoding-type=url&start-after=b")
        for there in b"<Key>a+</Key>", b"<Marker", b"<IsTruncated>true":
            assert there in page, page
        for gone in b"KeyCount", b"EncodingType", b"ContinuationToken":
            assert gone not in page, page
        assert b"<Key>c</Key>" in s.raw("GET", "/b?marker=b")[2]
        c.copy_object(**copy)
    with Server("--no-auth", "--lacks", "encoding-type-at-all,ListObjectsV2") as s:
        equal(s.raw("GET", "/b?encoding-type=url")[0], 400)
        equal(s.raw("GET", "/b?list-type=2")[0], 501)
        equal(s.raw("GET", "/b")[0], 200)
    equal(subprocess.run([S3D, "--lacks", "nothing"], stderr=subprocess.DEVNULL).returncode, 1)


# ---- faults, rates, counters -------------------------------------------------------------------


@test
def faults():
    with Server("--no-auth") as s:
        c = s.client()
        for k in "k1", "k2", "k3":
            c.put_object(Bucket="b", Key=k, Body=b"x" * 1000)

        def rule(**members):
            s.control("DELETE", "faults")
            s.control("POST", "faults", members)

        def copy(key="d"):
            return c.copy_object(Bucket="b", Key=key, CopySource="b/k1")

        rule(op="CopyObject", key="d*", nth=2, status=503, code="SlowDown", retry_after_s=3)
        copy()
        e = fails("SlowDown", 503, copy)
        equal(e["ResponseMetadata"]["HTTPHeaders"]["retry-after"], "3")
        copy()
        listed = json.loads(s.control("GET", "faults"))
        equal([(f["matched"], f["fired"]) for f in listed], [(3, 1)])
        rule(op="CopyObject", status=500, times=2)
        fails("InternalError", 500, copy)
        fails("InternalError", 500, copy)
        copy()
        rule(op="CopyObject", in200=True, code="SlowDown")
        status, _, body = s.raw("PUT", "/b/d", None, {"x-amz-copy-source": "b/k1"})
        assert status == 200 and b"<Error><Code>SlowDown</Code>" in body, body
        rule(op="DeleteObjects", in200=True, code="SlowDown")
        body = delete_xml(["k1"])
        status, _, answer = s.raw("POST", "/b?delete", body, md5_header(body))
        assert status == 200 and b"<Error><Code>SlowDown</Code>" in answer, answer
        assert "k1" in s.keys()
        rule(op="CopyObject", spaces=5000)
        _, _, body = s.raw("PUT", "/b/d", None, {"x-amz-copy-source": "b/k1"})
        assert body.startswith(b"<?xml version") and b"?>\n" + b" " * 5000 + b"<Copy" in body
        rule(op="CopyObject", status=502, body="<html>")
        equal(s.raw("PUT", "/b/d", None, {"x-amz-copy-source": "b/k1"})[::2], (502, b"<html>"))
        rule(op="CopyObject", empty=True)
        equal(s.raw("PUT", "/b/d", None, {"x-amz-copy-source": "b/k1"})[::2], (200, b""))
        rule(op="PutObject", close=True)
        refused(c.put_object, Bucket="b", Key="closed")
        assert "closed" not in s.keys()
        rule(op="PutObject", close=True, after=True)
        refused(c.put_object, Bucket="b", Key="closed")
        assert "closed" in s.keys()
        rule(op="GetObject", cut=10)
        got = c.get_object(Bucket="b", Key="k1")["Body"]
        equal(got.read(10), b"x" * 10)
        refused(got.read)
        rule(op="CopyObject", cut=0)
        refused(s.raw, "PUT", "/b/d", None, {"x-amz-copy-source": "b/k1"})
        rule(op="DeleteObjects", per_key=True, key="k2", code="AccessDenied")
        got = c.delete_objects(Bucket="b", Delete={"Objects": [{"Key": k} for k in ("k2", "k3")]})
        equal([e["Key"] for e in got["Deleted"]], ["k3"])
        equal([(e["Key"], e["Code"]) for e in got["Errors"]], [("k2", "AccessDenied")])
        assert "k2" in s.keys() and "k3" not in s.keys()
        equal(s.raw("POST", "/-/faults", b'{"opp": "x"}')[0], 400)
        equal(s.raw("POST", "/-/faults", b'{"op": "CopyObjekt"}')[0], 400)


@test
def hang_and_release():
    with Server("--no-auth") as s:
        s.control("POST", "faults", {"op": "PutObject", "key": "h*", "hang": True})
        done = []
        threads = [threading.Thread(target=lambda k=k: done.append(
            s.raw("PUT", f"/b/{k}", b"1")[0])) for k in ("h1", "h2")]
        for t in threads:
            t.start()
        while s.stats()["in_flight"] < 2:
            pass
        equal((done, s.keys()), ([], []))
        s.control("DELETE", "faults")
        for t in threads:
            t.join()
        equal((done, s.keys()), ([200, 200], ["h1", "h2"]))
        # A client that goes away is noticed.
        s.control("POST", "faults", {"op": "PutObject", "hang": True})
        conn = http.client.HTTPConnection("127.0.0.1", s.port)
        conn.request("PUT", "/b/gone", b"1")
        while s.stats()["in_flight"] < 1:
            pass
        conn.close()
        while s.stats()["in_flight"] > 0:
            pass
        equal(s.keys(), ["h1", "h2"])
        # The end of the server does not wait for what hangs.
        conn.request("PUT", "/b/gone", b"1")
        while s.stats()["in_flight"] < 1:
            pass
    conn.close()


@test
def latency_and_order():
    with Server("--no-auth", "--latency-ms", "PutObject=1") as s:
        s.control("POST", "faults", {"op": "PutObject", "key": "slow", "delay_ms": 300})
        slow = threading.Thread(target=lambda: s.raw("PUT", "/b/slow", b"1"))
        slow.start()
        while s.stats()["in_flight"] < 1:
            pass
        s.raw("PUT", "/b/fast", b"1")
        slow.join()
        log = [e for e in s.lines("log", n=10) if e["op"] == "PutObject"]
        equal([e["key"] for e in log], ["fast", "slow"])
        assert log[1]["done_ms"] - log[1]["start_ms"] >= 301, log
        assert log[0]["seq"] > log[1]["seq"]
        equal(s.stats()["in_flight_peak"], 2)
        s.control("POST", "latency", {"PutObject": 0})
        equal(s.raw("POST", "/-/latency", b'{"PutObjekt": 0}')[0], 400)


@test
def rates():
    # A millisecond's burst at one a second: the first passes, the second in the same second not.
    with Server("--no-auth", "--rate", "0.001") as s:
        s.control("POST", "seed", {"bucket": "b", "prefix": "p/", "count": 20, "size": 1})
        equal(s.raw("PUT", "/b/p/x", b"")[0], 200)
        status, _, body = s.raw("PUT", "/b/p/y", b"")
        assert status == 503 and b"<Code>SlowDown</Code>" in body
        equal(s.raw("PUT", "/b/q/x", b"")[0], 200)
        equal(s.raw("PUT", "/b/q/sub/x", b"")[0], 503)
        equal(s.raw("GET", "/b/p/x")[0], 200)
        body = delete_xml([f"r/{i}" for i in range(20)])
        equal(s.raw("POST", "/b?delete", body, md5_header(body))[0], 200)
        equal(s.raw("POST", "/b?delete", body, md5_header(body))[0], 503)
        equal(s.stats()["throttled"], 3)
        s.control("POST", "rate", {"write": 0, "read": 0.001})
        equal(s.raw("PUT", "/b/p/y", b"")[0], 200)
        equal([s.raw("GET", "/b/p/x")[0] for _ in range(2)], [200, 503])


@test
def counters():
    with Server() as s:
        c = s.client()
        c.put_object(Bucket="b", Key="k", Body=b"x" * 100)
        for _ in range(3):
            c.copy_object(Bucket="b", Key="d", CopySource="b/k")
        fails("NoSuchKey", 404, c.get_object, Bucket="b", Key="none")
        c.get_object(Bucket="b", Key="k")["Body"].read()
        st = s.stats()
        equal({op: (n["requests"], n["errors"]) for op, n in st["ops"].items()},
              {"PutObject": (1, 0), "CopyObject": (3, 0), "GetObject": (2, 1)})
        equal((st["bytes_in"], st["in_flight"], st["throttled"]), (100, 0, 0))
        assert st["connections_opened"] >= 2 and st["connections_open"] >= 1
        log = s.lines("log", n=2)
        equal([(e["op"], e["key"], e["status"], e["code"]) for e in log],
              [("GetObject", "none", 404, "NoSuchKey"), ("GetObject", "k", 200, "")])
        s.control("POST", "stats/reset")
        equal((s.stats()["requests"], s.lines("log")), (0, []))


@test
def quota():
    with Server("--quota-mb", "1") as s:
        c = s.client()
        c.put_object(Bucket="b", Key="k", Body=b"x" * 600000)
        fails("QuotaExceeded", 403, c.put_object, Bucket="b", Key="l", Body=b"x" * 600000)
        c.copy_object(Bucket="b", Key="l", CopySource="b/k")
        c.delete_objects(Bucket="b", Delete={"Objects": [{"Key": "k"}, {"Key": "l"}]})
        c.put_object(Bucket="b", Key="l", Body=b"x" * 600000)


@test
def folder():
    with tempfile.TemporaryDirectory() as place:
        where = os.path.join(place, "data")
        with Server("--dir", where) as s:
            c = s.client()
            c.put_object(Bucket="b", Key="k/é\n", Body=b"12", Metadata={"a": "b"}, Tagging="t=1")
            c.copy_object(Bucket="b", Key="copy", CopySource={"Bucket": "b", "Key": "k/é\n"})
            c.put_object(Bucket="b", Key="gone", Body=b"12")
            c.delete_object(Bucket="b", Key="gone")
            before = s.lines("dump", bucket="b")
            equal(len(before), 2)
        with Server("--dir", where) as s:
            equal(s.lines("dump", bucket="b"), before)
            equal(s.client().get_object(Bucket="b", Key="copy")["Body"].read(), b"12")


@test
def tls():
    with tempfile.TemporaryDirectory() as place:
        cert, key = os.path.join(place, "cert.pem"), os.path.join(place, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
        with Server("--tls", cert, key) as s:
            c = s.client(verify=cert)
            body = RNG.randbytes(MIB)
            c.put_object(Bucket="b", Key="k", Body=body)
            c.copy_object(Bucket="b", Key="d", CopySource="b/k")
            equal(c.get_object(Bucket="b", Key="d")["Body"].read(), body)


@test
def command_line():
    for options in (["--bogus"], ["--port", "x"], ["--rate", "-1"], ["--latency-ms", "Bogus=1"],
                    ["word"], ["--tls", "only-one"], ["--seed-objects", "none:p:1:1"]):
        got = subprocess.run([S3D, *options], stdin=subprocess.DEVNULL, capture_output=True,
                             text=True, check=False)
        equal((got.returncode, got.stdout, got.stderr.count("\n")), (1, "", 1))
    with tempfile.TemporaryDirectory() as place:
        name = os.path.join(place, "port")
        with Server("--port-file", name, "--seed-objects", "b:p/:5:10") as s:
            with open(name, encoding="ascii") as f:
                equal(int(f.read()), s.port)
            equal(s.keys(), [f"p/f{i:06}" for i in range(5)])


@test
def accounts():
    with Server("--bucket", "c") as s:
        own = s.client()
        own.put_object(Bucket="b", Key="k", Body=b"1")
        s.control("POST", "account", {"key": "AKIDOTHER", "secret": "s", "reads": "b",
                                      "writes": "c", "acl": "private"})
        other = s.client("AKIDOTHER", "s")
        equal(other.get_object(Bucket="b", Key="k")["Body"].read(), b"1")
        other.copy_object(Bucket="c", Key="d", CopySource="b/k", ACL="private")
        denied = "AccessDenied", 403
        fails(*denied, other.copy_object, Bucket="c", Key="d", CopySource="b/k")
        fails(*denied, other.copy_object, Bucket="c", Key="d", CopySource="c/d", ACL="private")
        fails(*denied, other.put_object, Bucket="b", Key="k", Body=b"2", ACL="private")
        fails(*denied, other.get_object, Bucket="c", Key="d")
        fails(*denied, other.list_objects_v2, Bucket="c")
        fails("SignatureDoesNotMatch", 403, s.client("AKIDOTHER", "t").get_object, Bucket="b",
              Key="k")
        equal(own.get_object(Bucket="c", Key="d")["Body"].read(), b"1")
