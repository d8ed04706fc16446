#!/usr/bin/python3
"""names.py SEED ROUNDS: any keys, through a mount and back, as doc/semantics.md says.

Each round makes random keys in $BUCKET of the test server $S3_ENDPOINT, which does not ask for
signatures, and mounts it on $MNT. It prints the seed and the keys.
"""
import http.client
import os
import random
import re
import subprocess
import sys
import urllib.parse

from keys import model

BUCKET, MNT = os.environ["BUCKET"], os.fsencode(os.environ["MNT"])
HOST = urllib.parse.urlsplit(os.environ["S3_ENDPOINT"]).netloc
TOKENS = [b"a", b"a", b"b", b"%", b"%:", b"%=", b".", b"..", b"", b"\n", b"\r", b"\x01", b" ", b"+",
          b"&<", b"x" * 260, b"~*?#", b"%25", b"%00", b"\\", b"\0", b"\xc3\xa9", b"\xff",
          b"\xed\xa0\x80"]


# ---- the bucket, by plain HTTP -----------------------------------------------------------------

class Bucket:
    def __init__(self):
        self.http = http.client.HTTPConnection(HOST)

    def ask(self, method, target, body=None):
        self.http.request(method, target, body)
        answer = self.http.getresponse()
        text = answer.read()
        if answer.status // 100 != 2:
            sys.exit(f"FAILED: {method} {target}: {answer.status} {text!r}")
        return text

    def target(self, key):
        return f"/{BUCKET}/" + urllib.parse.quote(key, safe="")

    def put(self, key, body):
        self.ask("PUT", self.target(key), body)

    def keys(self):
        """Every key with its content."""
        found, after = {}, ""
        while True:
            text = self.ask("GET", f"/{BUCKET}?list-type=2&encoding-type=url{after}").decode()
            for key in re.findall("<Contents>.*?<Key>(.*?)</Key>", text, re.S):
                key = urllib.parse.unquote_to_bytes(key.replace("+", "%20"))
                found[key] = self.ask("GET", self.target(key))
            token = re.search("<NextContinuationToken>(.*?)<", text)
            if not token:
                return found
            after = "&continuation-token=" + urllib.parse.quote(token.group(1), safe="")

    def empty(self):
        for key in self.keys():
            self.ask("DELETE", self.target(key))


# ---- through the mount -------------------------------------------------------------------------

def seen():
    """Files and directories, as model() says."""
    files, directories = {}, set()

    def raises(error):
        raise error

    for where, dirs, names in os.walk(MNT, onerror=raises):
        below = where[len(MNT) + 1:]
        directories.update(os.path.join(below, d) for d in dirs)
        for name in names:
            with open(os.path.join(where, name), "rb") as f:
                files[os.path.join(below, name)] = f.read()
    return files, directories


# ---- a round -----------------------------------------------------------------------------------

def random_keys(rng):
    keys = {}
    for _ in range(rng.randint(1, 25)):
        key = b"/".join(
            b"".join(rng.choices(TOKENS, k=rng.randint(1, 2))) for _ in range(rng.randint(1, 4))
        )
        if key and len(key) <= 1000:
            marker = key.endswith(b"/") and rng.random() < 0.7
            keys[key] = b"" if marker else b"%d %d" % (len(key), rng.randint(0, 999))
    return keys


def mount():
    options = "private,no_sign_request,endpoint_url=" + os.environ["S3_ENDPOINT"]
    subprocess.run([os.environ["S3BULKFS"], "-o", options, BUCKET, MNT], check=True)


def umount():
    subprocess.run([os.environ["CTL"], "umount", MNT], check=True)


def check(what, wanted, got):
    if wanted == got:
        return
    print(f"FAILED: {what}")
    for kind, a, b in zip(("files", "directories"), wanted, got):
        only = [sorted(set(x) - set(y)) for x, y in ((a, b), (b, a))]
        print(f"  {kind} that should be there: {only[0]}\n  and should not: {only[1]}")
        if isinstance(a, dict):
            print("  of other content:", [n for n in a if n in b and a[n] != b[n]])
    sys.exit(1)


def one_round(rng, bucket):
    keys = random_keys(rng)
    print(f"keys {sorted(keys)}")
    for key, content in keys.items():
        bucket.put(key, content)
    files, directories = model(keys)
    directories = set(directories)

    # Listed, and read; then each by its name alone, which nobody has listed.
    mount()
    got = seen()
    check("what is listed", (files, directories), got)
    umount()
    mount()
    for path, content in rng.sample(sorted(files.items()), len(files)):
        with open(os.path.join(MNT, path), "rb") as f:
            if f.read() != content:
                sys.exit(f"FAILED: what {path} holds")
    for path in directories:
        if not os.path.isdir(os.path.join(MNT, path)):
            sys.exit(f"FAILED: {path} is no directory")
    # Removed, each by its name, and all that is left by rm -r.
    some = rng.sample(sorted(files), len(files) // 2)
    for path in some:
        os.unlink(os.path.join(MNT, path))
    umount()
    kept = bucket.keys()
    left = {p: c for p, c in model(kept)[0].items()}
    check("what is left in S3", ({p for p in files if p not in some}, set()), (set(left), set()))
    mount()
    tops = sorted(os.path.join(MNT, n) for n in os.listdir(MNT))
    if tops:
        subprocess.run([b"rm", b"-r", b"--", *tops], check=True)
    umount()
    check("after rm -r", ({}, set()), (bucket.keys(), set()))

    # Made through the mount: the same keys.
    mount()
    for path in sorted(directories, key=lambda d: d.count(b"/")):
        os.mkdir(os.path.join(MNT, path))
    for path, content in files.items():
        with open(os.path.join(MNT, path), "wb") as f:
            f.write(content)
    umount()
    check("files that were made", (files, set()), (model(bucket.keys())[0], set()))
    mount()
    check("what is listed of what was made", (set(files), directories), tuple(map(set, seen())))
    # And copied, with all that is in them.
    source = os.path.join(MNT, b"source")
    if tops and not os.path.exists(source):
        os.mkdir(source)
        for name in os.listdir(MNT):
            if name != b"source":
                os.rename(os.path.join(MNT, name), os.path.join(source, name))
        subprocess.run([b"cp", b"-r", source, os.path.join(MNT, b"copy")], check=True)
        umount()
        whole = model(bucket.keys())[0]
        for below in (b"source/", b"copy/"):
            part = {p[len(below):]: c for p, c in whole.items() if p.startswith(below)}
            check(f"files in {below}", (files, set()), (part, set()))
        mount()
    umount()
    bucket.empty()


def main(seed, rounds):
    bucket = Bucket()
    for n in range(rounds):
        print(f"seed {seed + n}")
        one_round(random.Random(seed + n), bucket)


main(int(sys.argv[1]), int(sys.argv[2]))
