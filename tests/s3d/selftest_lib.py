"""What the tests of s3d share: a server to test, clients, checks. See selftest.py."""
import base64
import hashlib
import http.client
import json
import os
import random
import subprocess
import sys
import urllib.parse

import boto3
import botocore.exceptions
from botocore.config import Config

S3D = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("S3D", "tests/s3d/s3d")
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32)
RNG = random.Random(SEED)
TESTS = []
MIB = 1 << 20


def test(fn):
    TESTS.append(fn)
    return fn


def equal(got, want):
    if got != want:
        raise AssertionError(f"got {repr(got)[:1000]}, wanted {repr(want)[:1000]}")


class Server:
    """One s3d with a bucket `b`, ended with the block."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        self.proc = subprocess.Popen(
            [S3D, "--bucket", "b", "--die-with-parent", *self.options],
            stdout=subprocess.PIPE, text=True)
        line = self.proc.stdout.readline()
        assert line.startswith("listening on http"), f"s3d said: {line!r}"
        self.url = line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    def __exit__(self, *_):
        self.proc.terminate()
        self.proc.stdout.close()
        status = self.proc.wait()
        if sys.exc_info()[0] is None:
            equal(status, 0)

    def client(self, key="s3dkey", secret="s3dsecret", region="us-east-1", style="path", **more):
        config = Config(s3={"addressing_style": style}, retries={"total_max_attempts": 1},
                        proxies={}, read_timeout=20)
        return boto3.client("s3", endpoint_url=self.url, aws_access_key_id=key,
                            aws_secret_access_key=secret, region_name=region, config=config,
                            **more)

    def raw(self, method, path, body=None, headers=None):
        """(status, headers, body) of one unsigned request on a connection of its own."""
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            conn.request(method, path, body, headers or {})
            answer = conn.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            conn.close()

    def control(self, method, path, value=None, **query):
        body = value if isinstance(value, (bytes, type(None))) else json.dumps(value)
        if query:
            path += "?" + urllib.parse.urlencode(query)
        status, _, text = self.raw(method, "/-/" + path, body)
        assert status in (200, 204), f"{path}: {status} {text!r}"
        return text

    def stats(self):
        return json.loads(self.control("GET", "stats"))

    def lines(self, path, **query):
        text = self.control("GET", path, **query).decode()
        return [json.loads(line) for line in text.splitlines()]

    def keys(self):
        return [o["key"] for o in self.lines("dump", bucket="b")]


def fails(code, status, fn, *args, **kwargs):
    """The call must fail with this code (or any of a tuple) and status."""
    try:
        fn(*args, **kwargs)
    except botocore.exceptions.ClientError as e:
        got = e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]
        equal(got, (code, status))
        return e.response
    raise AssertionError(f"did not fail with {code}")


def refused(fn, *args, **kwargs):
    """The call must fail without an S3 error: a closed or cut connection."""
    try:
        fn(*args, **kwargs)
    except botocore.exceptions.ClientError as e:
        raise AssertionError(f"an answer came: {e}") from e
    except (botocore.exceptions.BotoCoreError, http.client.HTTPException, OSError):
        return
    raise AssertionError("did not fail")


def random_keys(count):
    parts = ["a", "b", "a b", "c+d", "é", "%41", "&<>", "~*()!'", "z" * 40, "-",
             "\x7f", "日本", ""]
    delimiters = ["/", "/", "/", "//", "--"]
    keys = set()
    while len(keys) < count:
        key = ""
        for _ in range(RNG.randrange(1, 5)):
            key += RNG.choice(parts) + RNG.choice(delimiters)
        key = key[:-1] if RNG.random() < 0.7 else key
        if key:
            keys.add(key + str(RNG.randrange(50)) if RNG.random() < 0.5 else key)
    return sorted(keys, key=str.encode)


def delete_xml(keys, quiet=False):
    inner = "".join(f"<Object><Key>{k}</Key></Object>" for k in keys)
    return f"<Delete><Quiet>{str(quiet).lower()}</Quiet>{inner}</Delete>".encode()


def md5_header(body):
    return {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
