#!/usr/bin/python3
"""docs.py FILE MOUNTPOINT: runs the examples of a Markdown file and compares what they print.

An example is a fenced block of the language `console`: lines that begin with `$ ` are run by
bash, what follows must be printed (both outputs; `...` stands for anything within a line),
`[exit code N]` ends the output of a command that fails. /mnt/s3 stands for the mount point. Words
behind the language: `refuse=copy:KEY` and `refuse=delete:KEY` make the test server refuse that
key from then on.
"""
import json
import os
import re
import subprocess
import sys
import urllib.request

RULES = {
    "copy": [{"op": "CopyObject", "status": 403}],
    "delete": [
        {"op": "DeleteObjects", "per_key": True, "in200": True},
        {"op": "DeleteObject", "status": 403},
    ],
}
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def refuse(what, key):
    for rule in RULES[what]:
        body = json.dumps({**rule, "key": key, "code": "AccessDenied"}).encode()
        url = os.environ["S3_ENDPOINT"] + "/-/faults"
        with OPENER.open(urllib.request.Request(url, body, method="POST")) as answer:
            answer.read()


def blocks(text):
    """(words behind the language, lines) of each example."""
    for match in re.finditer(r"^```console *(.*?)\n(.*?)^```$", text, re.M | re.S):
        yield match.group(1).split(), match.group(2).splitlines()


def steps(lines):
    """(command, lines that it prints, exit code)"""
    step = None
    for line in lines:
        code = re.fullmatch(r"\[exit code (\d+)\]", line)
        if line.startswith("$ "):
            if step:
                yield step
            step = (line[2:], [], 0)
        elif code:
            step = (step[0], step[1], int(code.group(1)))
        else:
            step[1].append(line)
    if step:
        yield step


def matches(wanted, got):
    pattern = "\n".join(".*".join(map(re.escape, line.split("..."))) for line in wanted)
    return re.fullmatch(pattern, got.rstrip("\n"))


def main(path, mountpoint):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    count = 0
    for words, lines in blocks(text):
        for word in words:
            refuse(*word.split("=", 1)[1].split(":", 1))
        for command, wanted, code in steps(lines):
            wanted = [line.replace("/mnt/s3", mountpoint) for line in wanted]
            done = subprocess.run(
                ["bash", "-c", command.replace("/mnt/s3", mountpoint)],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            )
            print(f"$ {command}\n{done.stdout}[{done.returncode}]")
            count += 1
            if done.returncode != code or not matches(wanted, done.stdout):
                sys.exit(f"FAILED: {path} says it prints {wanted}, exit code {code}")
    if not count:
        sys.exit(f"FAILED: there are no examples in {path}")


main(*sys.argv[1:])
