/* Turns r->answer into libmicrohttpd's response. */
#ifndef S3D_ANSWER_H
#define S3D_ANSWER_H

#include <microhttpd.h>

struct req;

/* Queues the answer; MHD_NO closes the connection. Call once a request. */
enum MHD_Result answer_send(struct req *r);

#endif
