#!/usr/bin/python3
"""tests/integ/nomem.py: the commands of faults.py while allocations of the daemon fail.

  nomem.py sample COUNT | sweep STEP [COMMAND] | close | start COUNT

Each command is run once to count the daemon's allocations. Then it is run again and again, each
time with another first allocation that fails, and as many after it as is drawn: COUNT of them at
random, or one in STEP. The seed is printed; NOMEM_SEED repeats it.

What must hold, as S3 itself shows it afterwards: the command has done all of it, or has failed with
an errno that fits; each object is old or new, whole, or what a refused writer had written, and none
is lost; no upload is left open; the daemon lives, has memory again, and the mount shows what is in
S3.

Environment: as for faults.py, and NOMEM (the library of nomem.c).
"""
import errno
import json
import mmap
import os
import random
import struct
import subprocess
import sys
import time
import urllib.parse

import faults

TIMES = (1, 1, 2, 20, 300)
ENOMEM = "Cannot allocate memory"
AGAIN_S = 10  # a shortage is over by then
COMMANDS = [c for c in faults.COMMANDS if c != "abort"]


class Memory:
    """What nomem.c maps."""

    def __init__(self, path):
        with open(path, "wb") as f:
            f.write(bytes(56))
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 56)

    def arm(self, first, times):
        self.map[:] = struct.pack("<7Q", 1, 0, first, times, 0, 0, 0)

    def disarm(self):
        """How many were counted, and have failed."""
        self.map[:8] = bytes(8)
        _, count, _, _, failed, _, _ = struct.unpack("<7Q", self.map[:])
        return count, failed


def wait_for_memory(server, directory):
    end = time.monotonic() + AGAIN_S
    while True:
        try:
            return os.listdir(directory)
        except OSError as e:
            if server.daemon.poll() is not None:
                raise faults.Failure("the daemon has ended") from e
            if e.errno != errno.ENOMEM or time.monotonic() > end:
                raise


def forgive_begun(server, case, after):
    """What was being written when its writer was refused is stored as far as it had come, as on any
    filesystem: for the tables it then counts as new."""
    _, change, text, prefix = case
    after = dict(after)
    for key, new in change.items():
        if not ("$W" in text or text.startswith("cp ")) or not new or key not in after:
            continue
        data = server.ask("GET", "/-/put?bucket=b&key=" + prefix + key)
        if faults.content(new).startswith(data):
            after[key] = faults.checksum(new)
    return after


def check_case(server, directory, case, printed, outcome):
    """Is what the command said true, and nothing lost?"""
    before, change, _, prefix = case
    rc, out, err = outcome
    if rc is None:
        raise faults.Failure("it hangs")
    if server.daemon.poll() is not None:
        raise faults.Failure("the daemon has ended")
    wait_for_memory(server, directory)
    server.rest(directory)
    after = server.objects(prefix)
    begun = after if rc == 0 else forgive_begun(server, case, after)
    faults.check_objects(before, change, begun, rc == 0)
    if rc == 0 and printed is not None and out != printed:
        raise faults.Failure(f"exit code 0, but it printed {out[:100]!r}")
    if rc != 0:
        faults.check_error(err, (ENOMEM,))
    if server.uploads(prefix):
        raise faults.Failure("an upload is left open")
    faults.check_mount(server, directory, after)


def run_case(server, memory, number, command, first, times):
    """What is wrong, or None; the count of allocations; whether one has failed, and the command."""
    before, text, change, _, printed = faults.COMMANDS[command]
    prefix = f"c{number}/"
    directory = server.mnt + "/" + prefix[:-1]
    for key, data in before.items():
        server.put(prefix + key, faults.content(data))
    memory.arm(first, times)
    rc, out, err, took = faults.run_command(text, directory)
    count, failed = memory.disarm()
    problem = None
    try:
        case = (before, change, text, prefix)
        check_case(server, directory, case, printed, (rc, out, err))
    except (faults.Failure, OSError) as e:
        problem = f"{e} [exit {rc}, {took:.1f} s, {err.strip()[:200]}]"
    for line in server.ask("GET", f"/-/dump?bucket=b&prefix={prefix}").splitlines():
        server.ask("DELETE", "/b/" + urllib.parse.quote(json.loads(line)["key"]))
    return problem, count, failed, rc


def close_case(server, memory, number):
    """A file's close while allocation `number` fails: an error, perhaps; but it is closed, so what
    others store afterwards is seen, which it is not of a file that is open for writing."""
    name, key = f"{server.mnt}/closed{number}", f"closed{number}"
    fd = os.open(name, os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"ours")
    os.fsync(fd)
    memory.arm(number, 1)
    # The kernel does not wait for the release that follows: the second call does.
    for call, of in ((os.close, fd), (os.stat, server.mnt)):
        try:
            call(of)
        except OSError as e:
            if e.errno != errno.ENOMEM:
                raise
    _, failed = memory.disarm()
    wait_for_memory(server, server.mnt)
    server.put(key, b"of others")
    end = time.monotonic() + AGAIN_S
    while os.stat(name).st_size != 9:
        if time.monotonic() > end:
            raise faults.Failure(f"allocation {number} of close failed, and it is still open")
    return failed


def closes(server, memory):
    failed = sum(close_case(server, memory, number) for number in range(1, 9))
    return f"# {failed} allocations of close have failed", failed < 4


def start_case(server, memory, first, times):
    """A daemon that is started while allocations fail: it mounts, or says why not."""
    mnt = os.environ["WORK"] + "/started"
    os.makedirs(mnt, exist_ok=True)
    key = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    key |= {"AWS_SESSION_TOKEN": "token", "LD_PRELOAD": os.environ["NOMEM"]}
    key["NOMEM_CONTROL"] = memory.file.name
    memory.arm(first, times)
    options = f"endpoint_url={server.url},timeout={faults.TIMEOUT_S},io_threads=1,private"
    p = subprocess.Popen(
        [os.environ["S3BULKFS"], "-f", "-o", options, "b", mnt],
        env=os.environ | key,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while p.poll() is None and not os.path.ismount(mnt):
        time.sleep(0.002)
    mounted = p.poll() is None
    count, _ = memory.disarm()
    if mounted:
        subprocess.run(["umount", mnt], check=True)
    said = p.communicate(timeout=60)[1].strip()
    if p.returncode != (0 if mounted else 1):
        raise faults.Failure(f"{times} from allocation {first}: {p.returncode}, {said}")
    if not mounted and not said:
        raise faults.Failure(f"{times} from allocation {first}: it does not mount, without a word")
    return count, not mounted


def starts(server, memory, amount, rng):
    count, _ = start_case(server, memory, 0, 0)
    cases = [(rng.randrange(count) + 1, rng.choice(TIMES)) for _ in range(amount)]
    # The last tenth is ours, not that of libraries that read their configuration.
    cases += [(count - rng.randrange(count // 10), TIMES[-1]) for _ in range(amount)]
    failed = bad = 0
    for case in cases:
        try:
            failed += start_case(server, memory, *case)[1]
        except faults.Failure as e:
            print(f"not ok start: {e}")
            bad += 1
    return f"# of {2 * amount} starts with {count} allocations {failed} have failed", bad


def main():
    sys.stdout.reconfigure(line_buffering=True)
    mode, amount = sys.argv[1], int(sys.argv[2] if len(sys.argv) > 2 else 0)
    seed = int(os.environ.get("NOMEM_SEED") or random.SystemRandom().randrange(1 << 30))
    print(f"# NOMEM_SEED={seed}")
    rng = random.Random(seed)
    for name in ("s", "M", "L"):
        with open(f"{os.environ['WORK']}/{name}", "wb") as f:
            f.write(faults.content(name))
    path = os.environ["WORK"] + "/nomem"
    memory = Memory(path)
    server = faults.Server(0, {"LD_PRELOAD": os.environ["NOMEM"], "NOMEM_CONTROL": path})
    if mode in ("close", "start"):
        if mode == "close":
            said, bad = closes(server, memory)
        else:
            said, bad = starts(server, memory, amount, rng)
        print(said)
        return 1 if server.end() or bad else 0
    cases = bad = struck = told = 0
    for command in sys.argv[3:] or COMMANDS:
        problem, count, _, _ = run_case(server, memory, f"{command}-0", command, 0, 0)
        if problem:
            raise SystemExit(f"not ok {command} with all its memory: {problem}")
        firsts = range(1, count + 1, amount)
        if mode == "sample":
            firsts = sorted(rng.randrange(count) + 1 for _ in range(amount))
        for first in firsts:
            times = rng.choice(TIMES)
            problem, _, failed, rc = run_case(
                server, memory, f"{command}-{first}-{cases}", command, first, times
            )
            cases += 1
            struck += failed > 0
            told += rc != 0
            if problem:
                bad += 1
                print(f"not ok {command}: {times} from allocation {first} of {count}: {problem}")
                if server.daemon.poll() is not None:
                    server.end()
                    server = faults.Server(
                        f"-{cases}", {"LD_PRELOAD": os.environ["NOMEM"], "NOMEM_CONTROL": path}
                    )
    print(f"# {cases} cases, {struck} with a failed allocation, {told} failed for it, {bad} wrong")
    end = server.end()
    if end not in (0, 1):
        print(f"not ok: the daemon ended with {end}")
    # Nothing is tested where no allocation fails, or no command notices.
    return 1 if bad or end not in (0, 1) or not struck or not told else 0


if __name__ == "__main__":
    sys.exit(main())
