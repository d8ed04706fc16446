"""Tests of s3d: checksums that are kept, and bytes that are damaged on their way."""
import base64
import hashlib
import urllib.parse
import zlib

from selftest_lib import MIB, RNG, Server, equal, md5_header, test


@test
def checksums_are_kept():
    with Server("--no-auth") as s:
        body = RNG.randbytes(5 * MIB + 9)
        crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
        ask = {"x-amz-checksum-mode": "ENABLED"}

        def sums(key, headers=None):
            got = s.raw("HEAD", "/b/" + key, headers=ask if headers is None else headers)[1]
            return {k: v for k, v in got.items() if k.startswith("x-amz-checksum-")}

        whole = {"x-amz-checksum-crc32": crc, "x-amz-checksum-type": "FULL_OBJECT"}
        equal(s.raw("PUT", "/b/k", body, {"x-amz-checksum-crc32": crc})[0], 200)
        equal(sums("k"), whole)
        equal(sums("k", {}), {})
        equal(sums("k", {**ask, "Range": "bytes=0-"}), {})
        for directive in "COPY", "REPLACE":
            equal(s.raw("PUT", "/b/d", headers={"x-amz-copy-source": "b/k",
                                                "x-amz-metadata-directive": directive})[0], 200)
            equal(sums("d"), whole)
        c = s.client()

        def begin(algorithm):
            named = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": "FULL_OBJECT"}
            text = s.raw("POST", "/b/m?uploads", b"", named if algorithm else {})[2].decode()
            return text.partition("<UploadId>")[2].partition("</UploadId>")[0]

        for algorithm, header in ("CRC32", "crc32"), ("CRC32C", "crc32c"), (None, "crc32"):
            up = begin(algorithm)
            where = "/b/m?" + urllib.parse.urlencode({"partNumber": 1, "uploadId": up})
            status, _, text = s.raw("PUT", where, body, {"x-amz-checksum-crc32": crc})
            if algorithm != "CRC32":
                equal((status, b"<Code>InvalidRequest</Code>" in text), (400, True))
                status = s.raw("PUT", where, body)[0]
            equal(status, 200)
            c.complete_multipart_upload(
                Bucket="b", Key="m", UploadId=up, MultipartUpload={"Parts": [
                    {"PartNumber": 1, "ETag": hashlib.md5(body).hexdigest()}]})
            equal(list(sums("m")) if algorithm else sums("m"),
                  ["x-amz-checksum-" + header, "x-amz-checksum-type"] if algorithm else {})
        up = begin("CRC32")
        part = c.upload_part_copy(Bucket="b", Key="m", UploadId=up, PartNumber=1,
                                  CopySource="b/k")
        c.complete_multipart_upload(
            Bucket="b", Key="m", UploadId=up, MultipartUpload={"Parts": [
                {"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]})
        equal(sums("m"), whole)


@test
def bytes_are_damaged():
    with Server("--no-auth") as s:
        body = bytes(range(100))
        bad = body[:7] + bytes([body[7] ^ 1]) + body[8:]
        s.control("POST", "faults", {"op": "PutObject", "flip": 7, "times": 1})
        equal(s.raw("PUT", "/b/short", b"1234567")[0], 200)
        equal(s.raw("GET", "/b/short")[2], b"1234567")
        equal(s.raw("PUT", "/b/k", body, md5_header(body))[0], 400)
        equal(s.raw("PUT", "/b/k", body, md5_header(body))[0], 200)
        equal(s.raw("GET", "/b/k")[2], body)
        s.control("POST", "faults", {"op": "*Object", "flip": 7})
        equal(s.raw("GET", "/b/k")[2], bad)
        equal(s.raw("PUT", "/b/l", body)[0], 200)
        s.control("DELETE", "faults")
        equal(s.raw("GET", "/b/l")[2], bad)
        large = RNG.randbytes(MIB)
        equal(s.raw("PUT", "/b/l", large)[0], 200)
        s.control("POST", "faults", {"op": "GetObject", "flip": 700000,
                                     "header": "x-amz-checksum-mode"})
        equal(s.raw("GET", "/b/l")[2], large)
        got = s.raw("GET", "/b/l", headers={"x-amz-checksum-mode": "ENABLED"})[2]
        equal([i for i in range(MIB) if got[i] != large[i]], [700000])
