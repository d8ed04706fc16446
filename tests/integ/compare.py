"""tests/integ/compare.py: what the mounts of a test show is what S3 holds: see compare_with_s3()
in lib.sh. `s3.py compare DIR` runs it; it prints what differs, and exits with 1.

S3 is asked without the mount: s3d by its control URL (/-/dump), another server through boto3.
Compared are names and kinds of all objects, unless they are more than NAMES_MAX, and sizes,
contents and metadata (mode, owner, time, extended attributes, where links point to) of LOOKS_MAX
of them, evenly spread; contents of up to CONTENT_MAX bytes, CONTENTS_MAX in all.
"""
import base64
import ctypes
import hashlib
import http.client
import json
import os
import re
import signal
import ssl
import stat
import struct
import sys
import time
import urllib.parse

import keys

NAMES_MAX, LOOKS_MAX = 20000, 200
CONTENT_MAX, CONTENTS_MAX = 16 << 20, 48 << 20
# What others have changed is seen after metadata_ttl, which is a second.
SETTLED_S = 3
HANGS_S = 60
# What was written here shows when, and not when S3 had it; renames keep that, too.
TESTS_LAST_S = 600
SHOWN_MAX = 20
ALL_BUCKETS = b"all-buckets"
LIBC = ctypes.CDLL(None, use_errno=True)


class Object:
    def __init__(self, key, size, modified_s, md5, meta, archived=False):
        self.key, self.size, self.modified_s = key, size, modified_s
        self.md5, self.meta, self.archived = md5, meta, archived

    def __len__(self):  # for keys.model()
        return self.size


# ---- S3 ----------------------------------------------------------------------------------------

class S3d:
    """The test server, which gives all of it in one answer."""

    def __init__(self, endpoint):
        url = urllib.parse.urlsplit(endpoint)
        if url.scheme == "https":
            context = ssl._create_unverified_context()
            self.http = http.client.HTTPSConnection(url.netloc, timeout=10, context=context)
        else:
            self.http = http.client.HTTPConnection(url.netloc, timeout=10)

    def ask(self, method, target, body=None):
        try:
            self.http.request(method, target, body)
            answer = self.http.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as e:
            sys.exit(f"FAILED: the server does not answer: {e!r}")
        if answer.status not in (200, 404):
            sys.exit(f"FAILED: {method} {target}: {answer.status} {text!r}")
        return text if answer.status == 200 else b""

    def release(self):
        """Whatever the test has done to it: it serves all requests again, at once."""
        self.ask("POST", "/-/latency", '{"*":0}')
        self.ask("POST", "/-/rate", '{"write":0,"read":0}')
        self.ask("DELETE", "/-/faults")

    def objects(self, bucket, prefix):
        query = {"bucket": bucket, "prefix": prefix, "md5_max": CONTENT_MAX}
        dump = self.ask("GET", "/-/dump?" + urllib.parse.urlencode(query))
        for line in dump.splitlines():
            o = json.loads(line)
            meta = {n.lower()[11:]: v for n, v in o["meta"].items()
                    if n.lower().startswith("x-amz-meta-")}
            key = o["key"].encode("utf-8", "surrogateescape")
            yield Object(key, o["size"], o["mtime_ms"] / 1000, o.get("md5"), meta,
                         o["storage_class"] in ("GLACIER", "DEEP_ARCHIVE"))


class Boto:
    """Another server. Metadata and contents are asked for where they are compared."""

    def __init__(self, client):
        self.client = client

    def release(self):
        pass

    def objects(self, bucket, prefix):
        pages = self.client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=os.fsdecode(bucket), Prefix=os.fsdecode(prefix)):
            for o in page.get("Contents", []):
                md5 = o["ETag"].strip('"')
                yield Object(os.fsencode(o["Key"]), o["Size"], o["LastModified"].timestamp(),
                             None if "-" in md5 else md5, None)

    def complete(self, bucket, o):
        key, bucket = os.fsdecode(o.key), os.fsdecode(bucket)
        o.meta = self.client.head_object(Bucket=bucket, Key=key)["Metadata"]
        if not o.md5 and o.size <= CONTENT_MAX:
            body = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
            o.md5 = hashlib.md5(body).hexdigest()


# ---- metadata: the texts of src/ns/ns_meta_format.c --------------------------------------------

def mode_of(text):
    """A mode, or None where it makes no sense."""
    types = (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
    if re.fullmatch("0|[1-9][0-9]*", text) and int(text) < 65536 and \
            stat.S_IFMT(int(text)) in types:
        return int(text)
    if re.fullmatch("0[0-7]+", text) or \
            re.fullmatch("[0-7]+", text) and stat.S_IFMT(int(text, 8)) in types[1:]:
        return int(text, 8)
    return None


def id_of(text):
    return int(text) if re.fullmatch("[0-9]{1,18}", text) and int(text) < 2**32 - 1 else None


def mtime_of(text):
    """(seconds, nanoseconds), or None."""
    m = re.fullmatch(r"(-?)([0-9]{1,12})(?:\.([0-9]*))?", text)
    if not m:
        return None
    ns = int(m[2]) * 10**9 + int(((m[3] or "") + "0" * 9)[:9])
    return divmod(-ns if m[1] else ns, 10**9)


def xattrs_of(text):
    try:
        values = json.loads(urllib.parse.unquote(text))
        return {n: base64.b64decode(v) for n, v in values.items() if n.startswith("user.")}
    except (ValueError, AttributeError):
        return None


def is_link(o):
    mode = mode_of(o.meta.get("mode", ""))
    return mode is not None and stat.S_ISLNK(mode) and 0 < o.size < 4096


# ---- the mount ---------------------------------------------------------------------------------

def mounts(below):
    """(mount point, source, options) of those of s3bulkfs, and all mount points."""
    found, points = [], set()
    with open("/proc/self/mountinfo", "rb") as f:
        for line in f:
            fields = [re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), w)
                      for w in line.split()]
            point, dash = fields[4], fields.index(b"-")
            points.add(point)
            found = [m for m in found if m[0] != point]
            if fields[dash + 1] == b"fuse.s3bulkfs" and point.startswith(below + b"/"):
                found.append((point, fields[dash + 2], fields[dash + 3]))
    return found, points


def walk(top, points):
    """{path below top: "d", "f" or "l"} as directories say; other mounts have no path."""
    found, todo = {b"": "d"}, [b""]
    while todo:
        above = todo.pop()
        with os.scandir(os.path.join(top, above)) as entries:
            for e in entries:
                path = os.path.join(above, e.name)
                if e.path in points:
                    continue
                is_dir = e.is_dir(follow_symlinks=False)
                found[path] = "d" if is_dir else "l" if e.is_symlink() else "f"
                if is_dir:
                    todo.append(path)
    return found


def asked(path):
    """Mode, uid, gid, mtime as the mount says, and not the kernel (statx(2))."""
    buf = ctypes.create_string_buffer(256)
    nofollow, force_sync = 0x100, 0x2000
    if LIBC.statx(-100, path, nofollow | force_sync, 0x7ff, buf):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    uid, gid, mode = struct.unpack_from("=IIH", buf, 20)
    return mode, uid, gid, struct.unpack_from("=qI", buf, 112)


def looked(path):
    """Makes the mount look at the object: a listing does not tell its metadata."""
    try:
        os.getxattr(path, b"user.nothing", follow_symlinks=False)
    except OSError:
        pass


# ---- comparison --------------------------------------------------------------------------------

class Comparison:
    """Of one mount of `bucket`:/`prefix`. The sum of what was compared is left in `counts`."""

    def __init__(self, s3, top, bucket, prefix, points):
        self.s3, self.top, self.bucket, self.prefix, self.points = s3, top, bucket, prefix, points
        self.counts = [0, 0, 0]

    def objects(self):
        found = {o.key[len(self.prefix):]: o for o in self.s3.objects(self.bucket, self.prefix)}
        files, directories = keys.model(found)
        hidden = [p[len(self.top) + 1:] for p in self.points if p.startswith(self.top + b"/")]

        def is_seen(path):
            return not any(path == h or path.startswith(h + b"/") for h in hidden)

        self.files = {p: o for p, o in files.items() if is_seen(p)}
        self.directories = {p: found.get(k + b"/") for p, k in directories.items() if is_seen(p)}
        if b"" in found:
            self.directories[b""] = found[b""]

    def differences(self):
        self.objects()
        wanted = dict.fromkeys([b"", *self.directories], "d") | dict.fromkeys(self.files, "f")
        # Of very many each that is looked at is asked for by its name.
        seen = walk(self.top, self.points) if len(wanted) <= NAMES_MAX else wanted
        self.counts = [len(seen) - 1 if seen is not wanted else 0, 0, 0]
        for path in sorted(wanted.keys() | seen.keys()):
            a, b = wanted.get(path), seen.get(path)
            if not b:
                yield f"{path!r} is in S3, and not shown"
            elif not a:
                yield f"{path!r} is shown ({b}), and not in S3"
            elif (a == "d") != (b == "d"):
                yield f"{path!r}: {a} in S3, shown as {b}"
        both = sorted(p for p in wanted if p in seen and (wanted[p] == "d") == (seen[p] == "d"))
        yield from self.details(both[:: len(both) // LOOKS_MAX + 1], seen)

    def details(self, paths, seen):
        usual, budget = {}, CONTENTS_MAX
        for path in paths:
            o = self.files.get(path, self.directories.get(path))
            if o is not None and o.meta is None:
                self.s3.complete(self.bucket, o)
            self.counts[1] += 1
            try:
                about = list(self.metadata(path, o, usual))
                if path in self.files:
                    about += self.content(path, o, seen[path], o.size <= budget)
                    budget -= o.size
            except OSError as e:
                about = [f"{e.strerror} ({e.errno})"]
            yield from (f"{path!r}: {text}" for text in about)

    def metadata(self, path, o, usual):
        """`usual`: the attributes of those that have none in S3, which are all alike."""
        full, meta = os.path.join(self.top, path), o.meta if o is not None else {}
        is_file = path in self.files
        if is_file and o.key.endswith(b"/"):
            return  # the content of a directory's object
        looked(full)
        mode, uid, gid, mtime = asked(full)
        wanted = mode_of(meta.get("mode", ""))
        pairs = [("mtime", mtime_of(meta.get("mtime", "")), mtime)]
        if not is_file or not is_link(o):
            pairs.append(("mode", None if wanted is None else stat.S_IMODE(wanted),
                          stat.S_IMODE(mode)))
        for name, shown in ("uid", uid), ("gid", gid):
            pairs.append((name, id_of(meta.get(name, "")), shown))
        if is_file and not pairs[0][1] and abs(mtime[0] - o.modified_s) > TESTS_LAST_S:
            yield f"no mtime in S3, stored at {o.modified_s}, shown {mtime}"
        for name, stored, shown in pairs:
            if stored is None and is_file and name != "mtime":
                stored = usual.setdefault(name, shown)
            if stored is not None and stored != shown:
                form = "{:o}" if name == "mode" else "{}"
                yield f"{name} {form.format(stored)} in S3, shown {form.format(shown)}"
        if is_file and is_link(o):
            return
        xattrs = xattrs_of(meta["xattr"]) if "xattr" in meta else {}
        shown = {n: os.getxattr(full, n) for n in os.listxattr(full)}
        if xattrs is not None and xattrs != shown:
            yield f"xattr {xattrs} in S3, shown {shown}"

    def content(self, path, o, kind, is_read):
        full = os.path.join(self.top, path)
        st = os.lstat(full)
        if stat.S_ISLNK(st.st_mode):
            target = os.readlink(full)
            if not is_link(o) or hashlib.md5(target).hexdigest() != o.md5:
                yield f"a link to {target!r}, and not in S3"
            return
        if is_link(o) or kind == "l":
            yield f"{'a link' if is_link(o) else 'a file'} in S3, shown as another kind"
        elif st.st_size != o.size:
            yield f"size {o.size} in S3, shown {st.st_size}"
        elif is_read and o.md5 and not o.archived:
            self.counts[2] += 1
            with open(full, "rb") as f:
                if hashlib.md5(f.read(o.size + 1)).hexdigest() != o.md5:
                    yield "another content in S3"


def compare_one(s3, top, bucket, prefix, points):
    start = time.monotonic()
    while True:
        c = Comparison(s3, top, bucket, prefix, points)
        try:
            found = list(c.differences())
        except OSError as e:
            found = [f"{e.strerror} ({e.errno}): {e.filename!r}"]
        if not found or time.monotonic() > start + SETTLED_S:
            break
    about = f"{os.fsdecode(top)} and {os.fsdecode(bucket)}:/{os.fsdecode(prefix)}"
    if found:
        print(f"FAILED: the mount {about} differ:")
        print("\n".join("  " + line for line in found[:SHOWN_MAX]))
        if len(found) > SHOWN_MAX:
            print(f"  and {len(found) - SHOWN_MAX} more")
    else:
        ms = (time.monotonic() - start) * 1000
        print("# the same: {}: {} names, {} looked at, {} read ({:.0f} ms)".format(
            about, *c.counts, ms))
    return not found


def compare_mount(s3, mount, points):
    top, source, _ = mount
    try:
        fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as e:
        print(f"FAILED: the mount {os.fsdecode(top)}: {e.strerror}")
        return False
    try:
        os.fsync(fd)  # waits for what is pending
    except OSError:
        pass  # what has failed is to be seen like everything else
    os.close(fd)
    if source != ALL_BUCKETS:
        bucket, _, prefix = source.partition(b":/")
        prefix = prefix.strip(b"/")
        return compare_one(s3, top, bucket, prefix + b"/" if prefix else b"", points)
    same = True
    for bucket in sorted(os.listdir(top)):
        # A server that tests share has the buckets of others, too.
        if os.environ["SERVER"] != "s3d" and not bucket.startswith(os.environb[b"BUCKET"]):
            continue
        same &= compare_one(s3, os.path.join(top, bucket), bucket, b"", points)
    return same


def as_owner(mount, function):
    """Only the one who has mounted it gets in, not even root (allow_other in fuse(8))."""
    named = [re.search(n + rb"=(\d+)", mount[2]) for n in (b"user_id", b"group_id")]
    ids = [int(n[1]) if n else 0 for n in named]
    if os.geteuid() or not any(ids) or b"allow_other" in mount[2]:
        return function()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.setresgid(ids[1], ids[1], ids[1])
            os.setresuid(ids[0], ids[0], ids[0])
            code = 0 if function() else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def endpoint_of(mount):
    """Where S3 is, as mount_shared in shared.sh has noted it, or as the test says now."""
    try:
        with open(mount[0] + b".endpoint", encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        return os.environ["S3_ENDPOINT"]


def hangs(*_):
    """Shows where; a call that cannot be interrupted ends with the process."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(HANGS_S)
    raise RuntimeError(f"no answer within {HANGS_S} s")


def main(client, work):
    signal.signal(signal.SIGALRM, hangs)
    signal.alarm(HANGS_S)
    found, points = mounts(os.fsencode(work))
    if not found or "S3_ENDPOINT" not in os.environ:
        print("# not compared: no mount")
        return
    same, servers = True, {}
    for endpoint in map(endpoint_of, found):
        is_s3d = os.environ["SERVER"] == "s3d"
        servers[endpoint] = S3d(endpoint) if is_s3d else Boto(client())
        servers[endpoint].release()
    for mount in found:
        s3 = servers[endpoint_of(mount)]
        same &= as_owner(mount, lambda m=mount, s=s3: compare_mount(s, m, points))
    sys.exit(0 if same else 1)
