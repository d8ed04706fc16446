/* The test server s3d (tests/s3d) as a child of a test program, and its control URLs. */
#ifndef TESTS_UNIT_S3D_RUN_H
#define TESTS_UNIT_S3D_RUN_H

#include <sys/types.h>

struct s3d {
	pid_t pid;
	int port;
	char endpoint[64]; /* http://127.0.0.1:PORT */
};

/*
 * Starts $S3D, or tests/s3d/s3d of the build folder, on a free port, with buckets "bkt" and "two",
 * and "far" in region eu-west-1; key "s3dkey", secret "s3dsecret". Ends the program if it cannot.
 */
void s3d_start(struct s3d *s);
void s3d_stop(struct s3d *s);
/* A control request (tests/s3d/control.c). Returns the body, owned; ends the program on a failure.
 */
char *s3d_control(const struct s3d *s, const char *method, const char *path, const char *body);
/* The same where the answer does not matter. */
void s3d_tell(const struct s3d *s, const char *method, const char *path, const char *body);
/* A counter of GET /-/stats: "requests" of operation `op`. */
unsigned s3d_requests(const struct s3d *s, const char *op);

#endif
