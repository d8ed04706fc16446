#!/usr/bin/python3
"""tests/integ/faults.py: a shell command on a mount while S3 fails in a chosen way.

  faults.py once | always | walks | baseline [PATTERN]

Each case is COMMAND:OPERATION:FAULT of the tables below; PATTERN (fnmatch) chooses some, so that
one can be run alone. `once`: the fault strikes one request; `always`: each; `walks`: each with a
probability of one in ten, drawn from a seed that is printed (FAULT_SEED to repeat it). `baseline`
runs the commands without a fault and prints their requests.

What must hold, as S3 itself shows it afterwards:
  - the command ends, within BOUND_S, and exits 0 only when all of it is done: the objects are those
    that it was to make, byte by byte, or it has printed what it was to read;
  - else its errno fits the fault, each object has its old content or its new one, whole, and what
    was to be moved is at one of its two places;
  - what another attempt may mend, and which struck one request only, has not made it fail;
  - no multipart upload is left open, unless S3 refused to abort it or never told its name;
  - what changes something (ONE_TRY) and was refused for good (403, 404) is not sent again; 412 is
    ESTALE, for which the kernel makes the call once more;
  - afterwards the mount works and shows what is in S3.

Environment: S3BULKFS, S3D (programs), WORK (a directory), FAULT_JOBS (default 24).
"""
import fnmatch
import hashlib
import http.client
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

TIMEOUT_S = 5  # -o timeout=
BOUND_S = 60  # a command that takes longer hangs; each of its calls may take some TIMEOUT_S
LARGE = 11 << 20

EIO = "Input/output error"
EACCES = "Permission denied"
ESTALE = "Stale file handle"
EBUSY = "Device or resource busy"
ENOENT = "No such file or directory"
# What coreutils say when a read of theirs ended early.
GONE = ("No data available", "Directory not empty", "File exists", "Is a directory")

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 8}">' for a, b in ("ab", "bc", "cd", "de", "ef"))
    + "]><a>&f;</a>"
)

# What was removed may be gone, though no answer said so.
LOST = (EIO, ENOENT)
# Faults: rule of s3d; errnos of a command that fails; M: another attempt may mend it, A: the
# answer's body is spoiled (operations whose answers have none have been carried out all the same).
FAULTS = {
    "503": ({"status": 503, "code": "ServiceUnavailable"}, (EIO,), "M"),
    "slowdown200": ({"in200": True, "code": "SlowDown"}, (EIO,), "M"),
    "500": ({"status": 500, "code": "InternalError"}, (EIO,), "M"),
    "403": ({"status": 403, "code": "AccessDenied"}, (EACCES,), ""),
    "404": ({"status": 404, "code": "NoSuchKey"}, (ENOENT, ESTALE, EIO), ""),
    "412": ({"status": 412, "code": "PreconditionFailed"}, (ESTALE,), ""),
    "409": ({"status": 409, "code": "ConditionalRequestConflict"}, (EBUSY,), "M"),
    "error200": ({"in200": True, "code": "InternalError"}, (EIO,), "M"),
    "empty200": ({"empty": True}, (EIO,), "MA"),
    "cut": ({"cut": 7}, LOST, "M"),
    "longer": ({"length": 9}, LOST, "M"),
    "shorter": ({"length": -9}, LOST, "M"),
    "close": ({"close": True}, (EIO,), "M"),
    "after": ({"close": True, "after": True}, LOST, "M"),
    "slow": ({"delay_ms": 300}, (), "M"),
    "hang": ({"hang": True}, (EIO,), "M"),
    "garbage": ({"in200": True, "body": "<<<&garbage\x01"}, (EIO,), "MA"),
    "root": ({"in200": True, "body": "<?xml version='1.0'?><Other>x</Other>"}, (EIO,), "MA"),
    "bomb": ({"in200": True, "body": BOMB}, (EIO,), "MA"),
    "giant": ({"in200": True, "body": "<a>" + "x" * 400, "repeat": 20000}, (EIO,), "MA"),
    # The answer is lost of what was done; who asks again hears that he may not.
    "after403": (
        [{"close": True, "after": True, "times": 1}, {"status": 403, "code": "AccessDenied"}],
        (EACCES, ENOENT),
        "",
    ),
    "expired": ({"status": 400, "code": "ExpiredToken"}, (EACCES,), ""),
    # The server's clock is an hour fast from here on, and right again afterwards.
    "skewed": ([], (), "M"),
}
# What changes something, in commands without a second reason for it: not sent again when refused.
ONE_TRY = ("PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy")
ONE_TRY += ("CompleteMultipartUpload", "DeleteObject", "PutObjectTagging", "AbortMultipartUpload")
# Answers without a document: what is in their place does not matter.
BODILESS = ("PutObject", "UploadPart", "DeleteObject", "AbortMultipartUpload", "PutObjectTagging")
WALK_FAULTS = ("503", "slowdown200", "500", "error200", "empty200", "cut", "close", "after")
WALK_FAULTS += ("garbage", "403")


def content(name):
    """Bytes of a name in the tables: "a" 1,000 bytes, "L" 11 MiB, "L+s" both behind each other."""
    if "+" in name:
        return b"".join(content(n) for n in name.split("+"))
    size = {"L": LARGE, "M": 6 << 20, "e": 0, "k": 20}.get(name, 2000 if name == "s" else 1000)
    return random.Random(name).randbytes(size)


SUMS = {}


def checksum(name):
    if name not in SUMS:
        SUMS[name] = hashlib.md5(content(name)).hexdigest()
    return SUMS[name]


# Commands: what is there before; the command ($D: its directory on the mount, $W: local files s and
# L); what it changes (None: goes); the operations to be spoiled; what it prints. With "mpu" the
# object `big` is made through the mount, as a multipart upload.
SMALL = {"a": "a", "b": "b"}
TREE = {"keep": "k"} | {f"src/{n}": f"k{n[-1]}" for n in ("0", "1", "2", "sub/0", "sub/1", "sub/2")}
LEFT = {k: None for k in TREE if k.startswith("src")}
COPIED = {k.replace("src", "dst"): TREE[k] for k in LEFT}
MOVED = COPIED | LEFT
BIG = {"big": "L"}
COMMANDS = {
    "ls": (SMALL, 'ls "$D"', {}, "ListObjectsV2", "a\nb\n"),
    "stat": (SMALL, 'stat -c %s "$D/a"', {}, "ListObjectsV2 HeadObject", "1000\n"),
    "cat": (SMALL, 'cat "$D/a" | md5sum', {}, "ListObjectsV2 GetObject", checksum("a") + "  -\n"),
    "cat-big": (BIG, 'cat "$D/big" | md5sum', {}, "GetObject", checksum("L") + "  -\n"),
    "write": (SMALL, 'cp "$W/s" "$D/new"', {"new": "s"}, "PutObject HeadObject", None),
    "overwrite": (SMALL, 'cp "$W/s" "$D/a"', {"a": "s"}, "PutObject", None),
    "upload": (
        SMALL,
        'cp "$W/L" "$D/a"',
        {"a": "L"},
        "CreateMultipartUpload UploadPart CompleteMultipartUpload",
        None,
    ),
    "append": (
        BIG,
        'cat "$W/s" >>"$D/big"',
        {"big": "L+s"},
        "CreateMultipartUpload UploadPartCopy UploadPart CompleteMultipartUpload",
        None,
    ),
    "cp": (SMALL, 'cp "$D/a" "$D/new"', {"new": "a"}, "CopyObject", None),
    "cp-over": (SMALL, 'cp "$D/a" "$D/b"', {"b": "a"}, "CopyObject", None),
    "cp-big": (
        BIG,
        'cp "$D/big" "$D/new"',
        {"new": "L"},
        "HeadObject CreateMultipartUpload UploadPartCopy CompleteMultipartUpload",
        None,
    ),
    "cp-r": (TREE, 'cp -r "$D/src" "$D/dst"', COPIED, "CopyObject ListObjectsV2", None),
    "mv": (SMALL, 'mv "$D/a" "$D/new"', {"new": "a", "a": None}, "CopyObject DeleteObjects", None),
    "mv-over": (
        SMALL,
        'mv -f "$D/a" "$D/b"',
        {"b": "a", "a": None},
        "CopyObject DeleteObjects",
        None,
    ),
    "mv-dir": (
        TREE,
        'mv -T "$D/src" "$D/dst"',
        MOVED,
        "ListObjectsV2 CopyObject DeleteObjects",
        None,
    ),
    "rm": (SMALL, 'rm "$D/a"', {"a": None}, "DeleteObjects", None),
    # A key that XML cannot carry.
    "rm-odd": (SMALL | {"a\1": "a"}, 'rm "$D/a\1"', {"a\1": None}, "DeleteObject", None),
    "rm-r": (TREE, 'rm -r "$D/src"', LEFT, "DeleteObjects ListObjectsV2", None),
    "chmod": (SMALL, 'chmod 600 "$D/a" && stat -c %a "$D/a"', {}, "HeadObject CopyObject", "600\n"),
    # Of an object that was uploaded in parts, which a copy onto itself gives another ETag.
    "chmod-mpu": (
        SMALL,
        'cp "$W/M" "$D/new" && chmod 600 "$D/new" && stat -c %a "$D/new"',
        {"new": "M"},
        "CopyObject",
        "600\n",
    ),
    "mkdir": (SMALL, 'mkdir "$D/new"', {"new/": "e"}, "PutObject", None),
    "tag": (SMALL, 'getfattr --only-values -n s3.tag.x "$D/a"', {}, "GetObjectTagging", "1"),
    "tag-set": (
        SMALL,
        'setfattr -n s3.tag.y -v 2 "$D/a" && getfattr --only-values -n s3.tag.y "$D/a"',
        {},
        "PutObjectTagging GetObjectTagging",
        "2",
    ),
    "abort": (SMALL, 'cp "$W/L" "$D/a"', {"a": "L"}, "AbortMultipartUpload", None),
}
# Commands that only look, on mounts of another kind: kind, command, operations, what it prints.
# "was" is the bucket as it was when it held was/a and was/b, "all" are all buckets.
LOOKS = {
    "was-ls": ("was", 'ls "$D/was"', "ListObjectVersions", "a\nb\n"),
    "was-stat": ("was", 'stat -c %s "$D/was/a"', "ListObjectVersions HeadObject", "1000\n"),
    "was-cat": (
        "was",
        'cat "$D/was/a" | md5sum',
        "ListObjectVersions",
        checksum("a") + "  -\n",
    ),
    "all-ls": ("all", 'ls "$D"', "ListBuckets", "b\n"),
}


class Failure(Exception):
    pass


class Server:
    """One s3d and one mount of its bucket; the cases of a worker share them."""

    def __init__(self, number, env=None, kind="plain"):
        self.dir = f"{os.environ['WORK']}/w{number}"
        self.mnt = self.dir + "/mnt"
        os.makedirs(self.mnt)
        key = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        key["AWS_SESSION_TOKEN"] = "token"
        self.s3d = subprocess.Popen(
            [os.environ["S3D"], "--port", "0", "--bucket", "b", "--access-key", "key"]
            + ["--secret-key", "secret", "--session-token", "token", "--no-auth"],
            stdout=subprocess.PIPE,
            stderr=open(self.dir + "/s3d.log", "w"),
            text=True,
        )
        self.url = self.s3d.stdout.readline().split()[-1]
        self.stuck = 0
        self.http = http.client.HTTPConnection(self.url.split("//")[1], timeout=60)
        self.log = open(self.dir + "/daemon.log", "w")
        options = f"endpoint_url={self.url},timeout={TIMEOUT_S},metadata_ttl=0,private"
        options += ",part_size=5M,copy_threshold=8M,copy_part_size=5M,io_threads=1"
        what = ["b", self.mnt]
        if kind == "was":
            for name in ("a", "b"):
                self.put("was/" + name, content(name))
            options += ",version_at=" + time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        elif kind == "all":
            what = ["--all-buckets", self.mnt]
        self.daemon = subprocess.Popen(
            [os.environ["S3BULKFS"], "-f", "-o", options] + what,
            stdout=self.log,
            stderr=self.log,
            env=os.environ | key | (env or {}),
        )
        while not os.path.ismount(self.mnt):
            if self.daemon.poll() is not None:
                raise SystemExit(f"it does not mount: see {self.dir}/daemon.log")
            time.sleep(0.01)

    def ask(self, method, path, body=None, headers=None):
        self.http.request(method, path, body, headers or {})
        answer = self.http.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise Failure(f"s3d: {method} {path}: {answer.status} {data[:200]}")
        return data

    def put(self, key, data):
        path = "/-/put?bucket=b&key=" + urllib.parse.quote(key)
        self.ask("POST", path, data, {"x-amz-tagging": "x=1"})

    def objects(self, prefix):
        """Key below the prefix -> MD5 of its bytes."""
        found = {}
        for line in self.ask("GET", f"/-/dump?bucket=b&prefix={prefix}").splitlines():
            key = json.loads(line)["key"]
            data = self.ask("GET", "/-/put?bucket=b&key=" + urllib.parse.quote(key))
            found[key[len(prefix) :]] = hashlib.md5(data).hexdigest()
        return found

    def stats(self):
        return json.loads(self.ask("GET", "/-/stats"))

    def rest(self, directory):
        """Waits until nothing is on its way any more: fsync of a directory waits for what is
        pending below it. A connection that was closed amid a body stays in_flight (libmicrohttpd
        sees no end of it): what does not go within a second is such a one."""
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        except OSError:
            pass  # it says what the command has said
        os.close(fd)
        end = time.monotonic() + 1
        while (left := self.stats()["in_flight"]) > self.stuck and time.monotonic() < end:
            time.sleep(0.005)
        self.stuck = left

    def uploads(self, prefix):
        return self.ask("GET", f"/b?uploads&prefix={prefix}").count(b"<Upload>")

    def end(self):
        subprocess.run(["umount", self.mnt], check=False)
        try:
            rc = self.daemon.wait(30)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            rc = "none"
        self.s3d.terminate()
        self.s3d.wait()
        return rc


def run_command(text, directory):
    """Exit code, output, seconds. None: it hangs."""
    env = os.environ | {"D": directory, "W": os.environ["WORK"]}
    start = time.monotonic()
    p = subprocess.Popen(
        ["bash", "-c", "set -o pipefail; " + text],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = p.communicate(timeout=BOUND_S)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        p.communicate()
        return None, "", "", time.monotonic() - start
    return p.returncode, out, err, time.monotonic() - start


def check_objects(before, change, after, done):
    """Each object is old or new, and all are new if the command says so."""
    for key in sorted(before.keys() | change.keys() | after.keys()):
        if (not key or key.endswith("/")) and key not in change:
            continue
        old = checksum(before[key]) if key in before else None
        new = (checksum(change[key]) if change[key] else None) if key in change else old
        if after.get(key) not in (old, new):
            raise Failure(f"{key} has neither its old content nor its new one: {after.get(key)}")
        if done and after.get(key) != new:
            raise Failure(f"exit code 0, but {key} is not what it should be in S3")
    for key, to in change.items():
        if not to and not any(n == before[key] for n in change.values()):
            continue  # it is removed
        if not to and checksum(before[key]) not in after.values():
            raise Failure(f"{key} was to be moved and is nowhere: lost")


def check_mount(server, directory, after):
    """The mount shows what is in S3."""
    shown = {}
    for where, _, names in os.walk(directory, onerror=lambda e: shown.update({str(e): e})):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                shown[os.path.relpath(path, directory)] = hashlib.md5(f.read()).hexdigest()
    files = {k: v for k, v in after.items() if k and not k.endswith("/")}
    if shown != files:
        odd = {k for k in shown.keys() | files.keys() if shown.get(k) != files.get(k)}
        raise Failure(f"afterwards the mount shows something else than S3: {sorted(odd)}")


def check_error(err, errnos):
    text = err.strip()
    if not text:
        raise Failure("it failed without a word")
    if not any(e in text for e in errnos + GONE):
        raise Failure(f"the error does not fit: {text[:300]}")


def run_case(server, number, name, mode, seed):
    command, operation, fault = name.split(":")
    before, text, change, _, printed = COMMANDS[command]
    rule, errnos, kind = FAULTS[fault] if fault != "none" else ({}, (), "M")
    prefix = f"c{number}/"
    directory = server.mnt + "/" + prefix[:-1]
    for key, data in before.items():
        server.put(prefix + key, content(data))
    rules = rule if isinstance(rule, list) else [rule]
    rules = [dict(r, op=operation, bucket="b") for r in rules]
    for r in rules[:1]:
        if "A" in kind and operation in BODILESS:
            r["after"] = True
        if mode == "once":
            r["times"] = 1
        elif mode == "walks":
            r.update(percent=10, seed=seed + int(number.split("x")[1]))
    server.ask("POST", "/-/stats/reset")
    if fault == "skewed":
        server.ask("POST", "/-/clock", '{"offset_s": 3600}')
    elif fault != "none":
        server.ask("POST", "/-/faults", json.dumps(rules))
    if command == "abort":
        refuse = {"op": "UploadPart", "status": 403, "code": "AccessDenied"}
        server.ask("POST", "/-/faults", json.dumps(refuse))
    rc, out, err, took = run_command(text, directory)
    rules = json.loads(server.ask("GET", "/-/faults"))
    server.ask("DELETE", "/-/faults")
    server.ask("POST", "/-/clock", '{"offset_s": 0}')
    server.rest(directory)
    ops = {k: v["requests"] for k, v in server.stats()["ops"].items()}
    detail = f"exit {rc}, {took:.1f} s, {ops}, {err.strip()[:300]}"
    try:
        fired = rules[0]["fired"] if fault not in ("none", "skewed") else 1
        if rc is None:
            raise Failure(f"it hangs: not done after {BOUND_S} s")
        after = server.objects(prefix)
        check_objects(before, change, after, rc == 0)
        if rc == 0 and printed is not None and out != printed:
            raise Failure(f"exit code 0, but it printed {out[:100]!r}")
        if rc != 0 and command != "abort":
            # S3 knows no tags of what is not there: no such attribute.
            check_error(err, errnos + (("No such attribute",) if fault == "404" else ()))
        if not fired and mode != "walks":
            raise Failure("the fault never struck")
        mends = "M" in kind and (mode == "once" or fault == "slow")
        if rc != 0 and mends and command != "abort":
            raise Failure("it failed, though another attempt would have done")
        again = operation in ONE_TRY and fault in ("403", "404")
        usual = BASELINE.get((command, operation), 99)
        again = again and mode == "once" and not command.startswith("mv")
        if again and ops.get(operation, 0) > usual:
            raise Failure("a refusal was asked for again")
        left = server.uploads(prefix)
        unknown = fired if operation == "CreateMultipartUpload" else 0
        refused = operation == "AbortMultipartUpload" and (mode == "always" or "M" not in kind)
        if left > unknown and not refused:
            raise Failure(f"{left} multipart uploads are left open")
        check_mount(server, directory, after)
    except (Failure, OSError) as e:
        return f"{e} [{detail}]", ops
    return None, ops


def run_look(server, name, mode):
    """A case of LOOKS."""
    command, operation, fault = name.split(":")
    _, text, _, printed = LOOKS[command]
    rule, errnos, kind = FAULTS[fault]
    rules = [dict(r, op=operation) for r in (rule if isinstance(rule, list) else [rule])]
    if mode == "once" and rules:
        rules[0]["times"] = 1
    if fault == "skewed":
        server.ask("POST", "/-/clock", '{"offset_s": 3600}')
    else:
        server.ask("POST", "/-/faults", json.dumps(rules))
    rc, out, err, took = run_command(text, server.mnt)
    rules = json.loads(server.ask("GET", "/-/faults"))
    server.ask("DELETE", "/-/faults")
    server.ask("POST", "/-/clock", '{"offset_s": 0}')
    detail = f"exit {rc}, {took:.1f} s, {err.strip()[:300]}"
    try:
        if rc is None:
            raise Failure(f"it hangs: not done after {BOUND_S} s")
        if rc == 0 and out != printed:
            raise Failure(f"exit code 0, but it printed {out[:100]!r}")
        if rc != 0:
            check_error(err, errnos)
        if fault != "skewed" and not rules[0]["fired"]:
            raise Failure("the fault never struck")
        if rc != 0 and "M" in kind and (mode == "once" or fault == "slow"):
            raise Failure("it failed, though another attempt would have done")
        rc, out, err, _ = run_command(text, server.mnt)
        if rc != 0 or out != printed:
            raise Failure(f"afterwards: exit {rc}, {out[:100]!r}, {err[:200]}")
    except Failure as e:
        return f"{e} [{detail}]"
    return None


BASELINE = {}


def baseline(server, names):
    """The requests of each command without a fault."""
    for number, command in enumerate(sorted({n.split(":")[0] for n in names})):
        problem, ops = run_case(server, f"n{number}", f"{command}:*:none", "none", 0)
        if problem:
            print(f"not ok {command}: without a fault: {problem}", flush=True)
            raise SystemExit(1)
        BASELINE.update({(command, op): count for op, count in ops.items()})
        if sys.argv[1] == "baseline":
            print(command, ops)


def worker(number, todo, failed, mode, seed, server):
    while True:
        try:
            case, name = todo.get_nowait()
        except queue.Empty:
            break
        start = time.monotonic()
        try:
            if name.split(":")[0] in LOOKS:
                problem = run_look(server, name, mode)
            else:
                problem, _ = run_case(server, f"{number}x{case}", name, mode, seed)
        except Exception as e:  # pylint: disable=broad-except
            problem = repr(e)
        took = int((time.monotonic() - start) * 1000)
        line = f"not ok {name}: {problem}" if problem else f"ok {name} ({took} ms)"
        sys.stdout.write(line + "\n")  # one write: lines of several workers do not mix
        if problem:
            failed.append(name)


def all_names(mode):
    """The cases of a mode."""
    rows = [(command, row[3]) for command, row in COMMANDS.items()]
    if mode == "walks":
        rows = [(c, ops) for c, ops in rows if c in ("cp-r", "mv-dir", "rm-r")]
    elif mode != "baseline":
        rows += [(command, row[2]) for command, row in LOOKS.items()]
    return [
        f"{command}:{op}:{fault}"
        for command, ops in rows
        for op in ops.split()
        for fault in (WALK_FAULTS if mode == "walks" else FAULTS)
        # Nothing else says how long an object is.
        if op != "HeadObject" or fault not in ("longer", "shorter")
        # A key that is not there is one that is deleted.
        if (op, fault) != ("DeleteObject", "404")
    ]


def start(kind, names, most, failed, mode, seed):
    """Servers, and threads that take the cases of a kind of mount."""
    todo = queue.Queue()
    for item in enumerate(names):
        todo.put(item)
    servers = [Server(f"{kind}{i}", kind=kind) for i in range(min(len(names), most))]
    return servers, [
        threading.Thread(target=worker, args=(i, todo, failed, mode, seed, s))
        for i, s in enumerate(servers)
    ]


def main():
    mode = sys.argv[1]
    pattern = sys.argv[2] if len(sys.argv) > 2 else "*"
    seed = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(1 << 30))
    for name in ("s", "M", "L"):
        with open(f"{os.environ['WORK']}/{name}", "wb") as f:
            f.write(content(name))
    names = [n for n in all_names(mode) if fnmatch.fnmatch(n, pattern)]
    kinds = {"plain": [], "was": [], "all": []}
    for name in names:
        kinds[LOOKS.get(name.split(":")[0], ("plain",))[0]].append(name)
    first = Server("base")
    baseline(first, kinds["plain"])
    if mode == "baseline":
        return first.end()
    if mode == "walks":
        print(f"# FAULT_SEED={seed}")
    failed, servers, threads = [], [first], []
    most = int(os.environ.get("FAULT_JOBS", "24"))
    for kind, part in kinds.items():
        some = start(kind, part, most if kind == "plain" else 4, failed, mode, seed)
        servers += some[0]
        threads += some[1]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    ends = [s.end() for s in servers]
    print(f"# {len(names)} cases, {len(failed)} failed")
    # 1: it says that something had failed.
    odd = [e for e in ends if e not in (0, 1)]
    if odd:
        print(f"not ok: exit codes of the daemons: {odd}")
    return 1 if failed or odd or not names else 0


if __name__ == "__main__":
    sys.exit(main())
