#!/usr/bin/python3
"""commands.py WHAT SEED COMMANDS: random commands do the same on a mount as in a local directory.

The mounts $MNT and $FAR show $BUCKET and, below p/, $BUCKET-2 of the test server $S3_ENDPOINT,
which does not ask for signatures. WHAT is a list of words: `refused`: S3 refuses a key to the
last command of each case; `lost`: it fails at a key for once, or its answer does; `run`: the
commands run under s3bulkfsctl run ($CTL). SEED is a number; its cases are SEED.0, SEED.1, ...
until that many COMMANDS have run. `SEED.N` is that case alone.

A case is a random tree, in a local directory and on the mounts, and a few commands. After each
one the exit codes, the trees as the mounts show them, and those that the objects in S3 make must
be the local ones. After a refused key the exit code must not be 0, the ledger must name the key,
the mounts must show what is in S3, and nothing else may be lost. New mounts then show the same.
What fails is made smaller for as long as it fails, and printed.
"""
import fnmatch
import http.client
import json
import os
import random
import re
import shlex
import shutil
import stat
import subprocess
import sys
import time
import urllib.parse

import commands_list

ENDPOINT = os.environ["S3_ENDPOINT"]
LOCAL = os.path.join(os.environ["WORK"], "local")
SIDES = {"here": os.environ["MNT"], "far": os.environ["FAR"]}
BUCKETS = {"here": os.environ["BUCKET"], "far": os.environ["BUCKET"] + "-2"}
PREFIXES = {"here": "", "far": "p/"}
CTL = os.environ["CTL"]
# No name is escaped in keys (doc/semantics.md); links have names of their own, so that no copy
# writes through one to a file that is copied, too, in whichever order a directory is read.
NAMES = ["a", "b", "c", "x y", "n\nl", "%p", "ä", "f1", "f2", "zz", ".h", "-d", "a+b", 'q"u']
LINKS = {"l1": "nowhere", "l2": "../a", "l3": ".."}
UNMARKED = ("directory", None, None)  # what it was made with lasts as long as the mount
OLD = 1_000_000_000  # s; times before this and a day are kept by what keeps times
TIMEOUT_S = 60
# What may still be shown after a failure, and for how long, is in the man page.
SHOWN_S = 5


# ---- S3, by plain HTTP -------------------------------------------------------------------------

class S3:
    def __init__(self):
        self.http = http.client.HTTPConnection(urllib.parse.urlsplit(ENDPOINT).netloc)

    def ask(self, method, target, body=None, headers=()):
        self.http.request(method, target, body, dict(headers))
        answer = self.http.getresponse()
        text = answer.read()
        if answer.status // 100 != 2:
            raise OSError(f"{method} {target}: {answer.status} {text!r}")
        return answer, text

    def control(self, method, path, body=None):
        return json.loads(self.ask(method, "/-/" + path, body and json.dumps(body))[1] or "null")

    def put(self, bucket, key, body):
        self.ask("PUT", f"/{bucket}/{urllib.parse.quote(key)}", body.encode())

    def keys(self, bucket, prefix):
        after = ""
        while True:
            query = f"list-type=2&encoding-type=url&prefix={urllib.parse.quote(prefix, safe='')}"
            text = self.ask("GET", f"/{bucket}?{query}{after}")[1].decode()
            for key in re.findall("<Contents>.*?<Key>(.*?)</Key>", text, re.S):
                yield urllib.parse.unquote(key.replace("+", "%20"))
            token = re.search("<NextContinuationToken>(.*?)<", text)
            if not token:
                return
            after = "&continuation-token=" + urllib.parse.quote(token.group(1), safe="")

    def entry(self, bucket, key):
        """The object as an entry of a tree."""
        answer, body = self.ask("GET", f"/{bucket}/{urllib.parse.quote(key)}")
        meta = {n: answer.getheader("x-amz-meta-" + n) for n in ("mode", "uid", "gid", "mtime")}
        mode = int(meta["mode"] or 0o100644)
        owner = int(meta["uid"] or 0), int(meta["gid"] or 0)
        if stat.S_ISLNK(mode):
            return "link", body.decode(), owner
        if key.endswith("/"):
            return ("directory", stat.S_IMODE(mode), owner) if meta["mode"] else UNMARKED
        return "file", body.decode(), stat.S_IMODE(mode), owner, kept(float(meta["mtime"] or 0))

    def tree(self, bucket, prefix):
        found = {}
        for key in self.keys(bucket, prefix):
            path = key[len(prefix):]
            for n, c in enumerate(path):
                if c == "/":
                    found.setdefault(path[:n], UNMARKED)
            if path:
                found[path.rstrip("/")] = self.entry(bucket, key)
        return found


def kept(mtime):
    """A time that a command has set; others are those of the writes: 0."""
    return int(mtime) if mtime < OLD + 86400 else 0


def like(a, b):
    """Two entries of trees are the same; None, and what one does not have, is like anything."""
    return all(x is None or y is None or x == y for x, y in zip(a, b))


# ---- trees -------------------------------------------------------------------------------------

def local_tree(sides):
    """What is to be. A copy in S3 has what its source has (doc/semantics.md): owner, time and mode
    of a file count only where a command has set them."""
    tree = both({side: tree_of(top) for side, top in sides.items()})
    for path, entry in tree.items():
        usual = (0, (0, 0), 0o644) if entry[0] == "file" else ((0, 0),)
        tree[path] = tuple(None if x in usual else x for x in entry)
    return tree


def tree_of(base):
    """{path: entry} of a directory. Raises OSError where it cannot be read."""
    found = {}

    def raises(error):
        raise error

    for where, dirs, files in os.walk(base, onerror=raises):
        for name in dirs + files:
            path = os.path.join(where, name)
            st = os.lstat(path)
            mode, owner = stat.S_IMODE(st.st_mode), (st.st_uid, st.st_gid)
            if stat.S_ISLNK(st.st_mode):
                entry = "link", os.readlink(path), owner
            elif stat.S_ISDIR(st.st_mode):
                entry = "directory", mode, owner
            else:
                with open(path, encoding="utf-8") as f:
                    entry = "file", f.read(), mode, owner, kept(st.st_mtime)
            found[os.path.relpath(path, base)] = entry
    return found


def both(sides):
    """The trees of {"here": tree, "far": tree} in one."""
    return {f"{side}/{path}": e for side, tree in sides.items() for path, e in tree.items()}


def difference(a, a_name, b, b_name):
    """A text, empty when they are equal."""
    lines = [f"  only {a_name}: {p!r} {a[p]}" for p in sorted(set(a) - set(b))]
    lines += [f"  only {b_name}: {p!r} {b[p]}" for p in sorted(set(b) - set(a))]
    lines += [f"  {p!r}: {a_name} {a[p]}, {b_name} {b[p]}"
              for p in sorted(a) if p in b and not like(a[p], b[p])]
    return "\n".join(lines)


def random_tree(rng, base, by_s3, depth=0):
    """{path: entry} below the path `base`."""
    made = {base: ("directory", 0o755 if by_s3 else rng.choice([0o755, 0o755, 0o700]), (0, 0))}
    for name in rng.sample(NAMES, rng.randint(0, 5) if depth else rng.randint(2, 6)):
        path, what = f"{base}/{name}", rng.random()
        if what < 0.35 and depth < 3:
            made |= random_tree(rng, path, by_s3, depth + 1)
        else:
            text = rng.choice(["", f"{rng.random()}\n"])
            mode = 0o644 if by_s3 else rng.choice([0o644, 0o644, 0o600, 0o755])
            old = 0 if by_s3 else rng.choice([0, OLD + rng.randint(0, 1000)])
            made[path] = "file", text, mode, (0, 0), old
    if not by_s3 and rng.random() < 0.4:
        name = rng.choice(list(LINKS))
        made[f"{base}/{name}"] = "link", LINKS[name], (0, 0)
    return made


def build(tree, tops):
    """Makes it, through the file system, below the directory of each side."""
    for top in tops.values():
        os.makedirs(top)
    for path, entry in tree.items():
        side, _, below = path.partition("/")
        path = os.path.join(tops[side], below)
        if entry[0] == "link":
            os.symlink(entry[1], path)
        elif entry[0] == "directory":
            os.mkdir(path, entry[1])
        else:
            with open(path, "w", encoding="utf-8") as f:
                f.write(entry[1])
            os.chmod(path, entry[2])
            if entry[4]:
                os.utime(path, (entry[4], entry[4]))


def build_in_s3(s3, tree, name):
    """Makes it as others do: a directory that is not empty may have no object of its own."""
    for side in SIDES:
        s3.put(BUCKETS[side], f"{PREFIXES[side]}{name}/", "")
    for path, entry in tree.items():
        side, _, below = path.partition("/")
        key = f"{PREFIXES[side]}{name}/{below}"
        if entry[0] == "file":
            s3.put(BUCKETS[side], key, entry[1])
        elif not any(p.startswith(path + "/") for p in tree) or len(path) % 2:
            s3.put(BUCKETS[side], key + "/", "")


# ---- a case ------------------------------------------------------------------------------------

class Case:
    """What is done: a tree, commands, and rules of s3d for the last of them."""

    def __init__(self, tree, by_s3, commands, rules=()):
        self.tree, self.by_s3, self.commands, self.rules = tree, by_s3, commands, list(rules)

    def print(self):
        print("# the tree, " + ("made in S3:" if self.by_s3 else "made through the mounts:"))
        for path, entry in self.tree.items():
            print(f"#   {path!r} {entry}")
        for n, command in enumerate(self.commands):
            if n == len(self.commands) - 1:
                for rule in self.rules:
                    print("# fault", shlex.quote(json.dumps(rule)))
            print(f"(cd here; set -eo pipefail; {command})")


def execute(command, tops, run):
    """In the directory `here`, with $FAR the other one: exit code and what was said."""
    words = ["bash", "-eo", "pipefail", "-c", command]
    if run:
        words = [CTL, "run", "--mount", SIDES["here"], "--mount", SIDES["far"], *words]
    environment = dict(os.environ, FAR=tops["far"])
    try:
        done = subprocess.run(words, cwd=tops["here"], env=environment, timeout=TIMEOUT_S,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
    except OSError as e:  # the directory could not be looked up
        return 1, str(e)
    return done.returncode, done.stdout.decode(errors="replace")


def random_rules(rng, what, paths):
    """Rules of s3d about one of the paths, {name} for the case's directory in them."""
    path = rng.choice(paths)
    side, _, below = path.partition("/")
    rule = {"key": PREFIXES[side] + "{name}/" + below.replace("\n", "?"), "bucket": BUCKETS[side]}
    if "lost" in what:
        return [rule | {"times": rng.randint(1, 2), "after": rng.random() < 0.5} |
                rng.choice([{"status": 500, "code": "InternalError"},
                            {"status": 503, "code": "SlowDown"}, {"close": True}])]
    if rng.random() < 0.3:
        rule["times"] = 1
    refused = rule | {"status": 403, "code": "AccessDenied"}
    kind = rng.choice(["write", "write", "write", "delete", "delete", "delete", "get", "list"])
    if kind == "write":
        return [refused | {"op": op} for op in ("CopyObject", "PutObject", "CreateMultipartUpload")]
    if kind == "delete":
        return [refused | {"op": "DeleteObject"},
                rule | {"op": "DeleteObjects", "per_key": True, "in200": True,
                        "code": "AccessDenied"}]
    if kind == "get":
        return [refused | {"op": "GetObject"}, refused | {"op": "HeadObject"}]
    return [{"op": "ListObjectsV2", "nth": rng.randint(1, 6), "times": 1, "status": 403,
             "code": "AccessDenied"}]


def random_case(rng, what):
    """The commands are chosen by what the local tree is when their turn comes."""
    by_s3 = rng.random() < 0.5
    tree = {}
    for base in "here/src", "here/old", "far/there":
        tree |= random_tree(rng, base, by_s3)
    tops = {side: os.path.join(LOCAL, "draft", side) for side in SIDES}
    build(tree, tops)
    commands, before, after = [], tree, tree
    for _ in range(rng.randint(1, 4)):
        before = after
        commands.append(commands_list.choose(rng, before))
        execute(commands[-1], tops, False)
        after = local_tree(tops)
    shutil.rmtree(os.path.join(LOCAL, "draft"))
    rules = []
    if "refused" in what or "lost" in what:
        changed = [p for p in before.keys() | after.keys() if before.get(p) != after.get(p)]
        known = before | after
        paths = [p + ("/" if known[p][0] == "directory" else "")
                 for p in sorted(changed) or sorted(known)]
        rules = random_rules(rng, what, paths or ["here/src/"])
    return Case(tree, by_s3, commands, rules)


class Player:
    """Does cases, each in a new directory."""

    def __init__(self, run, seed):
        self.s3, self.run, self.seed = S3(), run, seed
        self.number = self.commands = self.fired = 0

    def in_s3(self, name):
        return both({s: self.s3.tree(BUCKETS[s], f"{PREFIXES[s]}{name}/") for s in SIDES})

    def play(self, case):
        """A text that says what is wrong, or None."""
        self.number += 1
        name = f"c{self.seed}-{self.number}"
        local = {s: os.path.join(LOCAL, name, s) for s in SIDES}
        mounted = {s: os.path.join(mount, name) for s, mount in SIDES.items()}
        build(case.tree, local)
        if case.by_s3:
            build_in_s3(self.s3, case.tree, name)
        else:
            build(case.tree, mounted)
        try:
            wrong = self.steps(case, name, local, mounted) or self.mounted_anew(name)
        except subprocess.TimeoutExpired:
            wrong = f"no end after {TIMEOUT_S} s"
        finally:
            self.s3.control("DELETE", "faults")
            shutil.rmtree(os.path.join(LOCAL, name))
        return wrong

    def steps(self, case, name, local, mounted):
        for n, command in enumerate(case.commands):
            last = n == len(case.commands) - 1
            rules = [r | ({"key": r["key"].format(name=name)} if "key" in r else {})
                     for r in case.rules if last]
            wrong = self.step(command, rules, local, mounted)
            if wrong or commands_list.unlike(command):
                return wrong
        return None

    def step(self, command, rules, local, mounted):
        self.commands += 1
        before = local_tree(local)
        wanted, said = execute(command, local, False)
        after = local_tree(local)
        for rule in rules:
            self.s3.control("POST", "faults", rule)
        code, heard = execute(command, mounted, self.run)
        fired = [r for r, f in zip(rules, self.s3.control("GET", "faults")) if f["fired"]]
        self.s3.control("DELETE", "faults")
        self.fired += bool(fired)
        if code:
            # What a command had done before it failed may be finished behind it.
            for mount in SIDES.values():
                subprocess.run([CTL, "flush", mount], check=False, stderr=subprocess.DEVNULL)
        stored = self.in_s3(os.path.basename(mounted["here"]))
        about = f"{command}\n  exit code {code}, local {wanted}\n  said: {heard}  local: {said}"
        if any(r.get("code") == "AccessDenied" for r in fired):
            # A name that came back is shown as a listing has it: without what was set for it.
            bare = {p: e[:1] if e[0] == "directory" else e[:2] for p, e in stored.items()}
            return self.judge_refused(about, code, heard, (before, after, stored), fired) or \
                self.judge_shown(about, mounted, bare, SHOWN_S)
        if not commands_list.unlike(command):
            different = difference(after, "local", stored, "in S3")
            if code != wanted:
                return f"exit codes: {about}\n{different}"
            if different:
                return f"S3 differs: {about}\n{different}"
        return self.judge_shown(about, mounted, stored, 0)

    def judge_shown(self, about, mounted, stored, within_s):
        """The mounts show what is in S3, after a failure within some time."""
        end = time.monotonic() + within_s
        while True:
            shown = both({s: tree_of(top) for s, top in mounted.items()})
            different = difference(stored, "in S3", shown, "shown")
            if not different:
                return None
            if time.monotonic() >= end:
                return f"the mount differs from S3: {about}\n{different}"

    def judge_refused(self, about, code, heard, trees, fired):
        """S3 has refused something to the command."""
        before, after, stored = trees
        if code == 0:
            # It may have found another way, but then it has done all of it.
            different = difference(after, "local", stored, "in S3")
            return different and f"exit code 0, and S3 differs: {about}\n{different}"
        if not heard.strip():
            return "no message: " + about
        lost = contents(before) - contents(stored) - (contents(before) - contents(after))
        if lost:
            return f"lost {lost}: {about}"
        if not all(r["op"] in ("GetObject", "HeadObject", "ListObjectsV2") for r in fired):
            keys = [r["key"] for r in fired]
            if not any(fnmatch.fnmatchcase(k, p) for k in ledger() for p in keys):
                return f"the ledger does not name {keys}: {about}"
        return None

    def mounted_anew(self, name):
        """New mounts show what is in S3."""
        shown = {}
        for side in SIDES:
            top = os.path.join(os.environ["WORK"], "new-" + side)
            os.makedirs(top, exist_ok=True)
            source = f"{BUCKETS[side]}:/{PREFIXES[side]}{name}"
            options = f"no_sign_request,stat=full,endpoint_url={ENDPOINT}"
            subprocess.run([os.environ["S3BULKFS"], "-o", options, source, top], check=True)
            try:
                shown[side] = tree_of(top)
            finally:
                subprocess.run(["umount", top], check=True)
        different = difference(self.in_s3(name), "in S3", both(shown), "shown")
        return different and f"a new mount differs from S3:\n{different}"


def contents(tree):
    """Texts of files; each is in one file of a new tree."""
    return {e[1] for e in tree.values() if e[0] == "file" and e[1]}


def ledger():
    """The keys of failed operations."""
    for mount in SIDES.values():
        said = subprocess.run([CTL, "errors", "--json", mount], check=True, stdout=subprocess.PIPE)
        for e in json.loads(said.stdout)["errors"]:
            yield e["key"]


# ---- all ---------------------------------------------------------------------------------------

def smaller(player, case):
    """The case without each command, then each name, that it fails without."""
    for n in reversed(range(len(case.commands) - 1)):
        less = Case(case.tree, case.by_s3, case.commands[:n] + case.commands[n + 1:], case.rules)
        if player.play(less):
            case = less
    for path in list(case.tree):
        rest = {p: e for p, e in case.tree.items() if p != path and not p.startswith(path + "/")}
        less = Case(rest, case.by_s3, case.commands, case.rules)
        if len(rest) < len(case.tree) and player.play(less):
            case = less
    return case


def main(what, seed, commands):
    os.umask(0o022)
    seed, _, only = seed.partition(".")
    player = Player("run" in what, seed)
    number, failed = int(only or 0), 0
    while player.commands < commands:
        name = f"{seed}.{number}"
        case = random_case(random.Random(f"{what} {name}"), what)
        wrong = player.play(case)
        if wrong:
            failed += 1
            print(f"FAILED: SEED={name}: {wrong}")
            count = player.commands
            case = smaller(player, case)
            case.print()
            print(f"# SEED={name}, made smaller: {player.play(case)}", flush=True)
            player.commands = count
        number += 1
        if only or failed >= int(os.environ.get("FAILURES", 1)):
            break
    print(f"seed {seed}: {player.commands} commands in {player.number} cases, "
          f"S3 has failed in {player.fired} of them")
    # A test that has met nothing has tested nothing.
    return failed != 0 or (what not in ("plain", "run") and not player.fired and not only)


sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
