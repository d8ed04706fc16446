#!/usr/bin/python3
"""tests/integ/matrix.py GROUP [PATTERN]: commands x trees x which of their keys S3 refuses.

GROUP is one of GROUPS below. Each cell is COMMAND/SHAPE/PLACE, or of the group arguments
COMMAND/LAST ARGUMENT/PLACE, and has a directory of its own on the mount. PATTERN (fnmatch) chooses
some. Cells that fail are printed with all that was seen; the end counts.

What must hold after each, as S3 itself shows it:
  - S3 was asked for what it refuses, and the exit code is not 0;
  - the ledger (s3bulkfsctl errors) or the command's own message names the key;
  - the mount shows the objects of S3 with their kinds, and the same directories, before what it
    knows is too old to be believed (the mounts have metadata_ttl=60);
  - what was to be moved is at one of its two places, whole.
With PLACE none nothing is refused: then the command exits 0 and has done all of it, so that a
command that does not work here at all is not taken for one that hears of a refusal.

Environment: MNT, BUCKET, S3_ENDPOINT, CTL (s3bulkfsctl).
"""
import fnmatch
import functools
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request

BOUND_S = 60  # a command that takes longer hangs
SHOWN_S = 10  # the kernel may hear of a removal a little after the command has ended

MNT = os.environ["MNT"]
BUCKET = os.environ["BUCKET"]
CONTROL = os.environ["S3_ENDPOINT"] + "/-/"
CTL = os.environ["CTL"]

# Trees below src. "x/" is the marker of an empty directory, "x@" a symbolic link; "" is the marker
# of src itself. The names differ, so that all files fit into one directory.
SHAPES = {
    "flat": [f"f{i}" for i in range(6)],
    "nested": ["a/b/f0", "a/f1", "a/f2", "b/", "m", "z/f3", "z/y/f4"],
    "emptylast": ["a/f0", "a/f1", "m", "zz/"],
    "one": ["only"],
    "empty": [""],
    "linklast": ["a/f0", "a/f1", "m", "zz@"],
}
# top is the directory that the command makes or changes itself.
PLACES = ("none", "first", "middle", "last", "top")

# Commands of each group: name -> (shell command in the cell's directory; what S3 refuses; the key
# for an entry of src; which entries the command touches). $FILES are all files and links of src,
# $RUN is `s3bulkfsctl run`. In a key {entry} is the way below src and {name} its last part.
ALL, FILES, NAMED, NO_LINKS, CALLED_F = "all", "files", "named", "no links", "called f"
TREE, SIDE = "dst/{entry}", "dir/{name}"
COPIES = {
    "cp -r": ("cp -r src dst", "make", TREE, ALL),
    "cp -a": ("cp -a src dst", "make", TREE, ALL),
    "cp -rp": ("cp -rp src dst", "make", TREE, ALL),
    "cp a b c dir": ("cp -P $FILES dir/", "make", SIDE, FILES),
    "cp -t dir a b c": ("cp -P -t dir $FILES", "make", SIDE, FILES),
    "busybox cp -r": ("busybox cp -r src dst", "make", TREE, ALL),
}
MOVES = {
    "mv": ("mv src dst", "make", TREE, ALL),
    "mv into": ("mv src dir", "make", "dir/src/{entry}", ALL),
    "mv removes": ("mv src dst", "remove", "src/{entry}", ALL),
    "mv two": ("mv src side dir", "make", "dir/src/{entry}", ALL),
    "busybox mv": ("busybox mv src dst", "make", TREE, ALL),
}
REMOVES = {
    "rm -r": ("rm -r src", "remove", "src/{entry}", ALL),
    "rm -rf": ("rm -rf src", "remove", "src/{entry}", ALL),
    "rm a b c": ("rm $FILES", "remove", "src/{entry}", FILES),
    "busybox rm -r": ("busybox rm -r src", "remove", "src/{entry}", ALL),
    "find -delete": ("find src -delete", "remove", "src/{entry}", ALL),
}
CHANGES = {
    # Links have no mode.
    "chmod -R": ("chmod -R 700 src", "make", "src/{entry}", NO_LINKS),
    "chmod -Rf": ("chmod -Rf 700 src", "make", "src/{entry}", NO_LINKS),
    "chown -R": ("chown -R 7:7 src", "make", "src/{entry}", ALL),
    "chown -Rh": ("chown -Rh 7:7 src", "make", "src/{entry}", ALL),
}
PYTHON = "$RUN /usr/bin/python3 -c 'import shutil; "
RUNS = {
    "copytree": (PYTHON + 'shutil.copytree("src", "dst", symlinks=True)\'', "make", TREE, ALL),
    "rmtree": (PYTHON + "shutil.rmtree(\"src\")'", "remove", "src/{entry}", ALL),
    "rsync": ("$RUN rsync -a --delete src/ dst", "make", TREE, FILES),
    "rsync --delete": ("$RUN rsync -a --delete dir/ src/", "remove", "src/{entry}", NAMED),
    "find -name": ("$RUN find src -name '?*' -delete", "remove", "src/{entry}", ALL),
    "find -name f": ("$RUN find src -name 'f*' -delete", "remove", "src/{entry}", CALLED_F),
    "tar x": ("tar cf $TAR -C src . && mkdir dst && $RUN tar xf $TAR -C dst", "make", TREE, ALL),
}
GROUPS = {"copies": COPIES, "moves": MOVES, "removes": REMOVES, "changes": CHANGES, "runs": RUNS}

# Arguments: commands on files, or on directories, of ARGUED, and what comes last ($LAST).
ARGUED = ["a/f0", "a/f1", "a/f2", "b/f3", "c/f4", "c/f5"]
SOME = "src/a/f0 src/a/f1 src/a/f2 src/b/f3 src/c/f4 src/c/f5"
DIRS = "src/a src/b src/c"
ARGUMENTS = {
    "rm": (f"rm {SOME} $LAST", "remove", "src/{entry}", FILES),
    "rm -f": (f"rm -f {SOME} $LAST", "remove", "src/{entry}", FILES),
    "rm -r": (f"rm -r {DIRS} $LAST", "remove", "src/{entry}", ALL),
    "rm -rf": (f"rm -rf {DIRS} $LAST", "remove", "src/{entry}", ALL),
    "find": (f"find {DIRS} $LAST -delete", "remove", "src/{entry}", ALL),
    "cp": (f"cp {SOME} $LAST dir/", "make", SIDE, FILES),
    "cp -r": (f"cp -r {DIRS} $LAST dir/", "make", "dir/{entry}", ALL),
    "cp -at": (f"cp -at dir {DIRS} $LAST", "make", "dir/{entry}", ALL),
    "chmod": (f"chmod 700 {SOME} $LAST", "make", "src/{entry}", FILES),
    "chmod -R": (f"chmod -R 700 {DIRS} $LAST", "make", "src/{entry}", ALL),
    "chown": (f"chown 7:7 {SOME} $LAST", "make", "src/{entry}", FILES),
    "chown -R": (f"chown -R 7:7 {DIRS} $LAST", "make", "src/{entry}", ALL),
    "mv": (f"mv {SOME} $LAST dir/", "make", SIDE, FILES),
    "mv dirs": (f"mv {DIRS} $LAST dir/", "make", "dir/{entry}", ALL),
}
# What comes last -> for commands on files, for commands on directories.
LASTS = {
    "missing": ("src/missing", "src/missing"),
    "unreadable": ("shut/in", "shut/in"),
    "twice": ("src/a/f1", "src/a"),
}

# Operations by which a key is made, or removed. The kernel's mkdir is a PutObject.
REFUSED = {
    "make": [
        {"op": op, "status": 403, "code": "AccessDenied"}
        for op in ("CopyObject", "PutObject", "CreateMultipartUpload")
    ],
    "remove": [
        {"op": "DeleteObjects", "per_key": True, "in200": True, "code": "AccessDenied"},
        {"op": "DeleteObject", "status": 403, "code": "AccessDenied"},
    ],
}
UNREADABLE = [
    {"op": op, "key": "shut/*", "status": 403, "code": "AccessDenied"}
    for op in ("HeadObject", "ListObjectsV2")
]


# ---- S3's side ----


def control(method, path, body=None, **query):
    url = CONTROL + path + ("?" + urllib.parse.urlencode(query) if query else "")
    headers = {"content-type": "application/octet-stream"}
    request = urllib.request.Request(url, method=method, data=body, headers=headers)
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def refuse(rules, prefix, key=None):
    for rule in rules:
        rule = rule | {"key": prefix + (key or rule["key"])}
        control("POST", "faults", json.dumps(rule).encode())


def rules_now():
    return json.loads(control("GET", "faults"))


def put(key, content):
    control("POST", "put", content.encode(), bucket=BUCKET, key=key)


def objects(prefix):
    """Key below the prefix -> what S3 has of it."""
    lines = control("GET", "dump", bucket=BUCKET, prefix=prefix).splitlines()
    return {o["key"][len(prefix) :]: o for o in map(json.loads, lines)}


def build(prefix, entries):
    links = [prefix + "src/" + entry_key(e) for e in entries if e.endswith("@")]
    for entry in entries:
        if not entry.endswith("@"):
            key = prefix + "src/" + entry
            put(key, "" if key.endswith("/") else entry)
    put(prefix + "dir/", "")
    put(prefix + "side", "side")
    put(prefix + "shut/in", "shut")
    # Listings show those of others as files.
    for link in links:
        os.symlink("m", os.path.join(MNT, link))
    if links:
        subprocess.run([CTL, "flush", MNT], check=True)


def entry_key(entry):
    return entry.rstrip("@")


def kind_in_s3(item):
    mode = int(item["meta"].get("x-amz-meta-mode", "0"))
    return "link" if mode & 0o170000 == 0o120000 else "file"


def tree_in_s3(found):
    """Way -> kind, of objects and of the directories that their keys imply."""
    tree = {}
    for key, item in found.items():
        parts = key.split("/")
        tree |= {"/".join(parts[:i]): "dir" for i in range(1, len(parts))}
        if parts[-1]:
            tree[key] = kind_in_s3(item)
    return tree


# ---- the mount's side ----


def tree_on_mount(top):
    tree = {}
    for at, dirs, names in os.walk(top):
        for name in dirs + names:
            path = os.path.join(at, name)
            kind = "link" if os.path.islink(path) else "dir" if os.path.isdir(path) else "file"
            tree[os.path.relpath(path, top)] = kind
    return tree


def wrong_names(top, want, ways):
    return sorted(w for w in ways if os.path.lexists(os.path.join(top, w)) != (w in want))


def difference(top, want, ways):
    """None when the mount shows what S3 has: names first, as a listing may ask S3 anew."""
    end = time.monotonic() + SHOWN_S
    while wrong := wrong_names(top, want, ways):
        if time.monotonic() > end:
            return f"there on one side only: {wrong}"
    while (seen := tree_on_mount(top)) != want:
        if time.monotonic() > end:
            ours, theirs = seen.items() - want.items(), want.items() - seen.items()
            return f"only S3 has {sorted(theirs)}, only the mount {sorted(ours)}"
    return None


# ---- cells ----


TOUCHES = {
    ALL: lambda entry: True,
    FILES: lambda entry: entry and not entry.endswith("/"),
    NAMED: lambda entry: entry,
    NO_LINKS: lambda entry: not entry.endswith("@"),
    CALLED_F: lambda entry: os.path.basename(entry).startswith("f"),
}


@functools.cache
def left_out():
    """Words of commands that cannot be tried here."""
    words = [p for p in ("busybox", "rsync") if not shutil.which(p)]
    # Those of uutils say what has failed, and exit 0.
    for program in ("chmod", "chown"):
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        words += [] if "GNU coreutils" in said.stdout else [program]
    return words


class Cell:
    def __init__(self, group, command, shape, place):
        table = ARGUMENTS if group == "arguments" else GROUPS[group]
        self.name = f"{command}/{shape}/{place}"
        self.group, self.place = group, place
        self.text, self.what, self.key, self.touched = table[command]
        self.entries = SHAPES.get(shape, ARGUED)
        self.last = LASTS[shape][self.touched == ALL] if group == "arguments" else None

    def candidates(self):
        """Entries that the command touches, in the order of their keys."""
        return [e for e in self.entries if TOUCHES[self.touched](e)]

    def asks_for_top(self):
        """Is the directory's own key written: it is when its attributes are, and a prefix else."""
        if self.what != "make" or self.touched == FILES or self.entries == [""] or self.last:
            return False
        one_rename = self.group == "moves" and len(self.entries) == 1
        return not one_rename and not self.text.endswith("cp -r src dst")

    def refused(self):
        """The key below the cell's directory, None if this place is none of its own."""
        touched = self.candidates()
        if self.place == "top":
            return self.key.format(entry="") if self.asks_for_top() else None
        index = {"first": 0, "middle": len(touched) // 2, "last": len(touched) - 1}[self.place]
        if self.place == "middle" and index in (0, len(touched) - 1):
            return None
        if index < 0 or (self.place == "last" and index == 0):
            return None
        entry = entry_key(touched[index])
        return self.key.format(entry=entry, name=os.path.basename(entry))

    def applies(self):
        if any(word in self.text for word in left_out()) or not self.candidates():
            return False
        return self.place == "none" or self.refused() is not None

    def is_shut(self):
        return bool(self.last) and self.last.startswith("shut")

    def environment(self):
        files = [entry_key(e) for e in self.entries if e and not e.endswith("/")]
        more = {"FILES": " ".join("src/" + f for f in files), "LAST": self.last or ""}
        more |= {"RUN": f"{CTL} run --mount {MNT}", "TAR": os.path.abspath("cell.tar")}
        return os.environ | more


def started(cell, top):
    """Exit code (None: it hangs) and messages of the command."""
    try:
        done = subprocess.run(
            ["sh", "-c", cell.text],
            cwd=top,
            env=cell.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, (done.stderr + done.stdout).strip()


def below(directory, found):
    """Files and links among the objects there: way below the directory -> object."""
    here = {k[len(directory) :]: o for k, o in found.items() if k.startswith(directory)}
    return {k: o for k, o in here.items() if k and not k.endswith("/")}


def etags(found):
    return {o["etag"] for o in found.values()}


def is_changed(cell, item):
    if "chown" in cell.text:
        return item["meta"].get("x-amz-meta-uid") == "7"
    return kind_in_s3(item) == "link" or item["meta"].get("x-amz-meta-mode") == str(0o100700)


def undone(cell, before, after):
    """What a command has not done that nobody refused."""
    source, left = below("src/", before), below("src/", after)
    made = etags(below("dst/", after)) | etags(below("dir/", after))
    if cell.group == "changes":
        return sorted(k for k, o in left.items() if not is_changed(cell, o))
    if cell.group == "moves":
        return sorted(left) + sorted(etags(source) - made)
    if cell.what == "make":
        return sorted(etags(source) - made)
    return sorted(entry_key(e) for e in cell.candidates() if entry_key(e) in left)


def lost(before, after):
    """What a move had at its source and has nowhere."""
    have = etags(after)
    return sorted(k for k, o in below("", before).items() if o["etag"] not in have)


def names(key, prefix, ledger, said):
    """The ledger, or what the command has said, names the key. The first of a kind in a command is
    strict, as nobody knows yet whether more will come: the command itself says its failure."""
    return f"key {prefix}{key}," in ledger or key.rstrip("/") in said


def passes_over(cell):
    """GNU mv says that it cannot set the time of the directory it was told to move, and exits 0:
    nothing of the content is missing."""
    return cell.place == "top" and cell.text.startswith("mv ")


def unheard(cell, key, prefix, struck, code, said):
    """What is wrong when S3 refused the key."""
    ledger = subprocess.run([CTL, "errors", MNT], capture_output=True, text=True, check=True).stdout
    if not struck:
        yield "S3 was not asked for what it refuses"
    if code == 0 and not passes_over(cell):
        yield "exit code 0"
    if not names(key, prefix, ledger, said):
        yield "nobody names the key"


def problems(cell, prefix):
    """What is wrong, and what was seen."""
    top = os.path.join(MNT, prefix.rstrip("/"))
    before = objects(prefix)
    key = cell.refused() if cell.place != "none" else None
    if key is not None:
        refuse(REFUSED[cell.what], prefix, key)
    rules = len(rules_now())
    if cell.is_shut():
        refuse(UNREADABLE, prefix)
    code, said = started(cell, top)
    subprocess.run([CTL, "flush", MNT], capture_output=True, check=False)
    struck = sum(rule["fired"] for rule in rules_now()[:rules])
    control("DELETE", "faults")
    after = objects(prefix)
    found = []
    if code is None:
        found.append(f"it hangs: not done after {BOUND_S} s")
    if key is not None:
        found += unheard(cell, key, prefix, struck, code, said)
    elif code and not cell.last:
        found.append(f"exit code {code}")
    if key is None and not cell.last and (rest := undone(cell, before, after)):
        found.append(f"not done: {rest}")
    if "mv " in cell.text and (gone := lost(before, after)):
        found.append(f"lost: {gone}")
    if cell.is_shut() and "shut" not in said:
        found.append("nobody says what is not readable")
    ways = {k.rstrip("/") for k in (*before, *after, key or "side")}
    if differs := difference(top, tree_in_s3(after), ways):
        found.append(differs)
    return found, f"{cell.text!r} refused {key!r}: exit {code}, {said[:300]!r}"


def cells(group, pattern):
    commands = ARGUMENTS if group == "arguments" else GROUPS[group]
    shapes = LASTS if group == "arguments" else SHAPES
    every = (Cell(group, c, s, p) for c in commands for s in shapes for p in PLACES)
    return [c for c in every if fnmatch.fnmatch(c.name, pattern) and c.applies()]


def main():
    group = sys.argv[1]
    pattern = sys.argv[2] if len(sys.argv) > 2 else "*"
    begun, failed = time.monotonic(), 0
    chosen = cells(group, pattern)
    for number, cell in enumerate(chosen):
        prefix = f"c{number:03}/"
        build(prefix, cell.entries)
        found, detail = problems(cell, prefix)
        if found:
            failed += 1
            print(f"not ok {cell.name}: {'; '.join(found)} ({detail})", flush=True)
    for word in left_out():
        print(f"# without {word}: there is none, or not GNU's")
    took = time.monotonic() - begun
    print(f"# {group}: {len(chosen)} cells, {failed} failed, {took:.1f} s")
    return 1 if failed else 0


sys.exit(main())
