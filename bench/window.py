"""bench/window.py: how the window finds a server's limit and latency by itself. Used by bench/run.

cp -r with no option set, against servers of one partition that take so many writes a second and
answer a copy after so many milliseconds. Beside the wall time: the ideal N/rate, the share of
requests that were answered 503 after the first second, and how many were in flight at most.
"""
import os
import subprocess
import threading
import time

from measure import Mount, Server, environment

# objects, writes a second, ms a copy, what is wanted at most of the ideal time
CASES = (
    (100000, 3500, 60, 1.1),
    (20000, 3500, 5, 1.1),
    (20000, 3500, 300, None),
    (500, 50, 20, None),
)
SHARE_MAX = 0.03


def throttled(s3d):
    copies = s3d.stats()["ops"]["CopyObject"]
    return copies["requests"], copies["throttled"]


def copy_once(s3d, where):
    """Wall seconds, exit code, and the share of 503 after the first second."""
    early = []
    s3d.reset()
    start = time.monotonic()
    timer = threading.Timer(1, lambda: early.append(throttled(s3d)))
    timer.start()
    code = subprocess.run(["cp", "-r", f"{where}/src", f"{where}/dst"], check=False).returncode
    wall = time.monotonic() - start
    timer.cancel()
    timer.join()
    requests, refused = throttled(s3d)
    if early:
        requests -= early[0][0]
        refused -= early[0][1]
    return wall, code, refused / max(requests, 1)


def run_case(programs, work, count, rate, ms):
    s3d_program, s3bulkfs = programs
    latency = f"*=5,CopyObject={ms}"
    with Server(s3d_program, "--latency-ms", latency, "--rate", str(rate)) as s3d:
        s3d.seed("src/", count, 1000)
        command = [s3bulkfs, "-f", "-o", f"endpoint_url={s3d.url}", "bench"]
        with Mount(os.path.join(work, "window"), command, environment()) as mount:
            wall, code, share = copy_once(s3d, mount.where)
            return wall, code, share, s3d.stats()["in_flight_peak"]


def bench_window(s3d_program, s3bulkfs, work):
    print(f"\n{'the window':10} {'N':>7} {'limit':>7} {'latency':>8} {'wall s':>8} {'N/limit':>8}"
          f" {'x':>6} {'503 after 1 s':>14} {'in flight':>10}")
    for count, rate, ms, most in CASES:
        wall, code, share, peak = run_case((s3d_program, s3bulkfs), work, count, rate, ms)
        ideal = count / rate
        wanted = ""
        if most:
            met = "reached" if wall / ideal <= most and share < SHARE_MAX else "NOT REACHED"
            wanted = f"  target {most}x, under {SHARE_MAX:.0%}: {met}"
        failed = f"  EXIT {code}" if code else ""
        print(f"{'cp -r':10} {count:7} {rate:5}/s {ms:5} ms {wall:8.2f} {ideal:8.2f}"
              f" {wall / ideal:6.2f} {share:14.2%} {peak:10}{wanted}{failed}", flush=True)
