/* The control URLs below /-/: see the table in control.c. */
#ifndef S3D_CONTROL_H
#define S3D_CONTROL_H

struct req;

/* Answers a control request; only for clients on loopback. */
void control_run(struct req *r);

#endif
