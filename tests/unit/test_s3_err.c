/* Error codes: s3_errcode.h, and s3_err_text of s3.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "s3/s3_errcode.h"
#include "s3/s3_lacks.h"

static void expect(int status, const char *code, enum s3_class cls, int errnum)
{
	struct s3_err err;

	s3_err_answer(&err, status, BYTES_STR(code), BYTES_NONE, BYTES_NONE);
	if (err.cls != cls || err.errnum != errnum)
		fail_msg("%d '%s': class %d, errno %d", status, code, err.cls, err.errnum);
	assert_int_equal(err.http_status, status);
	assert_string_equal(err.code, code);
	assert_int_equal(err.retry_after_ms, 0);
}

static void status_alone(void **state)
{
	expect(400, "", S3_INVALID, EINVAL);
	expect(401, "", S3_DENIED, EACCES);
	expect(403, "", S3_DENIED, EACCES);
	expect(404, "", S3_NOT_FOUND, ENOENT);
	expect(405, "", S3_FAILED, EOPNOTSUPP);
	expect(409, "", S3_CONFLICT, EBUSY);
	expect(412, "", S3_CHANGED, ESTALE);
	expect(413, "", S3_INVALID, EFBIG);
	expect(416, "", S3_INVALID, EINVAL);
	expect(429, "", S3_THROTTLED, EIO);
	expect(500, "", S3_TRANSIENT, EIO);
	expect(501, "", S3_FAILED, EOPNOTSUPP);
	expect(502, "", S3_TRANSIENT, EIO);
	expect(503, "", S3_THROTTLED, EIO);
	expect(504, "", S3_TRANSIENT, EIO);
	expect(507, "", S3_FAILED, ENOSPC);
	expect(599, "", S3_TRANSIENT, EIO);
	expect(301, "", S3_FAILED, EIO);
	expect(418, "", S3_FAILED, EIO);
	expect(410, "", S3_FAILED, EIO);
	expect(0, "", S3_FAILED, EIO);
}

/* C10: not found is only ever a 404 (or what a 200 says of one key). */
static void not_found_is_only_404(void **state)
{
	expect(404, "NoSuchKey", S3_NOT_FOUND, ENOENT);
	expect(404, "NoSuchBucket", S3_NOT_FOUND, ENOENT);
	expect(404, "NoSuchUpload", S3_NOT_FOUND, ENOENT);
	expect(404, "SomethingNew", S3_NOT_FOUND, ENOENT);
	expect(200, "NoSuchKey", S3_NOT_FOUND, ENOENT);
	expect(400, "NoSuchKey", S3_INVALID, EINVAL);
	expect(403, "NoSuchKey", S3_DENIED, EACCES);
	expect(500, "NoSuchKey", S3_TRANSIENT, EIO);
	expect(503, "NoSuchBucket", S3_THROTTLED, EIO);
}

static void code_wins_over_status(void **state)
{
	expect(200, "SlowDown", S3_THROTTLED, EIO);
	expect(400, "SlowDown", S3_THROTTLED, EIO);
	expect(500, "SlowDown", S3_THROTTLED, EIO);
	expect(200, "InternalError", S3_TRANSIENT, EIO);
	expect(200, "AccessDenied", S3_DENIED, EACCES);
	expect(200, "", S3_TRANSIENT, EIO);
	expect(200, "Unheard", S3_TRANSIENT, EIO);
	expect(400, "RequestTimeout", S3_TRANSIENT, EIO);
	expect(400, "ExpiredToken", S3_DENIED, EACCES);
	expect(400, "EntityTooLarge", S3_INVALID, EFBIG);
	expect(400, "KeyTooLongError", S3_INVALID, ENAMETOOLONG);
	expect(400, "InvalidObjectName", S3_INVALID, ENAMETOOLONG);
	expect(400, "KMS.ThrottlingException", S3_THROTTLED, EIO);
	expect(400, "KMS.DisabledException", S3_DENIED, EACCES);
	expect(403, "QuotaExceeded", S3_FAILED, ENOSPC);
	expect(403, "InvalidObjectState", S3_FAILED, ENODATA);
	expect(403, "RequestTimeTooSkewed", S3_DENIED, EACCES);
	expect(404, "AccessDenied", S3_DENIED, EACCES);
	expect(409, "OperationAborted", S3_CONFLICT, EBUSY);
	expect(409, "ConditionalRequestConflict", S3_CONFLICT, EBUSY);
	expect(412, "PreconditionFailed", S3_CHANGED, ESTALE);
	expect(501, "NotImplemented", S3_FAILED, EOPNOTSUPP);
	expect(503, "ServiceUnavailable", S3_THROTTLED, EIO);
}

/* Nothing may look like success, and the kernel is never told EAGAIN. */
static void never_ok(void **state)
{
	static const char *const codes[] = {"", "SlowDown", "NoSuchKey", "Unheard", "KMS.x"};
	struct s3_err err;
	int status;
	size_t i;

	for (status = 0; status < 1000; status++) {
		for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
			s3_err_answer(&err, status, BYTES_STR(codes[i]), BYTES_NONE, BYTES_NONE);
			assert_int_not_equal(err.cls, S3_OK);
			assert_int_not_equal(err.errnum, 0);
			assert_int_not_equal(err.errnum, EAGAIN);
		}
	}
}

static void text_is_cut_and_cleaned(void **state)
{
	char message[400], text[400];
	struct s3_err err;

	memset(message, 'x', sizeof(message));
	memcpy(message, "a\nb\x1b", 4);
	message[158] = '\xc3'; /* a character of two bytes across the border */
	message[159] = '\xa4';
	s3_err_answer(&err, 503, BYTES_LIT("SlowDown"), BYTES(message, sizeof(message)),
		BYTES_LIT("REQ1"));
	assert_int_equal(strlen(err.message), 158);
	assert_memory_equal(err.message, "a?b?", 4);
	s3_err_text(&err, text, sizeof(text));
	assert_memory_equal(text, "SlowDown (HTTP 503): a?b?", 25);
	assert_non_null(strstr(text, " [request REQ1]"));
	assert_ptr_equal(s3_err_text(&err, text, 8), text);
	assert_string_equal(text, "SlowDow");
}

static void own_errors(void **state)
{
	char text[200];
	struct s3_err err;

	s3_err_set(&err, S3_TRANSIENT, EIO, "ConnectionFailed", "cannot reach %s", "host");
	assert_int_equal(err.cls, S3_TRANSIENT);
	assert_string_equal(
		s3_err_text(&err, text, sizeof(text)), "ConnectionFailed: cannot reach host");
	memset(&err, 0, sizeof(err));
	assert_string_equal(s3_err_text(&err, text, sizeof(text)), "success");
}

static void kinds(void **state)
{
	struct s3_err err;

	s3_err_answer(&err, 301, BYTES_NONE, BYTES_NONE, BYTES_NONE);
	assert_true(s3_err_other_region(&err));
	s3_err_answer(&err, 400, BYTES_LIT("AuthorizationHeaderMalformed"), BYTES_NONE, BYTES_NONE);
	assert_true(s3_err_other_region(&err));
	assert_false(s3_err_skewed(&err));
	s3_err_answer(&err, 403, BYTES_LIT("RequestTimeTooSkewed"), BYTES_NONE, BYTES_NONE);
	assert_true(s3_err_skewed(&err));
	assert_false(s3_err_expired(&err));
	s3_err_answer(&err, 400, BYTES_LIT("ExpiredToken"), BYTES_NONE, BYTES_NONE);
	assert_true(s3_err_expired(&err));
	assert_false(s3_err_other_region(&err));
}

static bool no_batches(int status, const char *code)
{
	struct s3_err err;

	s3_err_answer(&err, status, BYTES_STR(code), BYTES_NONE, BYTES_NONE);
	return s3_err_no_batches(&err);
}

/* DeleteObjects is not there; not: the bucket is not, nor may it be done, nor is it a bad time. */
static void batches_missing(void **state)
{
	assert_true(no_batches(501, ""));
	assert_true(no_batches(501, "NotImplemented"));
	assert_true(no_batches(400, "NotImplemented"));
	assert_true(no_batches(405, "MethodNotAllowed"));
	assert_true(no_batches(400, "InvalidArgument"));
	assert_true(no_batches(400, "MalformedPOSTRequest"));
	assert_true(no_batches(404, ""));
	assert_true(no_batches(404, "HTTP404"));
	assert_false(no_batches(404, "NoSuchBucket"));
	assert_false(no_batches(404, "NoSuchKey"));
	assert_false(no_batches(400, "MalformedXML"));
	assert_false(no_batches(400, "ExpiredToken"));
	assert_false(no_batches(400, ""));
	assert_false(no_batches(403, "AccessDenied"));
	assert_false(no_batches(500, "InternalError"));
	assert_false(no_batches(503, "SlowDown"));
	assert_false(no_batches(200, "AccessDenied"));
}

/* The first refusal is news; what has been served is never missing afterwards. */
static void abilities(void **state)
{
	struct s3_abilities a = {0};
	int i;

	for (i = 0; i < S3_ABILITIES; i++)
		assert_true(strlen(s3_ability_missing(i)) > 0);
	assert_false(s3_abilities_lack(&a, S3_ABLE_DELETE_MANY));
	assert_true(s3_abilities_refused(&a, S3_ABLE_DELETE_MANY));
	assert_true(s3_abilities_lack(&a, S3_ABLE_DELETE_MANY));
	assert_false(s3_abilities_refused(&a, S3_ABLE_DELETE_MANY));
	s3_abilities_has(&a, S3_ABLE_DELETE_MANY);
	assert_true(s3_abilities_lack(&a, S3_ABLE_DELETE_MANY));
	a = (struct s3_abilities){0};
	s3_abilities_has(&a, S3_ABLE_DELETE_MANY);
	assert_false(s3_abilities_refused(&a, S3_ABLE_DELETE_MANY));
	assert_false(s3_abilities_lack(&a, S3_ABLE_DELETE_MANY));
}

static void about_keys(void **state)
{
	static const char *const about[] = {"ExpiredToken", "InvalidToken", "InvalidAccessKeyId",
		"RequestTimeTooSkewed", S3_NO_CREDENTIALS};
	static const char *const not_about[] = {"AccessDenied", "NoSuchKey", "SlowDown", ""};
	struct s3_err err;
	size_t i;

	for (i = 0; i < sizeof(about) / sizeof(about[0]); i++) {
		s3_err_answer(&err, 403, BYTES_STR(about[i]), BYTES_NONE, BYTES_NONE);
		assert_true(s3_err_is_of_keys(&err));
	}
	for (i = 0; i < sizeof(not_about) / sizeof(not_about[0]); i++) {
		s3_err_answer(&err, 403, BYTES_STR(not_about[i]), BYTES_NONE, BYTES_NONE);
		assert_false(s3_err_is_of_keys(&err));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_alone),
		cmocka_unit_test(not_found_is_only_404),
		cmocka_unit_test(code_wins_over_status),
		cmocka_unit_test(never_ok),
		cmocka_unit_test(text_is_cut_and_cleaned),
		cmocka_unit_test(own_errors),
		cmocka_unit_test(kinds),
		cmocka_unit_test(batches_missing),
		cmocka_unit_test(abilities),
		cmocka_unit_test(about_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
