#!/usr/bin/python3
"""tests/integ/soak.py: several processes at work on one mount for long, while S3 fails at random.

  SOAK_MINUTES (30), SEED (drawn, printed), SOAK_WORKERS (4); S3BULKFS, S3D (programs), WORK.

About 2 % of all requests are spoiled in the ways of RULES. Each process has a directory and a model
of it, and changes, copies, moves, removes and reads in it. What a call that succeeded has done must
be in S3 byte by byte. After one that failed each object must be old or new, whole, or what a
refused writer had written. Everything is compared with S3 every VERIFY_EVERY operations.

Once after the warm-up (a tenth of the time, 2 minutes at most) and once at the end all processes
rest, and memory, descriptors and connections of the daemon are taken. They must not have grown by
more than the tolerances; nothing may be pending then, no upload open, and each failure that the
mount reports must be kept.
"""
import collections
import copy
import errno
import hashlib
import http.client
import json
import multiprocessing
import os
import random
import subprocess
import sys
import time
import urllib.parse

import faults

VERIFY_EVERY = 60
DIRS, FILES = 5, 8  # names that a process uses
SMALL_BYTES, LARGE_BYTES = 70000, 12 << 20
MEMORY_KB, DESCRIPTORS, CONNECTIONS = 32 << 10, 16, 16  # tolerances
# Of a call that S3 has failed.
FITTING = (errno.EIO, errno.EACCES, errno.ENOENT, errno.ESTALE, errno.EBUSY, errno.ENOTEMPTY)
# Operations whose answer may be lost: of an upload that was made so nobody knows the name.
LOSABLE = ("PutObject", "CopyObject", "DeleteObjects", "UploadPart", "UploadPartCopy")
LOSABLE += ("CompleteMultipartUpload",)
DENIABLE = ("PutObject", "CopyObject", "UploadPart", "GetObject", "ListObjectsV2", "DeleteObjects")
RULES = [
    {"percent": 0.6, "status": 503, "code": "SlowDown"},
    {"percent": 0.5, "status": 500, "code": "InternalError"},
    {"percent": 0.4, "close": True},
    {"percent": 0.3, "delay_ms": 300},
    {"percent": 0.02, "hang": True},
    {"percent": 0.2, "op": "GetObject", "cut": 7},
    {"percent": 0.2, "op": "ListObjectsV2", "cut": 7},
    {"percent": 0.2, "op": "CopyObject", "in200": True, "code": "InternalError"},
]
RULES += [{"percent": 0.3, "op": op, "close": True, "after": True} for op in LOSABLE]
RULES += [{"percent": 0.1, "op": op, "status": 403, "code": "AccessDenied"} for op in DENIABLE]


class Wrong(Exception):
    pass


class Worker:
    """One process: its directory, and what must be in it: path -> bytes."""

    def __init__(self, server, number, seed):
        self.server = copy.copy(server)
        self.server.http = http.client.HTTPConnection(server.url.split("//")[1], timeout=60)
        self.prefix = f"p{number}/"
        self.top = f"{server.mnt}/p{number}"
        self.rng = random.Random(f"{seed}-{number}")
        self.files = {}
        self.count = 0
        self.errors = collections.Counter()

    # ---- S3 ----

    def in_s3(self, path):
        """The bytes of the object, None: there is none."""
        key = urllib.parse.quote(self.prefix + path)
        try:
            return self.server.ask("GET", "/-/put?bucket=b&key=" + key)
        except faults.Failure:
            return None

    def settle(self):
        """Waits for what is pending below the directory; of what failed somebody has been told."""
        try:
            fd = os.open(self.top, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as e:
            self.failed(e)
            return
        try:
            os.fsync(fd)
        except OSError:
            pass
        os.close(fd)

    def failed(self, e):
        if e.errno not in FITTING:
            raise Wrong(f"the error does not fit: {e}") from e
        self.errors[errno.errorcode[e.errno]] += 1

    def found(self, paths, allowed, what):
        """After a failure: each path has one of its allowed contents; the model takes it."""
        self.settle()
        for path in paths:
            data = self.in_s3(path)
            if not any(fits(data) for fits in allowed[path]):
                size = "gone" if data is None else f"{len(data)} bytes"
                raise Wrong(f"{what} failed, and {path} is neither old nor new: {size}")
            self.remember(path, data)

    def remember(self, path, data):
        if data is None:
            self.files.pop(path, None)
        else:
            self.files[path] = data

    def verify(self):
        self.settle()
        got = self.server.objects(self.prefix)
        got = {k: v for k, v in got.items() if k and not k.endswith("/")}
        want = {k: hashlib.md5(v).hexdigest() for k, v in self.files.items()}
        if got != want:
            odd = sorted(k for k in got.keys() | want.keys() if got.get(k) != want.get(k))
            raise Wrong(f"S3 differs from what was done: {odd[:5]} ({len(odd)})")

    # ---- operations ----

    def path(self):
        return f"d{self.rng.randrange(DIRS)}/f{self.rng.randrange(FILES)}"

    def bytes(self):
        size = self.rng.choice((0, 1, 100, 5000, SMALL_BYTES))
        if self.rng.random() < 0.02:
            size = LARGE_BYTES
        return self.rng.randbytes(self.rng.randrange(size + 1) if size < LARGE_BYTES else size)

    def change(self, path, new, how, what):
        """`how` makes the file have the bytes `new`."""
        old = self.files.get(path)
        try:
            os.makedirs(os.path.dirname(f"{self.top}/{path}"), exist_ok=True)
            how(f"{self.top}/{path}")
        except OSError as e:
            self.failed(e)
            fits = [lambda d: d == old, lambda d: d is not None and new.startswith(d)]
            self.found([path], {path: fits}, what)
        else:
            self.files[path] = new

    def do_write(self):
        data = self.bytes()

        def write(name):
            with open(name, "wb", buffering=0) as f:
                at = 0
                while at < len(data):
                    at += f.write(data[at : at + (1 << 20)])

        self.change(self.path(), data, write, "a write")

    def do_append(self):
        path = self.path()
        more = self.bytes()
        if len(self.files.get(path, b"")) > 2 * LARGE_BYTES:
            return

        def append(name):
            with open(name, "ab", buffering=0) as f:
                at = 0
                while at < len(more):
                    at += f.write(more[at : at + (1 << 20)])

        self.change(path, self.files.get(path, b"") + more, append, "an append")

    def do_patch(self):
        path, old = self.some_file()
        if not old:
            return
        at, more = self.rng.randrange(len(old)), self.rng.randbytes(10)

        def patch(name):
            fd = os.open(name, os.O_RDWR)
            try:
                os.pwrite(fd, more, at)
                os.fsync(fd)
            finally:
                os.close(fd)

        self.change(path, old[:at] + more + old[at + len(more) :], patch, "a change")

    def do_truncate(self):
        path, old = self.some_file()
        if old is None:
            return
        size = self.rng.randrange(len(old) + 1)
        self.change(path, old[:size], lambda name: os.truncate(name, size), "a truncation")

    def some_file(self):
        if not self.files:
            return None, None
        return self.rng.choice(sorted(self.files.items()))

    def do_read(self):
        path, want = self.some_file()
        if path is None:
            return
        try:
            with open(f"{self.top}/{path}", "rb") as f:
                got = f.read()
        except OSError as e:
            self.failed(e)
            if e.errno == errno.ENOENT:
                raise Wrong(f"{path} is not there") from e
            return
        if got != want:
            raise Wrong(f"{path} was read wrong: {len(got)} bytes, not {len(want)}")

    def do_list(self):
        name = f"d{self.rng.randrange(DIRS)}"
        want = {k.split("/")[1] for k in self.files if k.startswith(name + "/")}
        try:
            got = set(os.listdir(f"{self.top}/{name}"))
        except OSError as e:
            if e.errno == errno.ENOENT and want:
                raise Wrong(f"{name} is not there") from e
            if e.errno != errno.ENOENT:
                self.failed(e)
            return
        if got != want:
            raise Wrong(f"{name} was listed wrong: {sorted(got ^ want)}")

    def do_rename(self):
        path, data = self.some_file()
        to = self.path()
        if path is None or path == to:
            return
        old = self.files.get(to)
        try:
            os.makedirs(os.path.dirname(f"{self.top}/{to}"), exist_ok=True)
            os.rename(f"{self.top}/{path}", f"{self.top}/{to}")
        except OSError as e:
            self.failed(e)
            allowed = {path: [lambda d: d in (data, None)], to: [lambda d: d in (old, data)]}
            self.found([path, to], allowed, "a rename")
            if data not in (self.files.get(path), self.files.get(to)):
                raise Wrong(f"a rename failed, and {path} is nowhere") from e
        else:
            del self.files[path]
            self.files[to] = data

    def do_unlink(self):
        path, data = self.some_file()
        if path is None:
            return
        try:
            os.unlink(f"{self.top}/{path}")
        except OSError as e:
            self.failed(e)
            self.found([path], {path: [lambda d: d in (data, None)]}, "a removal")
        else:
            del self.files[path]

    def do_chmod(self):
        path, data = self.some_file()
        if path is None:
            return
        try:
            os.chmod(f"{self.top}/{path}", self.rng.choice((0o600, 0o644)))
        except OSError as e:
            self.failed(e)
            self.found([path], {path: [lambda d: d == data]}, "a chmod")

    def below(self, name):
        return {k: v for k, v in self.files.items() if k.startswith(name + "/")}

    def tree(self, command, after, what):
        """Runs the command. `after`: what it makes of the files that it touches."""
        before = {k: self.files.get(k) for k in after}
        p = subprocess.run(command, cwd=self.top, capture_output=True, text=True, check=False)
        if p.returncode == 0:
            for path, data in after.items():
                self.remember(path, data)
            return
        if not p.stderr.strip():
            raise Wrong(f"{what} failed without a word: exit code {p.returncode}")
        fitting = [os.strerror(e) for e in FITTING] + ["No data available", "File exists"]
        if not any(text in p.stderr for text in fitting):
            raise Wrong(f"the error does not fit: {p.stderr.strip()[:300]}")
        self.errors[what] += 1
        # What is copied by bytes is stored as far as it came.
        allowed = {
            k: [
                lambda d, k=k: d in (before[k], after[k]),
                lambda d, k=k: None not in (d, after[k]) and after[k].startswith(d),
            ]
            for k in after
        }
        self.found(after, allowed, what)

    def dirs(self):
        return self.rng.sample([f"d{i}" for i in range(DIRS)], 2)

    def do_copy_tree(self):
        src, dst = self.dirs()
        tree = self.below(src)
        if not tree:
            return
        # Into what is there: files of the same name are replaced.
        after = {dst + k[len(src) :]: v for k, v in tree.items()}
        self.tree(["cp", "-rT", src, dst], after, "cp -r")

    def do_remove_tree(self):
        name = self.dirs()[0]
        self.tree(["rm", "-rf", name], {k: None for k in self.below(name)}, "rm -r")

    def do_move_tree(self):
        src, dst = self.dirs()
        tree = self.below(src)
        if not tree:
            return
        self.tree(["rm", "-rf", dst], {k: None for k in self.below(dst)}, "rm -r")
        if os.path.exists(f"{self.top}/{dst}"):
            return
        tree = self.below(src)
        after = {k: None for k in tree} | {dst + k[len(src) :]: v for k, v in tree.items()}
        self.tree(["mv", "-T", src, dst], after, "mv")
        for path, data in tree.items():
            if data not in (self.files.get(path), self.files.get(dst + path[len(src) :])):
                raise Wrong(f"after mv {path} is nowhere")

    WEIGHTS = {
        "write": 20,
        "append": 10,
        "patch": 8,
        "truncate": 4,
        "read": 15,
        "list": 8,
        "rename": 10,
        "unlink": 4,
        "chmod": 4,
        "copy_tree": 4,
        "remove_tree": 2,
        "move_tree": 2,
    }

    def work(self, until):
        names, weights = list(self.WEIGHTS), list(self.WEIGHTS.values())
        while time.monotonic() < until:
            name = self.rng.choices(names, weights)[0]
            try:
                getattr(self, "do_" + name)()
            except Wrong as e:
                raise Wrong(f"operation {self.count} ({name}): {e}") from e
            self.count += 1
            if self.count % VERIFY_EVERY == 0:
                self.verify()
        self.verify()


def worker_main(worker, pipe):
    """Works for as long as it is told, again and again; None: the end."""
    while (seconds := pipe.recv()) is not None:
        try:
            if not os.path.isdir(worker.top):
                os.mkdir(worker.top)
            worker.work(time.monotonic() + seconds)
            pipe.send((None, worker.count, worker.errors))
        except Exception as e:  # pylint: disable=broad-except
            pipe.send((f"{worker.prefix} {e!r}", worker.count, worker.errors))


def measure(server):
    """Memory in KiB, descriptors, connections of the daemon."""
    pid = server.daemon.pid
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        memory = next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            pass
    return memory, len(links), sum(link.startswith("socket:") for link in links)


def status(server, what):
    ctl = os.path.dirname(os.environ["S3BULKFS"]) + "/s3bulkfsctl"
    p = subprocess.run([ctl, what, "--json", server.mnt], capture_output=True, check=False)
    answer = json.loads(p.stdout)
    return answer["mounts"][0] if "mounts" in answer else answer


def phase(server, pipes, seconds):
    """All processes work for so long; then they rest. The problems, and how much was done."""
    problems, done, errors = [], 0, collections.Counter()
    for pipe in pipes:
        pipe.send(seconds)
    for pipe in pipes:
        problem, count, failed = pipe.recv()
        problems += [problem] if problem else []
        done += count
        errors += failed
    if server.daemon.poll() is not None:
        problems.append(f"the daemon has ended with {server.daemon.poll()}")
    return problems, done, errors


def check_end(server, first, last, errors):
    """What is not as it should be at rest."""
    words = ("KiB of memory", "descriptors", "connections")
    for word, a, b, more in zip(words, first, last, (MEMORY_KB, DESCRIPTORS, CONNECTIONS)):
        if b > a + more:
            yield f"{word}: {b}, after the warm-up {a} (tolerance {more})"
    if (left := server.uploads("")) > 0:
        yield f"{left} multipart uploads are left open"
    s, kept = status(server, "status"), status(server, "errors")
    if s["pending"] or s["in_flight"] or any(not w["ended"] for w in s["walks"]):
        yield f"something is pending: {s}"
    if len(kept["errors"]) + kept["lost"] != kept["total"] or s["errors"] != kept["total"]:
        yield f"failures: {s['errors']} were counted, {kept['total']} kept"
    if s["deferred_errors"] and not errors:
        yield f"{s['deferred_errors']} accepted operations failed, and no command has said so"


def main():
    seconds = float(os.environ.get("SOAK_MINUTES", "30")) * 60
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 30))
    print(f"# SEED={seed}", flush=True)
    server = faults.Server("soak")
    context = multiprocessing.get_context("fork")
    pipes = []
    for number in range(int(os.environ.get("SOAK_WORKERS", "4"))):
        ours, theirs = context.Pipe()
        worker = Worker(server, number, seed)
        context.Process(target=worker_main, args=(worker, theirs), daemon=True).start()
        pipes.append(ours)
    for rule in RULES:
        server.ask("POST", "/-/faults", json.dumps(rule | {"bucket": "b", "seed": seed}))
    warm = min(120, seconds / 10)
    problems, _, _ = phase(server, pipes, warm)
    first = measure(server)
    print("# after the warm-up: %d KiB, %d descriptors, %d connections" % first, flush=True)
    if not problems:
        problems, done, errors = phase(server, pipes, seconds - warm)
    rules = json.loads(server.ask("GET", "/-/faults"))
    server.ask("DELETE", "/-/faults")
    if not problems:
        last = measure(server)
        print("# at the end: %d KiB, %d descriptors, %d connections" % last)
        fired = sum(r["fired"] for r in rules)
        total = sum(op["requests"] for op in server.stats()["ops"].values())
        print(f"# {done} operations, {total} requests, {fired} spoiled; failed: {dict(errors)}")
        problems = list(check_end(server, first, last, errors))
        if not fired:
            problems.append("no request was spoiled")
    for pipe in pipes:
        pipe.send(None)
    end = server.end()
    if end not in (0, 1):
        problems.append(f"the daemon ended with {end}")
    for problem in problems:
        print("not ok:", problem)
    print("ok soak" if not problems else f"not ok soak: SEED={seed}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
