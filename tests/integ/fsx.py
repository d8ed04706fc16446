#!/usr/bin/python3
"""tests/integ/fsx.py MOUNT MODEL SEED OPERATIONS [small|large]: random changes of a few files.

Every operation is made on a file of the mount and on one of a local filesystem, and must end
alike: reads and writes at any offset, appending, cutting and extending, mappings, copy_file_range
within and between the files, several descriptors of one file, fsync, renaming and removing files
that are open. What is left in MODEL is what the mount, and S3, must have. The seed is all that the
operations depend on.
"""
import collections
import mmap
import os
import random
import sys

FILES = 4
SIZES = {  # the largest file, the largest single change
    "small": (300 << 10, 40 << 10),
    "large": (30 << 20, 7 << 20),
}


class File:
    """A name, and the descriptors that are open: pairs of the mount's and the model's."""

    def __init__(self, name):
        self.name = name
        self.fds = []


class Test:
    def __init__(self, mount, model, seed, kind):
        self.roots = (mount, model)
        self.random = random.Random(seed)
        self.size_max, self.change_max = SIZES[kind]
        self.files = [File(f"f{i}") for i in range(FILES)]
        self.nameless = []  # pairs of descriptors of files that were removed
        self.log = collections.deque(maxlen=40)
        self.names = FILES

    # ---- helpers

    def paths(self, file):
        return [os.path.join(root, file.name) for root in self.roots]

    def both(self, function, *args):
        """The same on the mount and on the model: one outcome."""
        outcome = []
        for i in range(2):
            try:
                mine = [a[i] if isinstance(a, (tuple, list)) else a for a in args]
                outcome.append(function(*mine))
            except OSError as e:
                outcome.append(e.errno)
        assert outcome[0] == outcome[1], f"the mount says {outcome[0]!r}, it must be {outcome[1]!r}"
        return outcome[0]

    def note(self, *what):
        self.log.append(" ".join(str(w) for w in what))

    def open(self, file, flags):
        self.note("open", file.name, oct(flags))
        pair = [os.open(path, flags, 0o644) for path in self.paths(file)]
        file.fds.append((pair, flags))
        return pair

    def descriptor(self, file):
        """An open one that can read and write, not always the same."""
        good = [pair for pair, flags in file.fds if flags & os.O_RDWR and not flags & os.O_APPEND]
        if good and self.random.random() < 0.9:
            return self.random.choice(good)
        while len(file.fds) > 4:
            self.close(file)
        return self.open(file, os.O_RDWR | os.O_CREAT)

    def close(self, file):
        if file.fds:
            pair, _ = file.fds.pop(self.random.randrange(len(file.fds)))
            self.note("close", file.name, pair[0])
            self.both(os.close, pair)

    def size(self, fds):
        return os.fstat(fds[1]).st_size

    def length(self):
        """Mostly small, sometimes of a page or a part, or next to it."""
        r = self.random
        large = r.randrange(1, self.change_max)
        n = r.choice([r.randrange(1, 20), r.randrange(1, 5000), 4096, large])
        return max(1, n + r.choice([0, 0, 0, -1, 1]))

    def offset(self, size, room):
        r = self.random
        at = r.choice([0, size, r.randrange(size + 1), r.randrange(self.size_max)])
        return min(at, self.size_max - room)

    def data(self, n):
        return (self.random.randbytes(min(n, 61)) * (n // 61 + 1))[:n]

    # ---- operations

    def write(self, file):
        fds, n = self.descriptor(file), self.length()
        at = self.offset(self.size(fds), n)
        self.note("write", file.name, fds[0], at, n)
        assert self.both(os.pwrite, fds, self.data(n), at) == n

    def stream(self, file):
        """One piece behind the other, as a copy does; sometimes the beginning is changed then."""
        fds, n = self.descriptor(file), self.random.randrange(1, self.change_max)
        at = self.offset(self.size(fds), 4 * n)
        self.note("stream", file.name, fds[0], at, 4 * n)
        for _ in range(4):
            assert self.both(os.pwrite, fds, self.data(n), at) == n
            at += n
        if self.random.random() < 0.5:
            self.note("header", file.name)
            self.both(os.pwrite, fds, b"header", self.random.randrange(100))

    def append(self, file):
        n = self.length()
        if not file.fds or os.stat(self.paths(file)[1]).st_size + n > self.size_max:
            return
        pair = self.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.note("append", file.name, pair[0], n)
        assert self.both(os.write, pair, self.data(n)) == n

    def drop_cache(self, fds):
        if self.random.random() < 0.5:
            os.posix_fadvise(fds[0], 0, 0, os.POSIX_FADV_DONTNEED)

    def read(self, file):
        fds, n = self.descriptor(file), self.length()
        at = self.offset(self.size(fds), n)
        self.note("read", file.name, fds[0], at, n)
        self.drop_cache(fds)
        self.same(os.pread(fds[0], n, at), os.pread(fds[1], n, at), at)

    def same(self, got, wanted, at=0):
        if got == wanted:
            return
        assert len(got) == len(wanted), f"{len(got)} bytes at {at} instead of {len(wanted)}"
        first = next(i for i in range(len(got)) if got[i] != wanted[i])
        raise AssertionError(f"byte {at + first} differs")

    def truncate(self, file):
        fds = self.descriptor(file)
        size = self.offset(self.size(fds), 0)
        self.note("ftruncate", file.name, fds[0], self.size(fds), size)
        self.both(os.ftruncate, fds, size)

    def truncate_path(self, file):
        if file.fds:
            size = self.offset(self.size(file.fds[0][0]), 0)
            self.note("truncate", file.name, size)
            self.both(os.truncate, self.paths(file), size)

    def truncate_closed(self, file):
        self.descriptor(file)
        while file.fds:
            self.close(file)
        size = self.offset(os.stat(self.paths(file)[1]).st_size, 0)
        self.note("truncate, closed", file.name, size)
        self.both(os.truncate, self.paths(file), size)

    def trunc_open(self, file):
        self.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC)

    def allocate(self, file):
        fds, n = self.descriptor(file), self.length()
        at = self.offset(self.size(fds), n)
        self.note("fallocate", file.name, fds[0], at, n)
        self.both(os.posix_fallocate, fds, at, n)

    def mapped(self, file):
        fds = self.descriptor(file)
        size = self.size(fds)
        if not size:
            return
        n = min(size, self.length())
        at = self.random.randrange(size - n + 1)
        data = self.data(n)
        keep = self.random.random()
        self.note("mapped write", file.name, fds[0], at, n, keep)
        for fd in fds:
            with mmap.mmap(fd, size) as m:
                m[at : at + n] = data
                if keep < 0.3:
                    m.flush()

    def mapped_read(self, file):
        fds = self.descriptor(file)
        size = self.size(fds)
        if not size:
            return
        self.note("mapped read", file.name, fds[0], size)
        self.drop_cache(fds)
        with mmap.mmap(fds[0], size, prot=mmap.PROT_READ) as m:
            self.same(m[:], os.pread(fds[1], size, 0))

    def copy(self, file):
        """copy_file_range: what it copies, and how much of it, is a matter of sizes."""
        other = self.random.choice(self.files)
        dst = self.descriptor(file)
        src = dst if other is file else self.descriptor(other)
        n = self.random.randrange(1, self.size_max)
        at = self.offset(self.size(src), 0)
        to = self.offset(self.size(dst), n)
        n = min(n, max(self.size(src) - at, 0))
        if other is file and abs(at - to) < n:
            return
        self.note("copy", other.name, src[0], at, "to", file.name, dst[0], to, n)
        done = 0
        while done < n:
            step = os.copy_file_range(src[0], dst[0], n - done, at + done, to + done)
            assert step > 0, f"nothing was copied of {n - done} bytes"
            done += step
        data = os.pread(src[1], n, at)
        if data:
            os.pwrite(dst[1], data, to)

    def fsync(self, file):
        fds = self.descriptor(file)
        self.note("fsync", file.name, fds[0])
        self.both(os.fsync, fds)

    def dup_close(self, file):
        fds = self.descriptor(file)
        self.note("dup, close", file.name, fds[0])
        for fd in fds:
            os.close(os.dup(fd))

    def rename(self, file):
        """To a new name, or over another file, whose descriptors then have none."""
        self.descriptor(file)
        old = self.paths(file)
        if self.random.random() < 0.5:
            self.names += 1
            name = f"f{self.names}"
        else:
            other = self.random.choice(self.files)
            if other is file:
                return
            self.descriptor(other)
            name = other.name
            self.nameless += [pair for pair, _ in other.fds]
            other.fds = []
            self.names += 1
            other.name = f"f{self.names}"
        self.note("rename", file.name, "to", name)
        file.name = name
        self.both(os.rename, old, self.paths(file))

    def unlink(self, file):
        self.descriptor(file)
        self.note("unlink", file.name)
        self.both(os.unlink, self.paths(file))
        self.nameless += [pair for pair, _ in file.fds]
        file.fds = []

    def nameless_use(self, _):
        """A file without a name goes on as any other."""
        if not self.nameless:
            return
        fds = self.nameless.pop(self.random.randrange(len(self.nameless)))
        self.note("without a name", fds[0], self.size(fds))
        try:
            size = self.size(fds)
            self.same(os.pread(fds[0], size, 0), os.pread(fds[1], size, 0))
            n = self.length()
            at = self.offset(size, n)
            self.both(os.pwrite, fds, self.data(n), at)
            self.drop_cache(fds)
            half = at // 2
            self.same(os.pread(fds[0], size + n, half), os.pread(fds[1], size + n, half))
            self.both(os.fsync, fds)
        except OSError as e:
            assert e.errno == 9, e  # it was opened for writing only
        if self.random.random() < 0.5 or len(self.nameless) > 6:
            self.both(os.close, fds)
        else:
            self.nameless.append(fds)

    def stat(self, file):
        fds = self.descriptor(file)
        assert os.fstat(fds[0]).st_size == self.size(fds), "fstat"
        assert os.stat(self.paths(file)[0]).st_size == self.size(fds), "stat"

    # ---- the run

    OPERATIONS = {
        write: 20, stream: 4, append: 5, read: 12, truncate: 4, truncate_path: 2,
        truncate_closed: 2, trunc_open: 1, allocate: 2, mapped: 4, mapped_read: 2, copy: 8,
        fsync: 3, dup_close: 2, rename: 2, unlink: 1, nameless_use: 3, stat: 3,
    }  # fmt: skip

    def check_all(self):
        for file in self.files:
            if not os.path.exists(self.paths(file)[1]):
                continue
            self.note("check", file.name)
            with open(self.paths(file)[0], "rb") as a, open(self.paths(file)[1], "rb") as b:
                self.same(a.read(), b.read())

    def run(self, count):
        operations, weights = zip(*self.OPERATIONS.items())
        for i in range(count):
            operation = self.random.choices(operations, weights)[0]
            operation(self, self.random.choice(self.files))
            if self.random.random() < 0.15:
                self.close(self.random.choice(self.files))
            if i % 200 == 199:
                self.check_all()
        for file in self.files:
            while file.fds:
                self.close(file)
        for fds in self.nameless:
            self.both(os.close, fds)
        self.check_all()
        # Names that hold nothing: the model's are what the mount must have.
        assert sorted(os.listdir(self.roots[0])) == sorted(os.listdir(self.roots[1])), "names"


def main(mount, model, seed, count, kind="small"):
    test = Test(mount, model, int(seed), kind)
    try:
        test.run(int(count))
    except BaseException:
        print("\n".join(test.log))
        print(f"To repeat it: fsx.py MOUNT MODEL {seed} {count} {kind}", flush=True)
        raise


main(*sys.argv[1:])
