/*
 * From S3's error codes and HTTP statuses to struct s3_err. Pure functions, any thread.
 * Source: S3 API reference, "Error responses", "List of error codes".
 */
#ifndef S3_S3_ERRCODE_H
#define S3_S3_ERRCODE_H

#include "s3/s3.h"
#include "util/bytes.h"

/*
 * Fills `err` for an answer that is a failure. `code`, `message`, `request_id` may be empty (HEAD
 * has no body): then the status alone decides. The code wins over the status, but S3_NOT_FOUND
 * needs status 404 or, inside a 200, one of the NoSuch codes. Never leaves S3_OK. Text is cut to
 * fit, at a UTF-8 border, control characters become '?'. retry_after_ms is set to 0.
 */
void s3_err_answer(struct s3_err *err, int http_status, struct bytes code, struct bytes message,
	struct bytes request_id);

/* Fills `err` with a failure of ours: `code` is a short word ("ConnectionFailed"). */
void s3_err_set(struct s3_err *err, enum s3_class cls, int errnum, const char *code,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* True for codes that mean "another region": the answer's region is where to go
 * (PermanentRedirect, TemporaryRedirect, AuthorizationHeaderMalformed, IllegalLocationConstraint-
 * Exception, status 301 and 307). */
bool s3_err_other_region(const struct s3_err *err);
/* True when the clocks differ too much (RequestTimeTooSkewed): sign again with the server's time.
 */
bool s3_err_skewed(const struct s3_err *err);
/* True when fresh credentials would help (ExpiredToken and the like). */
bool s3_err_expired(const struct s3_err *err);

/* Does it say that the server does not have what was asked for? */
bool s3_err_unimplemented(const struct s3_err *err);
/*
 * The same of a DeleteObjects, which servers that do not know it take for something else: for a
 * form (400, as Google's XML API, s3cmd issue 1222), or for nothing at all (404, 405). Its
 * parameters are never wrong otherwise.
 */
bool s3_err_no_batches(const struct s3_err *err);

#endif
