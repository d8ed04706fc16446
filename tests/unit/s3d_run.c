/*
 * s3d as a child: see s3d_run.h. Blocking calls; the child dies with its parent. Failures of the
 * surroundings end the program with a sentence: no test result would mean anything.
 */
#include "s3d_run.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "util/buf.h"

static void fail(const char *what)
{
	fprintf(stderr, "s3d_run: %s\n", what);
	exit(99);
}

static void child(int out)
{
	const char *path = getenv("S3D");

	path = path && path[0] ? path : "tests/s3d/s3d";
	if (dup2(out, STDOUT_FILENO) < 0)
		_exit(126);
	execl(path, path, "--die-with-parent", "--port", "0", "--region", "us-east-1", "--bucket",
		"bkt", "--bucket", "two", "--bucket", "far@eu-west-1", "--access-key", "s3dkey",
		"--secret-key", "s3dsecret", (char *)NULL);
	_exit(127);
}

void s3d_start(struct s3d *s)
{
	int fds[2];
	char line[256];
	FILE *out;

	if (pipe(fds) < 0)
		fail("no pipe");
	s->pid = fork();
	if (s->pid < 0)
		fail("no fork");
	if (s->pid == 0)
		child(fds[1]);
	close(fds[1]);
	out = fdopen(fds[0], "r");
	if (!out || !fgets(line, sizeof(line), out) ||
		sscanf(line, "listening on http://127.0.0.1:%d", &s->port) != 1)
		fail("s3d does not start: build it, or name it in the environment variable S3D");
	fclose(out);
	snprintf(s->endpoint, sizeof(s->endpoint), "http://127.0.0.1:%d", s->port);
}

void s3d_stop(struct s3d *s)
{
	int status;

	kill(s->pid, SIGTERM);
	if (waitpid(s->pid, &status, 0) != s->pid || !WIFEXITED(status) || WEXITSTATUS(status))
		fail("s3d ended badly");
}

static int dial(const struct s3d *s)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		fail("cannot reach s3d");
	return fd;
}

char *s3d_control(const struct s3d *s, const char *method, const char *path, const char *body)
{
	struct buf b = BUF_INIT((size_t)64 << 20);
	char chunk[4096], *text, *start;
	int fd = dial(s);
	ssize_t n;

	buf_addf(&b,
		"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		method, path, strlen(body), body);
	if (send(fd, b.ptr, b.len, MSG_NOSIGNAL) != (ssize_t)b.len)
		fail("cannot send to s3d");
	buf_cut(&b, 0);
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		buf_add(&b, chunk, (size_t)n);
	close(fd);
	start = strstr(buf_str(&b), "\r\n\r\n");
	if (!start || strncmp(b.ptr, "HTTP/1.1 2", 10) != 0) {
		fprintf(stderr, "%s %s %s: %s\n", method, path, body, buf_str(&b));
		fail("s3d refuses a control request");
	}
	text = strdup(start + 4);
	buf_free(&b);
	return text;
}

void s3d_tell(const struct s3d *s, const char *method, const char *path, const char *body)
{
	free(s3d_control(s, method, path, body));
}

unsigned s3d_requests(const struct s3d *s, const char *op)
{
	char *text = s3d_control(s, "GET", "/-/stats", "");
	cJSON *json = cJSON_Parse(text), *ops, *one;
	unsigned n = 0;

	if (!json)
		fail("s3d's statistics are no JSON");
	ops = cJSON_GetObjectItem(json, "ops");
	one = ops ? cJSON_GetObjectItem(ops, op) : NULL;
	if (one)
		n = (unsigned)cJSON_GetNumberValue(cJSON_GetObjectItem(one, "requests"));
	cJSON_Delete(json);
	free(text);
	return n;
}
