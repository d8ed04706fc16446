#!/usr/bin/python3
"""tests/integ/posix.py LOCAL MOUNT [WORD...]: POSIX calls on a mount and in a local directory.

Each case is made anew in both, does one call (or a few) and notes what each said: its value, or its
error, and what there is afterwards (kinds, sizes, modes, owners, contents, times that were set).
Prints the cases whose notes differ and are not in KNOWN, which gives for each what S3 cannot do
(doc/posix.md says it to users). The end counts; exit code 1 if there was a difference, or if one of
KNOWN has gone. WORDs choose the cases whose names contain them.
"""
import errno
import fcntl
import mmap
import os
import stat
import sys

CASES = {}
LONG = "n" * 255
TOO_LONG = "n" * 1025  # 256 bytes are too long for most, and not for a key
# What a case begins with: name -> how it is made, relative to an empty directory.
THINGS = {
    "file": lambda: write("x", b"content"),
    "empty": lambda: write("x", b""),
    "dir": lambda: os.mkdir("x"),
    "full": lambda: (os.mkdir("x"), write("x/in", b"i")),
    "link": lambda: (write("other", b"other"), os.symlink("other", "x")),
    "dirlink": lambda: (os.mkdir("d"), write("d/in", b"i"), os.symlink("d", "x")),
    "dangling": lambda: os.symlink("nowhere", "x"),
    "loop": lambda: os.symlink("x", "x"),
    "missing": lambda: None,
}

# Case -> why it is otherwise on S3.
KNOWN = {}


def known(why, *names):
    for name in names:
        KNOWN[name] = why


def case(name):
    def add(function):
        assert name not in CASES, name
        CASES[name] = function
        return function

    return add


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def attempt(function, *args, **more):
    """What a call says."""
    try:
        said = function(*args, **more)
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e.errno))
    return said if isinstance(said, (bytes, int, str, tuple, list)) else None


def one(path):
    st = os.lstat(path)
    what = [stat.filemode(st.st_mode), st.st_uid, st.st_gid]
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as f:
            data = f.read()
        what += [st.st_size, data if len(data) < 200 else hash_of(data)]
    elif stat.S_ISLNK(st.st_mode):
        what += [st.st_size, os.readlink(path)]
    if st.st_mtime < 1e9:  # it was set
        what += [st.st_mtime_ns]
    return tuple(what)


def hash_of(data):
    import hashlib

    return hashlib.md5(data).hexdigest()


def tree():
    found = {}
    for top, dirs, files in os.walk("."):
        for name in dirs + files:
            path = os.path.join(top, name)
            found[path] = one(path)
    return found


# ---- one call on each kind of thing ----------------------------------------------------------

OPEN_FLAGS = (
    ("rdonly", os.O_RDONLY),
    ("wronly", os.O_WRONLY),
    ("rdwr_creat", os.O_RDWR | os.O_CREAT),
    ("creat_excl", os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    ("trunc", os.O_WRONLY | os.O_TRUNC),
    ("creat_trunc_append", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND),
    ("append", os.O_WRONLY | os.O_APPEND),
    ("directory", os.O_RDONLY | os.O_DIRECTORY),
    ("nofollow", os.O_RDONLY | os.O_NOFOLLOW),
    ("directory_creat", os.O_RDONLY | os.O_DIRECTORY | os.O_EXCL),
)


def open_and_use(path, flags):
    fd = os.open(path, flags, 0o640)
    said = []
    said.append(attempt(os.write, fd, b"new"))
    if not flags & os.O_WRONLY:
        said.append(attempt(os.read, fd, 100))
    said.append(attempt(os.fsync, fd))
    said.append(attempt(os.ftruncate, fd, 2))
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        said.append(attempt(os.lseek, fd, 0, os.SEEK_END))
    said.append(attempt(os.close, fd))
    return said


CALLS = {
    "unlink": lambda: os.unlink("x"),
    "rmdir": lambda: os.rmdir("x"),
    "mkdir": lambda: os.mkdir("x", 0o750),
    "mkdir_slash": lambda: os.mkdir("x/"),
    "rmdir_slash": lambda: os.rmdir("x/"),
    "rmdir_dot": lambda: os.rmdir("x/."),
    "rmdir_dotdot": lambda: os.rmdir("x/.."),
    "unlink_slash": lambda: os.unlink("x/"),
    "stat": lambda: stat.filemode(os.stat("x").st_mode),
    "stat_slash": lambda: stat.filemode(os.stat("x/").st_mode),
    "lstat": lambda: stat.filemode(os.lstat("x").st_mode),
    "below": lambda: os.stat("x/y/z"),
    "readlink": lambda: os.readlink("x"),
    "symlink": lambda: os.symlink("to", "x"),
    "truncate_0": lambda: os.truncate("x", 0),
    "truncate_3": lambda: os.truncate("x", 3),
    "truncate_100": lambda: os.truncate("x", 100),
    "truncate_negative": lambda: os.truncate("x", -1),
    "chmod": lambda: os.chmod("x", 0o604),
    "chmod_suid": lambda: os.chmod("x", 0o6755),
    "chmod_sticky": lambda: os.chmod("x", 0o1777),
    "chown": lambda: os.chown("x", 12, 34),
    "chown_same": lambda: os.chown("x", -1, -1),
    "lchown": lambda: os.lchown("x", 5, -1),
    "chown_of_suid": lambda: (os.chmod("x", 0o6755), os.chown("x", 12, 34)),
    "utime": lambda: os.utime("x", ns=(7, 981173106123456789)),
    "utime_before_1970": lambda: os.utime("x", ns=(0, -1500000000)),
    "lutime": lambda: os.utime("x", (5, 7), follow_symlinks=False),
    "access_r": lambda: os.access("x", os.R_OK),
    "access_x": lambda: os.access("x", os.X_OK),
    "listdir": lambda: sorted(os.listdir("x")),
    "link": lambda: os.link("x", "second"),
    "mkfifo": lambda: os.mkfifo("x"),
    "setxattr": lambda: (os.setxattr("x", "user.a", b"1"), os.getxattr("x", "user.a")),
    "removexattr": lambda: os.removexattr("x", "user.none"),
    "long_name": lambda: write(LONG, b"1"),
    "too_long_name": lambda: write(TOO_LONG, b"1"),
    "too_long_dir": lambda: os.mkdir(TOO_LONG),
    "too_long_path": lambda: os.stat("d/" * 2100),
    "open_and_close": lambda: os.close(os.open("x", os.O_WRONLY)),
}


def add_calls():
    for thing, make in THINGS.items():
        for name, call in CALLS.items():
            case(f"{name} {thing}")(lambda make=make, call=call: (make(), attempt(call))[1])
        for name, flags in OPEN_FLAGS:
            case(f"open_{name} {thing}")(
                lambda make=make, flags=flags: (make(), attempt(open_and_use, "x", flags))[1]
            )


# ---- renames of each kind over each kind -----------------------------------------------------

TARGETS = {
    "file": lambda: write("to", b"the other content"),
    "dir": lambda: os.mkdir("to"),
    "full": lambda: (os.mkdir("to"), write("to/kept", b"k")),
    "link": lambda: os.symlink("x", "to"),
    "missing": lambda: None,
}


def add_renames():
    for thing, make in THINGS.items():
        for target, make_target in TARGETS.items():

            def run(make=make, make_target=make_target):
                make()
                make_target()
                return attempt(os.rename, "x", "to")

            case(f"rename {thing} to {target}")(run)
        for name, to in (
            ("itself", "x"),
            ("below_itself", "x/y"),
            ("slash", "to/"),
            ("missing_dir", "no/to"),
            ("below_file", "f/to"),
            ("dot", "."),
            ("too_long", TOO_LONG),
            ("other_dir", "e/to"),
        ):

            def run_to(make=make, to=to):
                make()
                os.mkdir("e")
                write("f", b"f")
                return attempt(os.rename, "x", to)

            case(f"rename {thing} to {name}")(run_to)


# ---- more than one call ----------------------------------------------------------------------


@case("unlinked file lives until its last close")
def _():
    with open("x", "w+b") as f:
        f.write(b"before")
        f.flush()
        os.unlink("x")
        f.write(b" after")
        f.flush()
        f.seek(0)
        return [f.read(), os.fstat(f.fileno()).st_nlink, os.path.exists("x")]


@case("a renamed file is written on")
def _():
    with open("x", "wb") as f:
        f.write(b"one")
        f.flush()
        os.rename("x", "y")
        f.write(b" two")
    return sorted(os.listdir("."))


@case("two descriptors see each other's writes")
def _():
    write("x", b"0123456789")
    with open("x", "r+b", 0) as a, open("x", "r+b", 0) as b:
        a.seek(3)
        a.write(b"abc")
        said = [b.read()]
        b.truncate(4)
        said.append(os.fstat(a.fileno()).st_size)
        said.append(a.write(b"z"))
        b.seek(0)
        said.append(b.read())
    return said


@case("O_APPEND of two writers")
def _():
    write("x", b"")
    with open("x", "ab", 0) as a, open("x", "ab", 0) as b:
        for i in range(20):
            (a if i % 2 else b).write(b"%02d" % i)


@case("holes read as zeros")
def _():
    with open("x", "w+b") as f:
        f.seek(100000)
        f.write(b"end")
        f.seek(99990)
        return f.read()


@case("truncate and grow again")
def _():
    write("x", b"0123456789" * 1000)
    os.truncate("x", 5)
    os.truncate("x", 12)
    with open("x", "rb") as f:
        return f.read()


@case("pread, pwrite, preadv, pwritev")
def _():
    fd = os.open("x", os.O_RDWR | os.O_CREAT)
    said = [os.pwrite(fd, b"hello", 10), os.pwritev(fd, [b"a", b"bc", b"def"], 3)]
    said += [os.pread(fd, 100, 0), os.lseek(fd, 0, os.SEEK_CUR)]
    parts = [bytearray(4), bytearray(40)]
    said += [os.preadv(fd, parts, 1), bytes(parts[0]), os.pread(fd, 5, 100)]
    os.close(fd)
    return said


@case("seeks")
def _():
    write("x", b"0123456789")
    fd = os.open("x", os.O_RDONLY)
    said = [
        attempt(os.lseek, fd, offset, whence)
        for offset, whence in ((5, 0), (-2, 1), (-3, 2), (-20, 1), (50, 0), (3, 2), (0, 99))
    ]
    said.append(attempt(os.read, fd, 10))
    os.close(fd)
    return said


@case("a shared mapping is stored")
def _():
    write("x", b"\0" * 10000)
    with open("x", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        m[5000:5005] = b"there"
        m.flush()
        f.seek(4999)
        return f.read(7)


@case("a private mapping is not")
def _():
    write("x", b"a" * 5000)
    with open("x", "r+b") as f:
        m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)
        m[0:3] = b"new"
        m.close()


@case("locks between descriptors")
def _():
    write("x", b"1")
    a, b = os.open("x", os.O_RDWR), os.open("x", os.O_RDWR)
    said = [
        attempt(fcntl.flock, a, fcntl.LOCK_EX),
        attempt(fcntl.flock, b, fcntl.LOCK_EX | fcntl.LOCK_NB),
        attempt(fcntl.flock, a, fcntl.LOCK_UN),
        attempt(fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB),
        attempt(fcntl.lockf, a, fcntl.LOCK_EX | fcntl.LOCK_NB),
    ]
    os.close(a)
    os.close(b)
    return said


@case("fallocate")
def _():
    fd = os.open("x", os.O_RDWR | os.O_CREAT)
    said = attempt(os.posix_fallocate, fd, 0, 1000)
    os.close(fd)
    return said


@case("directory of a process goes")
def _():
    os.mkdir("d")
    here = os.getcwd()
    os.chdir("d")
    said = [attempt(os.rmdir, "../d"), attempt(os.listdir, "."), attempt(write, "x", b"1")]
    os.chdir(here)
    return said


@case("a directory outlives its last file")
def _():
    os.mkdir("d")
    write("d/x", b"1")
    os.unlink("d/x")
    return [os.path.isdir("d"), attempt(os.rmdir, "d"), os.path.exists("d")]


@case("a directory is read while it changes")
def _():
    for i in range(50):
        write(f"f{i:02}", b"")
    seen = 0
    with os.scandir(".") as entries:
        for entry in entries:
            os.unlink(entry.name)
            seen += 1
    return [seen, os.listdir(".")]


@case("rename of a directory in use")
def _():
    os.makedirs("a/b")
    write("a/b/x", b"1")
    fd = os.open("a/b/x", os.O_RDONLY)
    said = [attempt(os.rename, "a", "c"), os.read(fd, 5)]
    os.close(fd)
    return said


@case("rename of a directory over an empty one")
def _():
    os.makedirs("a/b")
    os.mkdir("c")
    return [attempt(os.rename, "a", "c"), sorted(os.listdir("c"))]


@case("deep and odd names")
def _():
    path = ""
    for part in ("a b", "ünï", "q?uest", "st*r", "back\\slash", "new\nline", "%3A", "-", "~"):
        path = os.path.join(path, part)
        os.mkdir(path)
    write(os.path.join(path, 'quo"te'), b"1")
    return sorted(os.listdir(path), key=os.fsencode)


@case("times of what is made, changed and read")
def _():
    write("x", b"1")
    os.utime("x", (100, 100))
    said = [os.stat("x").st_mtime]
    with open("x", "rb") as f:
        f.read()
    said.append(os.stat("x").st_mtime)
    os.chmod("x", 0o600)
    said.append(os.stat("x").st_mtime)
    os.rename("x", "y")
    said.append(os.stat("y").st_mtime)
    with open("y", "ab") as f:
        f.write(b"2")
    said.append(os.stat("y").st_mtime > 1e9)
    return said


@case("writing clears set-user-ID for a user")
def _():
    write("x", b"1")
    os.chmod("x", 0o4777)
    pid = os.fork()
    if not pid:
        os.setuid(1234)
        try:
            write("x", b"2")
        except OSError as e:
            os._exit(e.errno)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    return [os.waitstatus_to_exitcode(status), oct(os.stat("x").st_mode)]


def add_permissions():
    """Another user and modes: the calls that want a right."""
    wanted = {
        "read": lambda: open("d/x", "rb").close(),
        "write": lambda: open("d/x", "r+b").close(),
        "truncate": lambda: os.truncate("d/x", 1),
        "create": lambda: write("d/new", b"1"),
        "unlink": lambda: os.unlink("d/x"),
        "rename": lambda: os.rename("d/x", "d/y"),
        "list": lambda: os.listdir("d"),
        "stat": lambda: os.stat("d/x") and None,
        "mkdir": lambda: os.mkdir("d/sub"),
        "chmod": lambda: os.chmod("d/x", 0o777),
        "chown": lambda: os.chown("d/x", 1234, -1),
        "utime": lambda: os.utime("d/x", (1, 1)),
        "utime_now": lambda: os.utime("d/x"),
        "symlink": lambda: os.symlink("a", "d/l"),
    }
    for dir_mode in (0o755, 0o700, 0o777, 0o711, 0o1777):
        for file_mode in (0o600, 0o644, 0o666):
            for name, call in wanted.items():

                def run(dir_mode=dir_mode, file_mode=file_mode, call=call):
                    os.mkdir("d")
                    write("d/x", b"1")
                    os.chmod("d/x", file_mode)
                    os.chmod("d", dir_mode)
                    return as_user(call)

                case(f"user {name} {dir_mode:o} {file_mode:o}")(run)


def as_user(call):
    read, wrote = os.pipe()
    pid = os.fork()
    if not pid:
        os.setgid(1234)
        os.setuid(1234)
        os.write(wrote, repr(attempt(call) if call else None).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(wrote)
    said = os.read(read, 1000)
    os.close(read)
    return said.decode()


known(
    "a name has one object: no hard links",
    *(f"link {thing}" for thing in ("file", "empty", "link", "dangling", "loop", "dirlink")),
)
known("an object is no pipe", "mkfifo missing")


def run_in(top, name):
    where = os.path.join(top, "case")
    os.mkdir(where)
    os.chdir(where)
    said = CASES[name]()
    found = tree()
    os.chdir(top)
    import subprocess

    subprocess.run(["rm", "-rf", where], check=True)
    return said, found


def main():
    local, mount = (os.path.abspath(p) for p in sys.argv[1:3])
    words = sys.argv[3:]
    os.umask(0o022)
    add_calls()
    add_renames()
    if os.geteuid() == 0:
        add_permissions()
    same = wrong = 0
    for name in CASES:
        if words and not any(w in name for w in words):
            continue
        here, there = run_in(local, name), run_in(mount, name)
        if (here == there) == (name in KNOWN):
            wrong += 1
            print(f"{name}: {'no longer differs' if here == there else 'differs'}")
            print(f"    here  {here[0]!r}\n    mount {there[0]!r}")
            for path in sorted(set(here[1]) | set(there[1])):
                if here[1].get(path) != there[1].get(path):
                    print(f"    {path}: {here[1].get(path)} here, {there[1].get(path)} there")
        else:
            same += 1
    print(f"{same} cases as expected, {wrong} not")
    sys.exit(wrong > 0)


main()
