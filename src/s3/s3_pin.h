/*
 * Copies of one version of an object: the server is asked to compare ETags
 * (x-amz-copy-source-if-match). One that does not have this condition is asked for the source's
 * ETag before the copy, and after it unless the copy's own says enough; in between the source may
 * have become another and its old self again, and of a copy of the wrong version the target is
 * overwritten, though the failure is told. Core thread.
 */
#ifndef S3_S3_PIN_H
#define S3_S3_PIN_H

#include "s3/s3_int.h"

/* What CopyObject and UploadPartCopy begin with. */
struct s3_pinned {
	struct s3_op op;
	enum s3_ability ability; /* which of the two it is */
	struct s3_client *source;
	struct bytes source_key, source_etag;
	enum {
		S3_PIN_ASKED,   /* the server compares; or there is nothing to compare */
		S3_PIN_LOOKING, /* at the source's ETag, before */
		S3_PIN_TRUSTED, /* the copy, without the condition */
		S3_PIN_CHECKING /* the source's ETag after it */
	} phase;
	struct s3_err
		refused;    /* of the condition, as long as it is not known whether that was it */
	struct s3_op *look; /* HeadObject under way */
};

/* Says what is copied (s3_op_copy_source). `source` NULL: the operation's own client. */
void s3_pin(struct s3_pinned *p, enum s3_ability ability, struct s3_client *source,
	struct bytes key, struct bytes etag);
/* `hold` and `stop` of such operations. */
bool s3_pin_hold(struct s3_op *op);
void s3_pin_stop(struct s3_op *op);

#endif
