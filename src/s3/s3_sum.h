/*
 * Checksums of bodies: what is sent has one that S3 compares, what is read is compared with the one
 * that S3 sends ("Checking object integrity", S3 User Guide). A header that a server refuses is
 * left out from then on.
 */
#ifndef S3_S3_SUM_H
#define S3_S3_SUM_H

#include <stdbool.h>
#include <stddef.h>

#include "s3/s3_sign.h"
#include "util/bytes.h"

struct s3_op;
struct s3_client;

/* What an operation says about checksums. */
enum s3_sum {
	S3_SUM_NONE,
	S3_SUM_MD5,       /* Content-MD5 of the body */
	S3_SUM_CRC32C,    /* x-amz-checksum-crc32c of the body */
	S3_SUM_ALGORITHM, /* the upload's object gets a check of the whole */
	S3_SUM_MODE       /* the answer is to have it */
};

/* What a server may refuse apart from the others. */
enum s3_sum_group { S3_SUMS_PUT, S3_SUMS_UPLOAD, S3_SUMS_READ, S3_SUM_GROUPS };

struct s3_sums {
	enum s3_sum body; /* of what is sent: NONE, MD5 or CRC32C */
	bool reads;       /* what is read is compared */
	bool told;        /* that the server refuses them */
	enum { S3_SUMS_UNKNOWN, S3_SUMS_TAKEN, S3_SUMS_REFUSED } state[S3_SUM_GROUPS];
};

/* x-amz-checksum-algorithm, -type; the most that one operation has. */
#define S3_SUM_HEADERS 2

/*
 * Decides for a new client whose settings and address are known. False with one sentence in `why`
 * when what was asked for is not to be had. Core thread, as what follows.
 */
bool s3_sum_choose(struct s3_client *c, char *why, size_t why_size);
/* Of a new operation with a body. */
void s3_sum_body(struct s3_op *op, enum s3_sum_group group);
/*
 * Of a CreateMultipartUpload: `algorithm` of a copy's source; NULL: that of what is sent. Only
 * where CRC-32C is sent: MinIO knows no checksums of the whole of an upload (minio/minio issue
 * 20944).
 */
void s3_sum_upload(struct s3_op *op, const char *algorithm);
/* Of a read, or a HEAD: its answer is to have the object's checksum. */
void s3_sum_ask(struct s3_op *op);
/* The answer is a success. */
void s3_sum_served(struct s3_op *op);
/* True when it is a failure that may be about the checksum: the operation goes on without one. */
bool s3_sum_correct(struct s3_op *op);

/* I/O thread: makes the checksum of the body, once an operation. False when OpenSSL fails. */
bool s3_sum_make(struct s3_op *op);
/* I/O thread: writes the headers that are to be sent; returns how many. */
size_t s3_sum_headers(const struct s3_op *op, struct s3_pair pairs[S3_SUM_HEADERS]);
/*
 * Any thread while the answer is there: NULL, or the name of the answer's header that says that
 * `data`, the whole object, is not what S3 has. That of an upload in parts may be one of the parts'
 * checksums ("COMPOSITE", "...-N"): it says nothing.
 */
const char *s3_sum_differs(const struct s3_op *op, struct bytes data);
/* Any thread: "CRC32", "CRC32C" or "CRC64NVME" of the answer; NULL: it has none of them. */
const char *s3_sum_algorithm(const struct s3_op *op);

#endif
