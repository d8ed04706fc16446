#!/usr/bin/python3
"""tests/integ/s3.py: S3 through a client that is not ours (boto3), for the integration tests.

Environment: S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.

  mkbucket B             ls B [PREFIX] [--meta] [--files]   put B KEY [FILE] [name=value...]
  get B KEY              head B KEY                         del B KEY
  fetch B PREFIX DIR     modified B KEY
  show B KEY             tag B KEY [name=value...]
  versioning B STATUS    versions B [PREFIX]   unversion B KEY ID
  puts B                 putfiles B PREFIX FILE...          seed B PREFIX COUNT SIZE
  uploads B              deny B ACTION KEY...               stat URL OPERATION [FIELD]
  compare DIR

`ls` prints KEY <tab> SIZE <tab> ETAG, sorted by key, the key without PREFIX and percent-encoded;
--meta adds what HeadObject says (content type and user metadata) as JSON; --files leaves directory
markers (keys that end in a slash) out. `put` takes user metadata, type=CONTENT-TYPE, and any other
parameter of PutObject as @Name=value (true: the flag); `show` prints what HeadObject and
GetObjectTagging say, one "name value" a line, sorted; `tag` sets all tags. `puts` reads lines
"ENCODED-KEY SIZE" from standard input.
`versions` prints KEY <tab> SIZE or "gone" <tab> ID of every version, those of a key newest first.
`unversion` removes one version for good.
`deny` sets a bucket policy that refuses ACTION (s3:PutObject, ...) on the keys. `uploads` prints
multipart uploads that were neither completed nor aborted. `stat` asks the control URL of s3d.
`compare` compares the mounts below DIR with what S3 holds (compare.py).

  serve SOCKET           loads boto3 once, then runs each command in a fork of itself; with
                         S3PY_SOCKET in the environment a command is handed to that server, with
                         its environment, directory, mount namespace and standard files.
"""
import json
import os
import socket
import sys

sys.dont_write_bytecode = True
# What a command needs is loaded where it runs: the client's side of `serve` needs none of it.
THREADS = 12
MESSAGE_MAX = 200000


def client():
    import boto3
    import botocore.config

    return boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT"],
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
        config=botocore.config.Config(
            max_pool_connections=THREADS,
            s3={"addressing_style": "path"},
            proxies={},
            retries={"max_attempts": 2},
        ),
    )


def encoded(key):
    import urllib.parse

    return urllib.parse.quote(key, safe="/")


def every_key(s3, bucket, prefix):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        yield from page.get("Contents", [])


def head_line(s3, bucket, key):
    head = s3.head_object(Bucket=bucket, Key=key)
    return json.dumps(
        {
            "type": head.get("ContentType"),
            "cache": head.get("CacheControl"),
            "encoding": head.get("ContentEncoding"),
            "meta": head.get("Metadata"),
        },
        sort_keys=True,
    )


def in_threads(function, items):
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, items))


def ls(bucket, *args):
    options = [a for a in args if a.startswith("--")]
    prefix = ([a for a in args if not a.startswith("--")] or [""])[0]
    s3 = client()
    found = sorted(every_key(s3, bucket, prefix), key=lambda o: o["Key"].encode())
    if "--files" in options:
        found = [o for o in found if not o["Key"].endswith("/")]
    heads = [""] * len(found)
    if "--meta" in options:
        heads = in_threads(lambda o: "\t" + head_line(s3, bucket, o["Key"]), found)
    for o, head in zip(found, heads):
        etag = o["ETag"].strip('"')
        print(f"{encoded(o['Key'][len(prefix):])}\t{o['Size']}\t{etag}{head}")


def mkbucket(bucket):
    client().create_bucket(Bucket=bucket)


def put(bucket, key, *args):
    body = b""
    more = {"Metadata": {}}
    for arg in args:
        name, is_pair, value = arg.partition("=")
        if not is_pair:
            with open(arg, "rb") as f:
                body = f.read()
        elif name.startswith("@"):
            more[name[1:]] = True if value == "true" else value
        elif name == "type":
            more["ContentType"] = value
        else:
            more["Metadata"][name] = value
    client().put_object(Bucket=bucket, Key=key, Body=body, **more)


def content(key, size):
    seed = (key + "\n").encode()
    return (seed * (size // len(seed) + 1))[:size]


def puts(bucket, *_):
    import urllib.parse

    s3 = client()
    pairs = [line.rsplit(" ", 1) for line in sys.stdin.read().splitlines()]

    def one(pair):
        key = urllib.parse.unquote(pair[0])
        s3.put_object(Bucket=bucket, Key=key, Body=content(key, int(pair[1])))

    in_threads(one, pairs)


def putfiles(bucket, prefix, *files):
    s3 = client()
    for file in files:
        s3.upload_file(file, bucket, prefix + os.path.basename(file))


def seed(bucket, prefix, count, size):
    s3 = client()

    def one(i):
        key = f"{prefix}f{i:06d}"
        s3.put_object(Bucket=bucket, Key=key, Body=content(key, int(size)))

    in_threads(one, range(int(count)))


def get(bucket, key):
    sys.stdout.buffer.write(client().get_object(Bucket=bucket, Key=key)["Body"].read())


def fetch(bucket, prefix, to):
    """What is below PREFIX as files, directories and links (modes and links as s3fs keeps them)."""
    import stat as st

    s3 = client()

    def one(o):
        got = s3.get_object(Bucket=bucket, Key=o["Key"])
        body, mode = got["Body"].read(), int(got["Metadata"].get("mode", "0"))
        path = os.path.join(to, o["Key"][len(prefix) :])
        os.makedirs(path if path.endswith("/") else os.path.dirname(path), exist_ok=True)
        if st.S_ISLNK(mode):
            os.symlink(body, path)
            return
        if not path.endswith("/"):
            with open(path, "wb") as f:
                f.write(body)
        if mode:
            os.chmod(path, st.S_IMODE(mode))

    os.makedirs(to, exist_ok=True)
    in_threads(one, every_key(s3, bucket, prefix))


def head(bucket, key):
    import botocore.exceptions

    try:
        h = client().head_object(Bucket=bucket, Key=key)
    except botocore.exceptions.ClientError as e:
        print(e.response["ResponseMetadata"]["HTTPStatusCode"])
        sys.exit(1)
    print(h["ContentLength"], h["ETag"].strip('"'), json.dumps(h["Metadata"], sort_keys=True))


def modified(bucket, key):
    print(int(client().head_object(Bucket=bucket, Key=key)["LastModified"].timestamp()))


def delete(bucket, key):
    client().delete_object(Bucket=bucket, Key=key)


def show(bucket, key):
    s3 = client()
    head = s3.head_object(Bucket=bucket, Key=key)
    for dropped in "ResponseMetadata", "AcceptRanges", "LastModified", "ContentLength", "ETag":
        head.pop(dropped, None)
    head.pop("ExpiresString", None)
    head.pop("TagCount", None)
    lines = {f"meta.{k}": v for k, v in head.pop("Metadata").items()}
    tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    lines |= {f"tag.{t['Key']}": t["Value"] for t in tags}
    lines |= head
    for name in sorted(lines):
        print(name, lines[name])


def tag(bucket, key, *pairs):
    tags = [dict(zip(("Key", "Value"), p.split("=", 1))) for p in pairs]
    client().put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": tags})


def deny(bucket, action, *keys):
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": [action],
        "Resource": [f"arn:aws:s3:::{bucket}/{k}" for k in keys],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def versioning(bucket, status):
    client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def versions(bucket, prefix=""):
    pages = client().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    rows = [r for page in pages for r in page.get("Versions", []) + page.get("DeleteMarkers", [])]
    rows.sort(key=lambda r: (r["Key"].encode(), not r["IsLatest"], -r["LastModified"].timestamp()))
    for r in rows:
        print(f"{encoded(r['Key'])}\t{r.get('Size', 'gone')}\t{r['VersionId']}")


def unversion(bucket, key, version):
    client().delete_object(Bucket=bucket, Key=key, VersionId=version)


def uploads(bucket):
    for upload in client().list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        print(encoded(upload["Key"]))


def stat(url, operation, field="requests"):
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url + "/-/stats") as reply:
        stats = json.load(reply)
    if operation in stats:  # a figure of the server, not of an operation
        print(stats[operation])
        return
    counters = stats["ops"].get(operation, {})
    print(counters.get(field, 0))


def compare(work):
    import compare as comparison

    comparison.main(client, work)


COMMANDS = {
    "compare": compare,
    "mkbucket": mkbucket,
    "ls": ls,
    "put": put,
    "puts": puts,
    "putfiles": putfiles,
    "seed": seed,
    "get": get,
    "fetch": fetch,
    "head": head,
    "modified": modified,
    "del": delete,
    "show": show,
    "tag": tag,
    "deny": deny,
    "uploads": uploads,
    "versioning": versioning,
    "versions": versions,
    "unversion": unversion,
    "stat": stat,
}


def enter(namespace):
    """The mount namespace that the descriptor stands for (setns(2))."""
    import ctypes

    if not os.path.samestat(os.fstat(namespace), os.stat("/proc/self/ns/mnt")):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace, 0):
            raise OSError(ctypes.get_errno(), "setns")
    os.close(namespace)


def answer(conn):
    """One command, in a fork of the server: as if it had been started where it was asked for."""
    message, fds, _, _ = socket.recv_fds(conn, MESSAGE_MAX, 4)
    asked = json.loads(message)
    enter(fds.pop())
    for i, fd in enumerate(fds):
        os.dup2(fd, i)
        os.close(fd)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    code = 1
    try:
        COMMANDS[asked["argv"][0]](*asked["argv"][1:])
        sys.stdout.flush()
        code = 0
    except SystemExit as e:
        sys.stdout.flush()
        if isinstance(e.code, str):
            print(e.code, file=sys.stderr)
        code = 1 if isinstance(e.code, str) else e.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    conn.send(bytes([code]))
    os._exit(code)


def serve(path):
    import concurrent.futures  # noqa: F401 - loaded for the forks
    import ctypes  # noqa: F401
    import signal
    import urllib.request  # noqa: F401

    import compare  # noqa: F401

    # The first client of a session loads the description of S3, which later ones share.
    os.environ.update(
        S3_ENDPOINT="http://127.0.0.1:1",
        AWS_ACCESS_KEY_ID="none",
        AWS_SECRET_ACCESS_KEY="none",
        AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
    )
    client()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    while True:
        conn, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            answer(conn)
        conn.close()


def ask(path, argv):
    conn = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    conn.connect(path)
    message = {"argv": argv, "cwd": os.getcwd(), "env": dict(os.environ)}
    namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    socket.send_fds(conn, [json.dumps(message).encode()], [0, 1, 2, namespace])
    code = conn.recv(1)
    if not code:
        print(f"s3.py: {argv[0]} was ended: does a mount hang?", file=sys.stderr)
    return code[0] if code else 1


def main(argv):
    if len(argv) == 2 and argv[0] == "serve":
        serve(argv[1])
    elif not argv or argv[0] not in COMMANDS:
        sys.exit(__doc__)
    elif "S3PY_SOCKET" in os.environ:
        sys.exit(ask(os.environ["S3PY_SOCKET"], argv))
    else:
        COMMANDS[argv[0]](*argv[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
