"""The commands that commands.py draws from. Each is a line of bash, run with errors ending it in
the directory that holds src and old; $FAR is a directory of another mount that holds there.

What depends on the order in which a directory is read is left out, since no order is promised and
a local directory has another one than a bucket:
- cp -r of a directory into itself, or below: what of the copy is copied again is the order's;
- files of one name from several directories into one (find -exec cp -t): the first one is kept.
  What find says is sorted here;
- mv -b, which does not copy a directory that is too large to be renamed (rename_limit);
- cp -u: a copy in S3 has the time of its source;
- several commands at once on one tree: each has a tree of its own here.
"""
import shlex

# The link(2) of a mount is EPERM, so that these fail there; what they leave must be true.
UNLIKE = ("cp -rl src", "cp -al src")


def unlike(command):
    return command.startswith(UNLIKE)


class Pick:
    """Chooses names of a tree, as words for bash."""

    def __init__(self, rng, tree):
        self.rng = rng
        self.directories = [p for p, e in tree.items() if e[0] == "directory"]
        self.files = [p for p, e in tree.items() if e[0] == "file"]
        self.all = list(tree)

    def one(self, paths, outside=None, below="here/"):
        some = [p for p in paths if p.startswith(below) and not
                (outside and (p == outside or p.startswith(outside + "/")))]
        return self.rng.choice(some) if some else "here/none"

    def d(self, **more):
        return word(self.one(self.directories, **more))

    def f(self, **more):
        return word(self.one(self.files, **more))

    def a(self, **more):
        return word(self.one(self.all, **more))

    def many(self, choose, **more):
        return " ".join(choose(**more) for _ in range(self.rng.randint(1, 4)))

    def copy(self, options, paths):
        """cp of one to a directory that is not in it."""
        source = self.one(paths)
        return f"cp {options} {word(source)} {self.d(outside=source)}"


def word(path):
    side, _, below = path.partition("/")
    return f'"$FAR"/{shlex.quote(below)}' if side == "far" else shlex.quote("./" + below)


def at_once(*commands):
    """Side by side; the exit code is that of the last that failed."""
    waits = "".join(f" wait ${v} || r=$?;" for v in "pqs"[:len(commands)])
    starts = "".join(f"{{ {c}; }} & {v}=$!; " for c, v in zip(commands, "pqs"))
    return f"{starts}r=0;{waits} exit $r"


COPIES = [
    "cp -r src new", "cp -a src new", "cp -rv src new", "cp -rT src old", "cp -aT src old",
    "cp -r src old new", "cp -a src/. old", "cp -r src/. old", "cp -rf src/. old",
    "cp -rp src/. old",
    "cp -rn src/. old", "cp -r --remove-destination src/. old",
    "cp -a --remove-destination src/. old", "cp -r --backup=numbered src/. old", "cp -r src/* old",
    "cp -d src/* old", "cp -a src/* old/", "cp -r old/* src old/* new",
    "cp -r --parents src/a src/b old", "cp -a --parents src/?/* old", "cp -rl src new",
    "cp -al src new", "cp -r src new && rm -r src",
    "cp -r src new && mv new/* old", "cp -rp src new; touch src/zz new/q; cp -rT src new",
    "rm -r src && cp -r old src", "rm -r src; mkdir src; cp -r old/. src",
    "cp -a src n1 && cp -a n1/. old",
    "find src -type f -print0 | sort -z | xargs -0 cp -t old",
    "find src -mindepth 1 -maxdepth 1 -print0 | xargs -0 -P 3 -n 1 cp -r -t old",
]
MOVES = [
    "mv src new", "mv src old", "mv src/* old", "mv -T src old", "mv -f src/* src/.h old",
    "mv -n src/* old", "mv src/a src/b src/c old", "mv -v src old/a", "mv src/* .",
    "mkdir new && mv src/* old/* new", "mv -T src new && mv -T old src && mv -T new old",
    "cp -r src s2; mv s2/* old", "mkdir -p new/x/y && mv src new/x/y && rm -r new/x",
]
REMOVALS = [
    "rm -r src", "rm -rf src old", "rm -r src/*", "rm -rf src/* src/.h", "rm -r src old none",
    "rm -rf none src old", "rm -r src/a src/b src/c old", "rm -rf old/* src",
    "find src -delete", "find src old -type f -delete", "find src -type l -delete",
    "find src -mindepth 1 -delete", "find src -name 'f*' -delete", "find src -depth -empty -delete",
    "find src old -type d -empty -delete", "find src -depth -exec rm -d {} +",
    "find src -type f -print0 | xargs -0 -P 3 -n 2 rm",
    "find src -mindepth 1 -maxdepth 1 -print0 | xargs -0 -P 3 -n 1 rm -r", "rmdir src/* old/*",
    "mkdir -p new/x/y && cp -r src new/x/y && rm -r new/x",
    "mkdir -p src/e/e/e && rmdir -p src/e/e/e",
]
CHANGES = [
    "chmod -R 700 src", "chmod -R u+x,go-rwx src old", "chmod -R a-w src; rm -rf src/a",
    "cp -r src new; chmod -R go= new old", "cp -a src new && chmod -R 750 new && cp -a new/. old",
    "chmod -R u+x src & wait $!", "chown -R 7:8 src", "chgrp -R 5 src/* old", "chown -R 3 src old",
    "chown -R 7:8 src && cp -a src new && rm -r src", "touch src/* old/zz",
    "touch -d @1000000500 src/*",
    "mkdir -p src/e new/e old/e && rmdir new/e", "ln -s nowhere src/l1; ln -sf there src/l1",
    "ln -sfn .. old/l2; cp -a old new", "chmod 000 src old",
    "find src -type f -exec chmod 640 {} +",
    "cp -r src new; chmod -R 711 new & wait $!; touch -d @1000000500 new",
]
PROGRAMS = [
    "tar cf - src | tar xf - -C old",
    "tar cf old/t.tar --mtime=@1000000000 --sort=name src; tar xf "
    "old/t.tar -C old; rm old/t.tar", "tar c --remove-files -f - src | tar xf - -C old",
    "rsync -a src/ old/", "rsync -a --delete src/ old/", "rsync -a --delete src old",
    "rsync -r --inplace --delete old/ src", "rsync -a --remove-source-files src/ new",
    "rsync -a --delete-before --backup src/ old", "sed -i s/0/x/ src/f1 src/f2 old/f1",
    "find src -type f -exec sed -i s/1/one/ {} +",
    "find src -type f -exec sed -i.bak s/2/two/ {} +",
    "for f in src/*; do [ ! -f \"$f\" ] || echo more | tee -a \"$f\"; done",
    "for d in src/*/; do mkdir -p \"old/$d\"; done",
    "truncate -s 3 src/f1 src/f2 old/f1; cp -a src/. new",
    "python3 -c 'import shutil; shutil.copytree(\"src\", \"new\", symlinks=True)'",
    "python3 -c 'import shutil; shutil.rmtree(\"src\")'",
    "python3 -c 'import shutil; shutil.move(\"src\", \"old\")'",
]
BETWEEN = [
    'cp -r "$FAR"/there new', 'cp -a "$FAR"/there/. old', 'mv "$FAR"/there new', 'mv src "$FAR"',
    'mv src/* old "$FAR"/there', 'cp -r src old "$FAR"', 'cp -a src/. "$FAR"/there',
    'rm -r src "$FAR"/there', 'cp -r src "$FAR"/new && rm -r src', 'mv "$FAR"/there/* src',
    'rsync -a --delete src/ "$FAR"/there', 'mv -T src "$FAR"/there',
    'chmod -R 700 src "$FAR"/there',
    'mv src "$FAR"/new && mv "$FAR"/new src', 'find src "$FAR"/there -delete',
    'tar cf - src | tar xf - -C "$FAR"', 'mv -n src/* "$FAR"/there', 'cp -r "$FAR"/there/* src old',
]
ON_SRC = ["cp -r src new", "rm -r src", "mv src new", "chmod -R 700 src",
          "cp -a src n1 && rm -r src",
          "find src -delete", "rsync -a src/ n2", "rm -rf src/*", "tar cf - src >s.tar; rm s.tar"]
ON_OLD = ["cp -r old o1", "rm -rf old", "mv old o2", "chmod -R go= old",
          "cp -a old o3 && rm -r old",
          "find old -type f -delete", "rsync -a old/ o4", "mkdir o5; mv old/* old/.h o5"]
ON_FAR = ['cp -r "$FAR"/there "$FAR"/n', 'rm -r "$FAR"/there', 'mv "$FAR"/there "$FAR"/m',
          'cp -r "$FAR"/there o9', 'mv "$FAR"/there m9']


def chosen(p):
    """Commands on names of the tree."""
    return [
        lambda: p.copy("-r", p.directories), lambda: p.copy("-a", p.all),
        lambda: p.copy("-rT", p.directories),
        lambda: f"mv {p.d()} {p.d()}", lambda: f"mv -T {p.d()} {p.d()}",
        lambda: f"mv {p.a()} {p.a()}",
        lambda: f"mv {p.many(p.a)} old", lambda: f"mv {p.a(below='')} {p.d(below='')}",
        lambda: f"cp {p.many(p.f)} old", lambda: f"cp -t old {p.many(p.f)}",
        lambda: f"cp {p.f(below='')} {p.f(below='')}", lambda: f"cp -p {p.many(p.f, below='')} src",
        lambda: f"cp --parents {p.many(p.f)} old", lambda: f"cp {p.f()} new && cp new {p.f()}",
        lambda: f"rm -rf {p.many(p.a, below='')}", lambda: f"rm -r {p.many(p.a)}",
        lambda: f"rm {p.many(p.f)}", lambda: f"rm -rv {p.many(p.d)}",
        lambda: f"rm -d {p.many(p.d)}",
        lambda: f"rmdir {p.many(p.d)}", lambda: f"find {p.d()} {p.d()} -delete",
        lambda: f"rm -rf {p.many(p.a)}; cp -r old src", lambda: f"chmod 600 {p.many(p.f)}",
        lambda: f"chmod -R 700 {p.many(p.a)}", lambda: f"install -D {p.f()} old/i/j/k",
        lambda: f"install -m 600 {p.many(p.f)} old", lambda: f"install -d {p.d()}/new/deep",
        lambda: f"sed -i s/3/three/ {p.many(p.f)}", lambda: f"touch -r {p.f()} {p.many(p.f)}",
        lambda: f"mkdir {p.d()}/e && mv {p.a()} {p.d()}/e", lambda: f"cp -rL {p.f()} {p.d()}",
    ]


def choose(rng, tree):
    p = Pick(rng, tree)
    kind = rng.choice([COPIES, COPIES, MOVES, REMOVALS, CHANGES, PROGRAMS, BETWEEN, "names",
    "names",
                       "at once"])
    if kind == "names":
        return rng.choice(chosen(p))()
    if kind == "at once":
        return at_once(rng.choice(ON_SRC), rng.choice(ON_OLD),
                       *([rng.choice(ON_FAR)] if rng.random() < 0.5 else []))
    return rng.choice(kind)
