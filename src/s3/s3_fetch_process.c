/*
 * Credentials that a command prints (credential_process). The command's line is split into words as
 * the AWS CLI does, by the quotes of a shell and nothing else of it; no shell runs. The command
 * gets the environment of whoever mounts, a time limit, and a bound on what it may say; it is a
 * process group of its own, all of which is ended with it. Core thread; waits in the loop only.
 * Source: AWS SDKs and Tools reference guide, "Process credential provider"; pidfd_open(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "s3/s3_env.h"
#include "s3/s3_fetch.h"
#include "s3/s3_words.h"
#include "util/mem.h"

#define LIMIT_MS 60000
#define TEXT_BYTES_MAX ((size_t)4 << 10) /* of what it says to the standard error */

struct s3_process {
	struct s3_fetch *fetch;
	pid_t pid;
	struct loop_fd end; /* a pidfd */
	struct loop_fd out, err;
	struct buf out_bytes, err_bytes;
	struct loop_timer timer;
};

static const struct s3_json_names names = {.id = "AccessKeyId",
	.secret = "SecretAccessKey",
	.token = "SessionToken",
	.expires = "Expiration",
	.may_last = true};

/* ---- its end --------------------------------------------------------------------------------- */

static void close_fd(struct loop *loop, struct loop_fd *fd)
{
	if (fd->fd < 0)
		return;
	loop_fd_del(loop, fd);
	close(fd->fd);
	fd->fd = -1;
}

static void wipe(struct buf *b)
{
	if (b->ptr)
		explicit_bzero(b->ptr, b->cap);
	buf_free(b);
}

void s3_process_free(struct s3_process *p)
{
	struct loop *loop;

	if (!p)
		return;
	loop = p->fetch->place->loop;
	if (p->pid > 0) {
		kill(-p->pid, SIGKILL);
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	loop_timer_stop(loop, &p->timer);
	close_fd(loop, &p->end);
	close_fd(loop, &p->out);
	close_fd(loop, &p->err);
	wipe(&p->out_bytes);
	wipe(&p->err_bytes);
	free(p);
}

/*
 * Takes what is there, up to a little beyond the bound: one who writes as fast as we read, and may
 * have been left behind by the command, would keep the core thread here for good.
 */
static void drain(struct loop *loop, struct loop_fd *fd, struct buf *to)
{
	char chunk[4096];
	ssize_t n = -1;

	if (fd->fd < 0)
		return;
	while (!to->failed && (n = read(fd->fd, chunk, sizeof(chunk))) > 0)
		buf_add(to, chunk, (size_t)n);
	explicit_bzero(chunk, sizeof(chunk));
	if (!n)
		close_fd(loop, fd);
}

static void says_too_much(struct s3_process *p)
{
	s3_fetch_bad(p->fetch, "the credential_process of %s prints more than %zu bytes",
		p->fetch->source->name, S3_ASK_BYTES_MAX);
}

static void out_ready(struct loop_fd *fd)
{
	struct s3_process *p = (struct s3_process *)((char *)fd - offsetof(struct s3_process, out));

	drain(p->fetch->place->loop, fd, &p->out_bytes);
	if (p->out_bytes.failed)
		says_too_much(p);
}

static void err_ready(struct loop_fd *fd)
{
	struct s3_process *p = (struct s3_process *)((char *)fd - offsetof(struct s3_process, err));
	char chunk[4096];

	drain(p->fetch->place->loop, fd, &p->err_bytes);
	/* More is not wanted, but whoever writes it shall not wait. */
	if (p->err_bytes.failed && read(fd->fd, chunk, sizeof(chunk)) <= 0 && errno != EAGAIN)
		close_fd(p->fetch->place->loop, fd);
}

static void take_result(struct s3_process *p, int status)
{
	struct s3_fetch *f = p->fetch;
	struct bytes json = buf_bytes(&p->out_bytes);
	struct s3_creds *creds;
	const char *why;

	if (WIFSIGNALED(status)) {
		s3_fetch_bad(f, "the credential_process of %s was ended by signal %d",
			f->source->name, WTERMSIG(status));
	} else if (WEXITSTATUS(status)) {
		s3_fetch_bad(f, "the credential_process of %s failed with exit code %d: %.300s",
			f->source->name, WEXITSTATUS(status),
			p->err_bytes.len ? buf_str(&p->err_bytes) : "it said nothing");
	} else if (p->out_bytes.failed) {
		says_too_much(p);
	} else {
		creds = s3_json_creds(json, NULL, &names, s3_fetch_now_ms(f), &why);
		if (creds)
			s3_fetch_good(f, creds);
		else
			s3_fetch_bad(f,
				"what the credential_process of %s prints %s; it must be JSON "
				"with AccessKeyId and SecretAccessKey",
				f->source->name, why);
	}
}

static void ended(struct loop_fd *fd)
{
	struct s3_process *p = (struct s3_process *)((char *)fd - offsetof(struct s3_process, end));
	struct loop *loop = p->fetch->place->loop;
	int status = 0;

	if (waitpid(p->pid, &status, WNOHANG) != p->pid)
		return;
	/* Whoever it has left behind may hold its output open. */
	kill(-p->pid, SIGKILL);
	p->pid = 0;
	drain(loop, &p->out, &p->out_bytes);
	drain(loop, &p->err, &p->err_bytes);
	close_fd(loop, &p->end);
	take_result(p, status);
}

static void too_late(struct loop_timer *timer)
{
	struct s3_process *p =
		(struct s3_process *)((char *)timer - offsetof(struct s3_process, timer));

	s3_fetch_bad(p->fetch, "the credential_process of %s does not end within %d s",
		p->fetch->source->name, LIMIT_MS / 1000);
}

/* ---- its beginning --------------------------------------------------------------------------- */

/* The program's path, by the PATH of its own environment. Owned; NULL: not found. */
static char *find_program(const char *word, const char *const *env)
{
	const char *at = s3_env(env, "PATH");
	char *path;

	if (strchr(word, '/'))
		return mem_strdup(word);
	if (!at)
		at = "/usr/local/bin:/usr/bin:/bin";
	for (;;) {
		size_t len = strcspn(at, ":");

		path = mem_printf("%.*s/%s", len ? (int)len : 1, len ? at : ".", word);
		if (!access(path, X_OK))
			return path;
		free(path);
		if (!at[len])
			return NULL;
		at += len + 1;
	}
}

/* 0, or an errno. Signals are as a new process expects them. */
static int spawn(struct s3_process *p, char **words, const char *const *env, int out, int err)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	char *path = find_program(words[0], env);
	int r = ENOENT;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, err, 2);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	if (path)
		r = posix_spawn(&p->pid, path, &files, &attr, words, (char *const *)env);
	if (r)
		p->pid = 0;
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	free(path);
	return r;
}

static int watch(struct loop *loop, struct loop_fd *fd, int number, void (*ready)(struct loop_fd *))
{
	fd->fd = number;
	fd->ready = ready;
	return number < 0 ? errno : -loop_fd_add(loop, fd);
}

/* 0, or an errno. */
static int begin(struct s3_process *p, char **words)
{
	struct loop *loop = p->fetch->place->loop;
	int out[2] = {-1, -1}, err[2] = {-1, -1}, r;

	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0)
		r = errno;
	/* The command's ends are ordinary ones. */
	else if (fcntl(out[1], F_SETFL, 0) < 0 || fcntl(err[1], F_SETFL, 0) < 0)
		r = errno;
	else
		r = spawn(p, words, p->fetch->place->env, out[1], err[1]);
	if (out[1] >= 0)
		close(out[1]);
	if (err[1] >= 0)
		close(err[1]);
	if (r) {
		if (out[0] >= 0)
			close(out[0]);
		if (err[0] >= 0)
			close(err[0]);
		return r;
	}
	r = watch(loop, &p->out, out[0], out_ready);
	if (!r)
		r = watch(loop, &p->err, err[0], err_ready);
	else
		close(err[0]);
	return r ? r : watch(loop, &p->end, pidfd_open(p->pid, 0), ended);
}

void s3_fetch_process(struct s3_fetch *f)
{
	struct s3_process *p = mem_zalloc(sizeof(*p));
	char **words = s3_words_split(f->source->command);
	int r = EINVAL;

	p->fetch = f;
	p->end.fd = p->out.fd = p->err.fd = -1;
	p->out_bytes = BUF_INIT(S3_ASK_BYTES_MAX);
	p->err_bytes = BUF_INIT(TEXT_BYTES_MAX);
	p->timer.fire = too_late;
	f->process = p;
	if (words && words[0])
		r = begin(p, words);
	s3_words_free(words);
	if (r)
		s3_fetch_bad(f,
			"the credential_process of %s cannot be run: %s; check its words and "
			"quotes",
			f->source->name, strerrordesc_np(r));
	else
		loop_timer_set(f->place->loop, &p->timer, LIMIT_MS);
}
