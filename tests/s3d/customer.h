/*
 * Keys of SSE-C, as requests have them and as objects were made with: of those the MD5 is kept,
 * among the object's metadata. S3 User Guide, "Using server-side encryption with customer-provided
 * keys".
 */
#ifndef S3D_CUSTOMER_H
#define S3D_CUSTOMER_H

#include "req.h"

/* Are the request's three headers, or those about a copy's source, whole and right, or none there?
 * False with an error answer. */
bool customer_key_ok(struct req *r, bool of_source);
/* The same, and does what they say fit an object with `meta`? Control URLs need no key. */
bool customer_key_fits(struct req *r, bool of_source, const struct kvs *meta);
/* Content under the request's key has an ETag that is not its MD5. `data` must not be shared. */
void customer_seal(const struct req *r, struct data *data);

#endif
