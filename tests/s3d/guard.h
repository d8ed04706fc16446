/*
 * Whose buckets are, and who pays: set by POST /-/guard (control.c). A request must name the owner
 * if it names one, and say that the requester pays where that is wanted. S3 User Guide, "Verifying
 * bucket ownership with bucket owner condition", "Using Requester Pays buckets".
 */
#ifndef S3D_GUARD_H
#define S3D_GUARD_H

#include "req.h"

/* Of buckets that were not given another one. */
#define GUARD_OWNER "123456789012"

/* May the request come near its bucket? False with the error answer. */
bool guard_check(struct req *r);
/* The same for the bucket of a copy's source. */
bool guard_check_source(struct req *r, const struct bucket *source);

#endif
