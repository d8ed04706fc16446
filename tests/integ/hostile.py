#!/usr/bin/python3
"""tests/integ/hostile.py: an S3 server that means harm, on a free port; prints "PORT OTHER-PORT".

The bucket's name says what it does. Listings of one key (the look at the bucket by which a mount
begins) are good, others are as bad as said; OTHER-PORT is where redirects lead: what comes there,
and what comes at all, goes to the file that is the argument, a line a request.
"""
import http.server
import sys
import threading
import urllib.parse

CHUNK = b"x" * 65536
TIME = "<LastModified>2024-01-02T03:04:05.000Z</LastModified>"
ETAG = "<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag>"
log = open(sys.argv[1], "w", buffering=1)
other_port = 0
pages = 0


def entry(key, size="3"):
    return f"<Contents><Key>{key}</Key>{TIME}{ETAG}<Size>{size}</Size></Contents>"


def page(entries, token=None):
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return (
        '<?xml version="1.0"?><ListBucketResult><EncodingType>url</EncodingType>'
        f"<IsTruncated>{'true' if token else 'false'}</IsTruncated>{more}{entries}"
        "</ListBucketResult>"
    ).encode()


def run_of(first, step):
    return "".join(entry(f"k{first + i * step:09d}") for i in range(1000))


# Bucket -> what a listing answers; `n` counts its pages, `token` is the one that came.
LISTS = {
    "nul": lambda n, token: page(entry("a%00b") + entry("c")),
    "dots": lambda n, token: page(entry("..%2F..%2Fetc%2Fpasswd") + entry("c")),
    "slash": lambda n, token: page(entry("c%2Fd")),
    "prefix": lambda n, token: page("<CommonPrefixes><Prefix>abc</Prefix></CommonPrefixes>"),
    "outside": lambda n, token: page(entry("elsewhere")),
    "updir": lambda n, token: page(entry("..") + entry(".") + entry("c")),
    "long": lambda n, token: page(entry("n" * 1025)),
    "longer": lambda n, token: page(entry("n" * 2600)),
    "negative": lambda n, token: page(entry("c", "-1")),
    "huge": lambda n, token: page(entry("c", "9223372036854775808")),
    "most": lambda n, token: page(entry("c", "9223372036854775807")),
    "many": lambda n, token: page("".join(entry(f"k{i}") for i in range(5000))),
    "same": lambda n, token: page(entry("c"), "again"),
    "empty": lambda n, token: page("", f"t{n}"),
    "circle": lambda n, token: page(run_of(0, 1), f"t{n}"),
    "pingpong": lambda n, token: page(run_of(n % 2 * 1000, 1), f"t{n % 2}"),
    "backwards": lambda n, token: page(run_of(max(0, 9000 - n * 1000), 1), f"t{n}"),
}
# Bucket -> the beginning of an answer that never ends.
ENDLESS = {
    "big-list": (200, b"<?xml version='1.0'?><ListBucketResult><Contents><Key>"),
    "big-elements": (200, b"<?xml version='1.0'?><ListBucketResult>"),
    "big-error": (403, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>"),
    "big-lead": (200, b""),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def endless(self, status, start, chunk):
        self.send_response(status)
        self.send_header("Content-Length", str(1 << 60))
        self.end_headers()
        self.wfile.write(start)
        while True:
            self.wfile.write(chunk)

    def redirect(self, status, path):
        where = f"http://127.0.0.1:{other_port}{path}"
        self.answer(status, b"", [("Location", where)])

    def head(self, bucket, key):
        if bucket == "head-huge":
            size = [("Content-Length", "9223372036854775808"), ("ETag", '"e"')]
            return self.answer(200, b"", size)
        if bucket == "head-negative":
            return self.answer(200, b"", [("Content-Length", "-7"), ("ETag", '"e"')])
        if bucket == "head-body":
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.send_header("ETag", '"e"')
            self.end_headers()
            while True:
                self.wfile.write(CHUNK)
        if bucket == "head-lines":
            self.send_response(200)
            self.flush_headers()
            while True:
                self.wfile.write(b"X-A: " + b"b" * 1000 + b"\r\n")
        return self.answer(404, b"")

    def listing(self, bucket, query):
        global pages
        if bucket in ENDLESS:
            status, start = ENDLESS[bucket]
            chunk = {"big-elements": b"<a></a>" * 9000, "big-lead": b" " * 65536}
            return self.endless(status, start, chunk.get(bucket, CHUNK))
        if bucket not in LISTS:
            return self.answer(200, page(""))
        token = query.get("continuation-token", [None])[0]
        pages += 1
        return self.answer(200, LISTS[bucket](pages, token))

    def serve(self):
        url = urllib.parse.urlsplit(self.path)
        bucket, _, key = url.path[1:].partition("/")
        query = urllib.parse.parse_qs(url.query)
        signed = "signed" if "Authorization" in self.headers else "unsigned"
        if self.server.server_port == other_port:
            log.write(f"OTHER {self.command} {self.path} {signed}\n")
            return self.answer(200, b"")
        log.write(f"{self.command} {self.path} {signed}\n")
        if "list-type" in query and query["max-keys"] == ["1"]:
            return self.answer(200, page(""))
        if bucket.startswith("redirect-"):
            return self.redirect(int(bucket[9:]), self.path)
        if self.command == "HEAD":
            return self.head(bucket, key)
        if "list-type" in query:
            return self.listing(bucket, query)
        return self.answer(404, b"")

    def do_GET(self):
        try:
            self.serve()
        except OSError:  # it has hung up, as it should
            log.write(f"HUNG-UP {self.path}\n")
            self.close_connection = True

    do_HEAD = do_PUT = do_DELETE = do_GET


def main():
    global other_port
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    other_port = servers[1].server_port
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever).start()
    print(servers[0].server_port, other_port, flush=True)


main()
