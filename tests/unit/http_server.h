/*
 * A small HTTP server inside a test program: one thread a connection, and what it answers is in the
 * path (see http_server.c). Only for tests of src/http.
 */
#ifndef TESTS_UNIT_HTTP_SERVER_H
#define TESTS_UNIT_HTTP_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "util/bytes.h"

struct http_server;

struct http_server *http_server_start(void); /* on a free port of 127.0.0.1; ends the test if not */
/* Answers by `script` instead, which gets a whole request, on a thread of the server's; false ends
 * the connection. Before any request. */
void http_server_script(struct http_server *server,
	bool (*script)(void *ctx, int fd, struct bytes request), void *ctx);
/* Waits for all connections to be closed by the other side. */
void http_server_stop(struct http_server *server);
int http_server_port(const struct http_server *server);
int http_server_connections(struct http_server *server); /* accepted so far */
int http_server_requests(struct http_server *server);    /* read so far */

#endif
