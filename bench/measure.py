"""bench/measure.py: starts the programs of the benchmark and measures them. Used by bench/run."""
import json
import os
import select
import signal
import subprocess
import time
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDBENCH00000000001",
    "AWS_SECRET_ACCESS_KEY": "bench/secret+00000000000000000000000001",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "no_proxy": "127.0.0.1",
    "NO_PROXY": "127.0.0.1",
}
SETTINGS_OF_THE_USER = (
    "AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3 AWS_REGION"
).split()
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k not in SETTINGS_OF_THE_USER}
    env.update(KEYS)
    env.update(more)
    return env


def cpu_of(pid):
    """Seconds of CPU that a running process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_of(pid):
    """The most memory, in MB, that a running process has had resident (VmHWM)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1000
    return 0.0


class Server:
    """s3d of its own, ended at the end of the `with`."""

    def __init__(self, program, *args):
        self.process = subprocess.Popen(
            [program, "--port", "0", "--die-with-parent", "--bucket", "bench"]
            + ["--access-key", KEYS["AWS_ACCESS_KEY_ID"]]
            + ["--secret-key", KEYS["AWS_SECRET_ACCESS_KEY"]]
            + list(args),
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        line = self.process.stdout.readline()
        if "listening on " not in line:
            raise SystemExit("bench: s3d did not start")
        self.url = line.split("listening on ")[1].strip()

    def control(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + "/-/" + path, method=method, data=body and json.dumps(body).encode()
        )
        with OPENER.open(request) as reply:
            return reply.read()

    def seed(self, prefix, count, size):
        body = {"bucket": "bench", "prefix": prefix, "count": count, "size": size}
        self.control("POST", "seed", body)

    def reset(self):
        self.control("POST", "stats/reset", {})

    def requests(self):
        """{operation: requests} since the last reset, without operations that had none."""
        operations = self.stats()["ops"]
        return {op: c["requests"] for op, c in operations.items() if c.get("requests")}

    def stats(self):
        return json.loads(self.control("GET", "stats"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Mount:
    """A FUSE daemon in the foreground, mounted at a directory of its own; its log is beside it."""

    def __init__(self, where, command, env=None):
        self.where = where
        os.makedirs(where, exist_ok=True)
        with open("/proc/self/mountinfo", encoding="utf-8") as table, open(
            where + ".log", "a", encoding="utf-8"
        ) as log:
            self.process = subprocess.Popen(
                command + [where], env=env or environment(), stderr=log, stdout=log
            )
            poll = select.poll()
            poll.register(table, select.POLLPRI)
            while not os.path.ismount(where):
                if self.process.poll() is not None:
                    with open(where + ".log", encoding="utf-8") as log:
                        raise SystemExit(f"bench: {command[0]} did not mount: {log.read()}")
                poll.poll(100)

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.where], check=False)
        self.process.wait()


class Figures:
    """What one command took: wall and CPU seconds, peak MB, exit code, requests."""

    def __init__(self):
        self.wall = self.cpu = self.peak = 0.0
        self.code = 0
        self.requests = {}


def measure(command, daemon=None, server=None, env=None):
    """Runs a command. CPU is of the command and the daemon; peak is the daemon's, if there is
    one, else the command's."""
    figures = Figures()
    before = cpu_of(daemon) if daemon else 0.0
    if server:
        server.reset()
    start = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=env or environment()
    )
    _, status, usage = os.wait4(process.pid, 0)
    figures.wall = time.monotonic() - start
    process.returncode = figures.code = os.waitstatus_to_exitcode(status)
    figures.cpu = usage.ru_utime + usage.ru_stime
    figures.peak = usage.ru_maxrss / 1000
    if daemon:
        figures.cpu += cpu_of(daemon) - before
        figures.peak = peak_of(daemon)
    if server:
        figures.requests = server.requests()
    return figures
