/* Shared by the daemon's control files only. Core thread. */
#ifndef CLI_CTL_INT_H
#define CLI_CTL_INT_H

#include <cjson/cJSON.h>

#include "cli/ctl_server.h"
#include "util/buf.h"

/* One who asks. A request is answered before the next one is read. */
struct ctl_conn {
	struct ns_call call; /* first: what a request waits for */
	struct ctl *ctl;
	int fd;
	pid_t pid; /* of the peer */
	struct buf in, out;
	size_t sent;
	bool waiting; /* `call` is under way, and parked */
	bool replied; /* `call` has been, perhaps before it was waited for */
	bool hung_up;
	bool ending;      /* has asked for the end of the mount, and hears of it */
	struct walk *run; /* ends with the connection */
	void (*answer)(struct ctl_conn *conn); /* when the call has been replied */
	LIST_ENTRY(ctl_conn) link;
};

struct ctl {
	struct loop *loop;
	struct ns_volume *volume;
	char *mountpoint, *source;
	bool read_only;
	char *path;        /* of the socket */
	uint64_t path_ino; /* to remove only our own */
	int listen_fd;
	struct loop_timer again; /* until it is watched again: there were no descriptors */
	struct loop_fd events;   /* an epoll that watches the listener and the connections */
	LIST_HEAD(, ctl_conn) conns;
	unsigned conn_count;
};

/* ctl_request.c */
void ctl_request(struct ctl_conn *conn, const cJSON *request);
cJSON *ctl_ended(struct ctl *ctl, bool process_ends); /* the last words to who asked for the end */
/* ctl_server.c: queues one line; takes the object. */
void ctl_send(struct ctl_conn *conn, cJSON *answer);
/* Makes the call with `start`; `answer` runs when it has been replied, perhaps at once. */
void ctl_wait(struct ctl_conn *conn, void (*start)(struct ctl_conn *conn),
	void (*answer)(struct ctl_conn *conn));

#endif
