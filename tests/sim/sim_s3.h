/* Shared by sim_s3.c and sim_mpu.c: an operation under way. */
#ifndef SIM_S3_H
#define SIM_S3_H

#include "sim.h"

enum sim_op {
	OP_LIST,
	OP_HEAD,
	OP_GET,
	OP_PUT,
	OP_COPY,
	OP_DELETE,
	OP_CREATE,
	OP_PART,
	OP_PART_COPY,
	OP_COMPLETE,
	OP_ABORT
};

struct s3_op {
	struct loop_timer timer;
	enum sim_op kind;
	unsigned flags;
	bool cancelled;
	struct s3_err err;
	char *key;
	size_t key_len;
	void (*effect)(struct s3_op *op); /* at one moment between the call and the answer */
	void (*finish)(struct s3_op *op); /* runs the completion */
	void *done, *ctx;
	/* Parameters and results, as the kind needs them. */
	char *source;
	size_t source_len;
	char if_match[80], etag[48];
	char *data; /* of the object, as it was at that moment */
	size_t len;
	uint64_t offset, size_bytes;
	char *target;
	int64_t mtime_ms;
	struct s3_body body_copy;
	char *token;
	size_t token_len;
	bool delimiter, truncated;
	unsigned max_keys;
	struct s3_list_entry *entries;
	size_t entry_count;
	struct bytes *keys;
	struct s3_err *key_errs;
	size_t key_count;
	char upload_id[32];
	unsigned number;
	struct s3_part *parts;
	size_t part_count;
	bool replace; /* the metadata of a copy's source */
	unsigned mode;
};

unsigned op_mode(const struct s3_meta *meta); /* 0: it has none */

struct s3_op *op_new(enum sim_op kind, struct bytes key, unsigned flags,
	void (*effect)(struct s3_op *), void (*finish)(struct s3_op *), void *done, void *ctx);
struct bytes op_key(const struct s3_op *op);
void op_start(struct s3_op *op);
void op_set(struct s3_err *err, enum s3_class cls, int errnum, const char *code);
/* The object of `key` if it is the version wanted; else NULL and the error is set. */
const struct object *op_source(struct s3_op *op, struct bytes key);
void op_etag(struct bytes from, char *to, size_t size);
char *body_join(const struct s3_body *body, size_t *len);
/* sim_mpu.c */
void uploads_clear(void);
size_t uploads_open(void);

#endif
