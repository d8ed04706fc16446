"""Tests of s3d: deletes, copies, multipart uploads."""
import base64
import hashlib
import zlib

from selftest_lib import MIB, RNG, Server, delete_xml, equal, fails, md5_header, random_keys, test


# ---- delete, copy, multipart --------------------------------------------------------------------


@test
def delete_objects():
    with Server("--no-auth") as s:
        c = s.client()
        keys = random_keys(300)
        for key in keys:
            c.put_object(Bucket="b", Key=key)
        gone, kept = keys[::2], keys[1::2]
        objects = [{"Key": k} for k in gone + ["none"]]
        got = c.delete_objects(Bucket="b", Delete={"Objects": objects})
        equal(sorted(d["Key"] for d in got["Deleted"]), sorted(gone + ["none"]))
        equal(s.keys(), kept)
        equal(s.stats()["keys_deleted"], len(gone))
        got = c.delete_objects(Bucket="b", Delete={"Objects": [{"Key": kept[0]}], "Quiet": True})
        assert "Deleted" not in got and "Errors" not in got
        body = delete_xml(["x"])
        equal(s.raw("POST", "/b?delete", body)[0], 400)
        equal(s.raw("POST", "/b?delete", body, md5_header(b"other"))[0], 400)
        equal(s.raw("POST", "/b?delete", body, md5_header(body))[0], 200)
        crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
        equal(s.raw("POST", "/b?delete", body, {"x-amz-checksum-crc32": crc})[0], 200)
        for bad in delete_xml(["k"] * 1001), delete_xml([]), b"<Delete>", b"<Other/>", b"", \
                b'<!DOCTYPE d [<!ENTITY e "x">]><Delete><Object><Key>&e;</Key></Object></Delete>':
            status, _, text = s.raw("POST", "/b?delete", bad, md5_header(bad))
            assert status == 400 and b"MalformedXML" in text, text
        body = delete_xml(["k"] * 1000)
        equal(s.raw("POST", "/b?delete", body, md5_header(body))[0], 200)
        s.control("PUT", "put", b"", bucket="b", key="cr\rlf")
        body = delete_xml(["cr&#13;lf"], True)
        equal(s.raw("POST", "/b?delete", body, md5_header(body))[0], 200)
        assert "cr\rlf" not in s.keys()
        equal([e["key"] for e in s.lines("log", n=1)], ["cr\rlf"])


@test
def copy_object():
    with Server("--bucket", "other") as s:
        c = s.client()
        body = b"content"
        etag = c.put_object(Bucket="b", Key="a b+c/ä%", Body=body, Metadata={"m": "1"},
                            ContentType="x/y", Tagging="t=1", WebsiteRedirectLocation="/w",
                            StorageClass="STANDARD_IA")["ETag"]
        src = {"Bucket": "b", "Key": "a b+c/ä%"}
        got = c.copy_object(Bucket="other", Key="copy", CopySource=src)
        equal(got["CopyObjectResult"]["ETag"], etag)
        head = c.head_object(Bucket="other", Key="copy")
        equal((head["Metadata"], head["ContentType"], head.get("StorageClass")),
              ({"m": "1"}, "x/y", None))
        assert "WebsiteRedirectLocation" not in head
        equal(len(c.get_object_tagging(Bucket="other", Key="copy")["TagSet"]), 1)
        equal(c.get_object(Bucket="other", Key="copy")["Body"].read(), body)
        c.copy_object(Bucket="b", Key="r", CopySource=src, MetadataDirective="REPLACE",
                      Metadata={"n": "2"}, TaggingDirective="REPLACE", StorageClass="GLACIER_IR")
        head = c.head_object(Bucket="b", Key="r")
        equal((head["Metadata"], head["ContentType"], head["StorageClass"]),
              ({"n": "2"}, "binary/octet-stream", "GLACIER_IR"))
        equal(c.get_object_tagging(Bucket="b", Key="r")["TagSet"], [])
        fails("InvalidRequest", 400, c.copy_object, Bucket="b", Key="r", CopySource="b/r")
        c.copy_object(Bucket="b", Key="r", CopySource="b/r", StorageClass="STANDARD")
        c.copy_object(Bucket="b", Key="r", CopySource="b/r", MetadataDirective="REPLACE")
        fails("NoSuchKey", 404, c.copy_object, Bucket="b", Key="x", CopySource="b/none")
        fails("NoSuchBucket", 404, c.copy_object, Bucket="b", Key="x", CopySource="none/x")
        fails("NoSuchBucket", 404, c.copy_object, Bucket="none", Key="x", CopySource="b/r")
        fails("InvalidArgument", 400, c.copy_object, Bucket="b", Key="x", CopySource="b")
        fails("NoSuchVersion", 404, c.copy_object, Bucket="b", Key="x",
              CopySource="b/r?versionId=1")


@test
def encryption_of_copies():
    with Server() as s:
        c = s.client()
        kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"}
        c.put_object(Bucket="b", Key="a", Body=b"x", Metadata={"m": "1"}, **kms)
        head = c.head_object(Bucket="b", Key="a")
        equal((head["ServerSideEncryption"], head["SSEKMSKeyId"]), ("aws:kms", "key-1"))
        c.copy_object(Bucket="b", Key="c", CopySource="b/a")
        head = c.head_object(Bucket="b", Key="c")
        equal((head.get("ServerSideEncryption"), head["Metadata"]), (None, {"m": "1"}))
        c.copy_object(Bucket="b", Key="c", CopySource="b/a", ServerSideEncryption="AES256",
                      WebsiteRedirectLocation="/w")
        head = c.head_object(Bucket="b", Key="c")
        equal((head["ServerSideEncryption"], head["WebsiteRedirectLocation"]), ("AES256", "/w"))
        up = c.create_multipart_upload(Bucket="b", Key="m", **kms)
        args = {"Bucket": "b", "Key": "m", "UploadId": up["UploadId"]}
        etag = c.upload_part(PartNumber=1, Body=b"p", **args)["ETag"]
        c.complete_multipart_upload(
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}, **args)
        equal(c.head_object(Bucket="b", Key="m")["SSEKMSKeyId"], "key-1")
        for fn, more in (c.put_object, {}), (c.copy_object, {"CopySource": "b/m"}), \
                (c.create_multipart_upload, {}):
            args = {"Bucket": "b", "Key": "a", **more}
            fails("InvalidEncryptionAlgorithmError", 400, fn, ServerSideEncryption="rot13", **args)
            fails("InvalidArgument", 400, fn, SSEKMSKeyId="k", **args)
            fails("InvalidArgument", 400, fn, ServerSideEncryption="AES256", SSEKMSKeyId="k",
                  **args)
            fails("InvalidArgument", 400, fn, ServerSideEncryption="aws:kms:dsse",
                  BucketKeyEnabled=True, **args)
            fn(ServerSideEncryption="aws:kms", BucketKeyEnabled=True, SSEKMSKeyId="k", **args)
        equal(c.head_object(Bucket="b", Key="a")["BucketKeyEnabled"], True)


@test
def customer_keys():
    with Server("--no-auth") as s:
        key, other = b"k" * 32, b"o" * 32
        md5 = base64.b64encode(hashlib.md5(key).digest()).decode()

        def headers(k, source="", sum_of=None):
            name = f"x-amz-{source}server-side-encryption-customer-"
            return {name + "algorithm": "AES256", name + "key": base64.b64encode(k).decode(),
                    name + "key-md5": base64.b64encode(hashlib.md5(sum_of or k).digest()).decode()}

        def wants(code, status, method, path, body=None, **more):
            got, _, text = s.raw(method, path, body, more)
            equal((got, code is None or method == "HEAD" or f"<Code>{code}<".encode() in text),
                  (status, True))

        src, mine = "copy-source-", headers(key)
        wants(None, 200, "PUT", "/b/k", b"content", **mine)
        wants(None, 200, "PUT", "/b/plain", b"content")
        etags = {o["key"]: o["etag"] for o in s.lines("dump", bucket="b")}
        assert etags["k"] != etags["plain"], etags
        for method in "GET", "HEAD":
            status, got, body = s.raw(method, "/b/k", None, mine)
            equal((status, body), (200, b"content" if method == "GET" else b""))
            equal(got["x-amz-server-side-encryption-customer-key-md5"], md5)
            wants("InvalidRequest", 400, method, "/b/k")
            wants("AccessDenied", 403, method, "/b/k", **headers(other))
            wants("InvalidRequest", 400, method, "/b/plain", **mine)
        equal(s.control("GET", "put", bucket="b", key="k"), b"content")
        md5s = [o["md5"] for o in s.lines("dump", bucket="b", md5_max=10)]
        equal(md5s, [hashlib.md5(b"content").hexdigest()] * 2)
        wants("InvalidArgument", 400, "PUT", "/b/x", b"", **headers(key, sum_of=other))
        wants("InvalidArgument", 400, "PUT", "/b/x", b"", **headers(key[:31]))
        wants("InvalidArgument", 400, "PUT", "/b/x", b"", **mine,
              **{"x-amz-server-side-encryption": "AES256"})
        half = dict(list(mine.items())[:2])
        wants("InvalidArgument", 400, "PUT", "/b/x", b"", **half)
        wants("InvalidArgument", 400, "GET", "/b/k", **half)
        # Copies: the source's key and the copy's are two things.
        source = {"x-amz-copy-source": "b/k"}
        wants("InvalidRequest", 400, "PUT", "/b/c", **source, **mine)
        wants("AccessDenied", 403, "PUT", "/b/c", **source, **headers(other, src))
        wants("InvalidRequest", 400, "PUT", "/b/c", **{"x-amz-copy-source": "b/plain"},
              **headers(key, src))
        wants(None, 200, "PUT", "/b/c", **source, **headers(key, src), **headers(other))
        wants(None, 200, "GET", "/b/c", **headers(other))
        wants(None, 200, "PUT", "/b/d", **source, **headers(key, src))
        wants(None, 200, "GET", "/b/d")
        # Parts have the key of their upload.
        _, _, body = s.raw("POST", "/b/m?uploads", b"", mine)
        upload = body.split(b"<UploadId>")[1].split(b"<")[0].decode()
        part = f"/b/m?partNumber=1&uploadId={upload}"
        wants("InvalidRequest", 400, "PUT", part, b"p")
        wants("AccessDenied", 403, "PUT", part, b"p", **headers(other))
        wants("InvalidRequest", 400, "PUT", part, **source, **headers(key, src))
        wants("InvalidRequest", 400, "PUT", part, **source, **mine)
        wants(None, 200, "PUT", part, **source, **mine, **headers(key, src))
        status, got, _ = s.raw("PUT", part, b"p", mine)
        xml = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{got['ETag']}" \
              "</ETag></Part></CompleteMultipartUpload>"
        wants(None, 200, "POST", f"/b/m?uploadId={upload}", xml.encode())
        wants("InvalidRequest", 400, "GET", "/b/m")
        equal(s.raw("GET", "/b/m", None, mine)[2], b"p")


def acl_of(s, key):
    return [o["meta"].get("x-amz-acl") for o in s.lines("dump", bucket="b") if o["key"] == key]


@test
def acls():
    with Server() as s:
        c = s.client()
        c.put_object(Bucket="b", Key="a", ACL="public-read")
        c.copy_object(Bucket="b", Key="c", CopySource="b/a")
        c.copy_object(Bucket="b", Key="d", CopySource="b/a", ACL="bucket-owner-read")
        equal([acl_of(s, k) for k in "acd"], [["public-read"], [None], ["bucket-owner-read"]])
        head = c.head_object(Bucket="b", Key="a")["ResponseMetadata"]["HTTPHeaders"]
        assert "x-amz-acl" not in head, head
        for fn, more in (c.put_object, {}), (c.copy_object, {"CopySource": "b/a"}), \
                (c.create_multipart_upload, {}):
            fails("InvalidArgument", 400, fn, Bucket="b", Key="x", ACL="log-delivery-write",
                  **more)


@test
def owners_and_payers():
    with Server("--bucket", "other") as s:
        c = s.client()
        c.put_object(Bucket="b", Key="k", ExpectedBucketOwner="123456789012")
        fails("AccessDenied", 403, c.get_object, Bucket="b", Key="k",
              ExpectedBucketOwner="123456789013")
        fails("InvalidBucketOwnerAWSAccountID", 400, c.get_object, Bucket="b", Key="k",
              ExpectedBucketOwner="me")
        s.control("POST", "guard", {"bucket": "b", "owner": "000000000001"})
        c.list_objects_v2(Bucket="b", ExpectedBucketOwner="000000000001")
        fails("AccessDenied", 403, c.list_objects_v2, Bucket="b",
              ExpectedBucketOwner="123456789012")
        args = {"Bucket": "other", "Key": "x", "CopySource": "b/k"}
        c.copy_object(ExpectedBucketOwner="123456789012",
                      ExpectedSourceBucketOwner="000000000001", **args)
        fails("AccessDenied", 403, c.copy_object, ExpectedSourceBucketOwner="123456789012", **args)
        s.control("POST", "guard", {"bucket": "b", "requester_pays": True})
        fails("AccessDenied", 403, c.list_objects_v2, Bucket="b")
        c.list_objects_v2(Bucket="b", RequestPayer="requester")
        fails("AccessDenied", 403, c.copy_object, **args)
        c.copy_object(RequestPayer="requester", **args)
        s.control("POST", "guard", {"bucket": "b"})
        c.list_objects_v2(Bucket="b")
        equal(s.raw("POST", "/-/guard", b'{"bucket": "none"}')[0], 404)


@test
def copy_conditions():
    with Server() as s:
        c = s.client()
        etag = c.put_object(Bucket="b", Key="s", Body=b"1")["ETag"]
        mtime = c.head_object(Bucket="b", Key="s")["LastModified"]
        old = "2001-01-01T00:00:00Z"

        def copy(**conditions):
            c.copy_object(Bucket="b", Key="d", CopySource="b/s", **conditions)

        def bad(**conditions):
            fails("PreconditionFailed", 412, copy, **conditions)

        copy(CopySourceIfMatch=etag)
        copy(CopySourceIfMatch=etag.strip('"'))
        bad(CopySourceIfMatch='"no"')
        copy(CopySourceIfNoneMatch='"no"')
        bad(CopySourceIfNoneMatch=etag)
        copy(CopySourceIfModifiedSince=old)
        bad(CopySourceIfModifiedSince=mtime)
        copy(CopySourceIfUnmodifiedSince=mtime)
        bad(CopySourceIfUnmodifiedSince=old)
        copy(CopySourceIfMatch=etag, CopySourceIfUnmodifiedSince=old)
        bad(CopySourceIfNoneMatch=etag, CopySourceIfModifiedSince=old)


@test
def multipart():
    with Server() as s:
        c = s.client()
        first, second = RNG.randbytes(5 * MIB), RNG.randbytes(1000)
        up = c.create_multipart_upload(Bucket="b", Key="m", Metadata={"a": "1"}, ContentType="x/y")
        args = {"Bucket": "b", "Key": "m", "UploadId": up["UploadId"]}
        # In the wrong order, the second replaced once.
        c.upload_part(PartNumber=7, Body=b"old", **args)
        etag2 = c.upload_part(PartNumber=7, Body=second, **args)["ETag"]
        etag1 = c.upload_part(PartNumber=3, Body=first, **args)["ETag"]
        listed = c.list_parts(**args)["Parts"]
        equal([(p["PartNumber"], p["ETag"], p["Size"]) for p in listed],
              [(3, etag1, 5 * MIB), (7, etag2, 1000)])
        page = c.list_parts(MaxParts=1, **args)
        equal((page["IsTruncated"], page["NextPartNumberMarker"]), (True, 3))
        equal([u["Key"] for u in c.list_multipart_uploads(Bucket="b")["Uploads"]], ["m"])

        def complete(*parts, **more):
            return c.complete_multipart_upload(MultipartUpload={"Parts": [
                {"PartNumber": n, "ETag": e} for n, e in parts]}, **args, **more)

        fails("InvalidPartOrder", 400, complete, (7, etag2), (3, etag1))
        fails("InvalidPart", 400, complete, (3, etag2), (7, etag2))
        fails("InvalidPart", 400, complete, (4, etag1))
        fails("EntityTooSmall", 400, lambda: (
            c.upload_part(PartNumber=8, Body=b"tail", **args),
            complete((7, etag2), (8, '"' + hashlib.md5(b"tail").hexdigest() + '"'))))
        got = complete((3, etag1), (7, etag2))
        md5s = hashlib.md5(first).digest() + hashlib.md5(second).digest()
        equal(got["ETag"], '"' + hashlib.md5(md5s).hexdigest() + '-2"')
        whole = c.get_object(Bucket="b", Key="m")
        equal((whole["Body"].read(), whole["Metadata"], whole["ContentType"]),
              (first + second, {"a": "1"}, "x/y"))
        dumps = [s.lines("dump", bucket="b", md5_max=5 * MIB + n)[0] for n in (999, 1000)]
        equal([d.get("md5") for d in dumps], [None, hashlib.md5(first + second).hexdigest()])
        fails("NoSuchUpload", 404, complete, (3, etag1))
        # A copy of it is one part.
        copy = c.copy_object(Bucket="b", Key="c", CopySource="b/m")["CopyObjectResult"]["ETag"]
        equal(copy, '"' + hashlib.md5(first + second).hexdigest() + '"')
        up = c.create_multipart_upload(Bucket="b", Key="m2")
        args.update(Key="m2", UploadId=up["UploadId"])
        got = c.upload_part_copy(PartNumber=1, CopySource="b/m", **args)
        etag1 = got["CopyPartResult"]["ETag"]
        got = c.upload_part_copy(PartNumber=2, CopySource="b/m", CopySourceRange="bytes=5-104",
                                 CopySourceIfMatch=whole["ETag"], **args)
        etag2 = got["CopyPartResult"]["ETag"]
        equal(etag2, '"' + hashlib.md5(first[5:105]).hexdigest() + '"')
        size = 5 * MIB + 1000
        fails("InvalidArgument", 400, c.upload_part_copy, PartNumber=2, CopySource="b/m",
              CopySourceRange=f"bytes=0-{size}", **args)
        fails("PreconditionFailed", 412, c.upload_part_copy, PartNumber=2, CopySource="b/m",
              CopySourceIfMatch='"x"', **args)
        fails("InvalidArgument", 400, c.upload_part, PartNumber=10001, **args)
        complete((1, etag1), (2, etag2))
        equal(c.get_object(Bucket="b", Key="m2")["Body"].read(), first + second + first[5:105])
        up = c.create_multipart_upload(Bucket="b", Key="m3")
        c.abort_multipart_upload(Bucket="b", Key="m3", UploadId=up["UploadId"])
        fails("NoSuchUpload", 404, c.abort_multipart_upload, Bucket="b", Key="m3",
              UploadId=up["UploadId"])
        equal(c.list_multipart_uploads(Bucket="b").get("Uploads"), None)


@test
def huge_objects():
    with Server() as s:
        c = s.client()
        size = 6 << 30
        s.control("POST", "seed", {"bucket": "b", "prefix": "", "count": 1, "size": size,
                                   "pattern": "huge%d"})
        e = fails("InvalidRequest", 400, c.copy_object, Bucket="b", Key="x", CopySource="b/huge0")
        assert "5368709120" in e["Error"]["Message"]
        up = c.create_multipart_upload(Bucket="b", Key="x")
        args = {"Bucket": "b", "Key": "x", "UploadId": up["UploadId"]}
        fails("InvalidRequest", 400, c.upload_part_copy, PartNumber=1, CopySource="b/huge0", **args)
        parts = []
        for n, (a, z) in enumerate([(0, 4 << 30), (4 << 30, size)], 1):
            got = c.upload_part_copy(PartNumber=n, CopySource="b/huge0",
                                     CopySourceRange=f"bytes={a}-{z - 1}", **args)
            parts.append({"PartNumber": n, "ETag": got["CopyPartResult"]["ETag"]})
        c.complete_multipart_upload(MultipartUpload={"Parts": parts}, **args)
        equal(c.head_object(Bucket="b", Key="x")["ContentLength"], size)
        where = f"bytes={(4 << 30) - 50}-{(4 << 30) + 49}"
        equal(c.get_object(Bucket="b", Key="x", Range=where)["Body"].read(),
              c.get_object(Bucket="b", Key="huge0", Range=where)["Body"].read())
