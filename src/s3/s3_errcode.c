/*
 * Error codes and statuses to struct s3_err: see s3_errcode.h. Pure functions, any thread; struct
 * s3_err owns nothing.
 */
#include "s3/s3_errcode.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct known_code {
	const char *code;
	enum s3_class cls;
	int errnum;
};

/* Codes that say more than their status, or come inside a 200. From the API reference; those that
 * only compatible servers send are marked. Throttling ends as EIO, never as EAGAIN: a program that
 * reads EAGAIN from a file would wait for a descriptor that is always ready. */
static const struct known_code known_codes[] = {
	{"AccessDenied", S3_DENIED, EACCES}, {"AccountProblem", S3_DENIED, EACCES},
	{"AllAccessDisabled", S3_DENIED, EACCES},
	{"AuthorizationHeaderMalformed", S3_DENIED, EACCES},
	{"AuthorizationQueryParametersError", S3_DENIED, EACCES}, {"BadDigest", S3_TRANSIENT, EIO},
	{"BandwidthLimitExceeded", S3_THROTTLED, EIO},
	{"Busy", S3_THROTTLED, EIO}, /* Ceph, SeaweedFS */
	{"ConditionalRequestConflict", S3_CONFLICT, EBUSY},
	{"CredentialsNotSupported", S3_DENIED, EACCES},
	{"CrossLocationLoggingProhibited", S3_DENIED, EACCES},
	{"EntityTooLarge", S3_INVALID, EFBIG}, {"EntityTooSmall", S3_INVALID, EINVAL},
	{"ExpiredToken", S3_DENIED, EACCES}, {"ExpiredTokenException", S3_DENIED, EACCES},
	{"IllegalLocationConstraintException", S3_FAILED, EIO},
	{"IncompleteBody", S3_TRANSIENT, EIO}, {"IncorrectEndpoint", S3_FAILED, EIO},
	{"InternalError", S3_TRANSIENT, EIO}, {"InternalFailure", S3_TRANSIENT, EIO},
	{"InvalidAccessKeyId", S3_DENIED, EACCES}, {"InvalidArgument", S3_INVALID, EINVAL},
	{"InvalidBucketName", S3_INVALID, EINVAL}, {"InvalidBucketState", S3_FAILED, EIO},
	{"InvalidDigest", S3_INVALID, EINVAL},
	{"InvalidObjectName", S3_INVALID, ENAMETOOLONG}, /* Ceph, for over-long keys */
	{"InvalidObjectState", S3_FAILED, ENODATA}, {"InvalidPart", S3_FAILED, EIO},
	{"InvalidPartOrder", S3_INVALID, EINVAL}, {"InvalidPayer", S3_DENIED, EACCES},
	{"InvalidRange", S3_INVALID, EINVAL}, {"InvalidRequest", S3_INVALID, EINVAL},
	{"InvalidSecurity", S3_DENIED, EACCES}, {"InvalidStorageClass", S3_INVALID, EINVAL},
	{"InvalidToken", S3_DENIED, EACCES}, {"InvalidURI", S3_INVALID, EINVAL},
	{"KeyTooLongError", S3_INVALID, ENAMETOOLONG},
	{"KeyTooLong", S3_INVALID, ENAMETOOLONG}, /* MinIO */
	{"MalformedXML", S3_INVALID, EINVAL}, {"MaxMessageLengthExceeded", S3_INVALID, EFBIG},
	{"MetadataTooLarge", S3_INVALID, E2BIG}, {"MethodNotAllowed", S3_FAILED, EOPNOTSUPP},
	{"MissingContentLength", S3_INVALID, EINVAL}, {"MissingContentMD5", S3_INVALID, EINVAL},
	{"NotImplemented", S3_FAILED, EOPNOTSUPP}, {"NotSignedUp", S3_DENIED, EACCES},
	{"ObjectNotInActiveTierError", S3_FAILED, ENODATA},
	{"OperationAborted", S3_CONFLICT, EBUSY}, {"PermanentRedirect", S3_FAILED, EIO},
	{"PreconditionFailed", S3_CHANGED, ESTALE}, {"PriorRequestNotComplete", S3_THROTTLED, EIO},
	{"QuotaExceeded", S3_FAILED, ENOSPC}, /* Ceph */
	{"Redirect", S3_FAILED, EIO}, {"RequestLimitExceeded", S3_THROTTLED, EIO},
	{"RequestThrottled", S3_THROTTLED, EIO}, {"RequestThrottledException", S3_THROTTLED, EIO},
	{"RequestTimeTooSkewed", S3_DENIED, EACCES}, {"RequestTimeout", S3_TRANSIENT, EIO},
	{"RequestTimeoutException", S3_TRANSIENT, EIO}, {"ServiceUnavailable", S3_THROTTLED, EIO},
	{"SignatureDoesNotMatch", S3_DENIED, EACCES}, {"SlowDown", S3_THROTTLED, EIO},
	{"SlowDownRead", S3_THROTTLED, EIO},  /* MinIO */
	{"SlowDownWrite", S3_THROTTLED, EIO}, /* MinIO */
	{"TemporaryRedirect", S3_FAILED, EIO}, {"Throttled", S3_THROTTLED, EIO},
	{"ThrottledException", S3_THROTTLED, EIO}, {"Throttling", S3_THROTTLED, EIO},
	{"ThrottlingException", S3_THROTTLED, EIO}, {"TokenRefreshRequired", S3_DENIED, EACCES},
	{"TooManyRequests", S3_THROTTLED, EIO}, /* Ceph, MinIO */
	{"TooManyRequestsException", S3_THROTTLED, EIO}, {"UnauthorizedAccess", S3_DENIED, EACCES},
	{"UnexpectedContent", S3_INVALID, EINVAL},
	{"XAmzContentChecksumMismatch", S3_TRANSIENT, EIO},
	{"XAmzContentSHA256Mismatch", S3_TRANSIENT, EIO},
	{"XMinioAdminBucketQuotaExceeded", S3_FAILED, ENOSPC}, /* MinIO */
	{"XMinioServerNotInitialized", S3_THROTTLED, EIO},     /* MinIO */
	{"XMinioStorageFull", S3_FAILED, ENOSPC},              /* MinIO */
};

/* What is not there. Believed with a 404, or in a 200, where the code is all there is. */
static const char *const missing_codes[] = {
	"NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NoSuchVersion", "NotFound"};

static void by_status(struct s3_err *err)
{
	static const struct {
		int status;
		enum s3_class cls;
		int errnum;
	} table[] = {
		{400, S3_INVALID, EINVAL},
		{401, S3_DENIED, EACCES},
		{403, S3_DENIED, EACCES},
		{404, S3_NOT_FOUND, ENOENT},
		{405, S3_FAILED, EOPNOTSUPP},
		{407, S3_DENIED, EACCES},
		{408, S3_TRANSIENT, EIO},
		{409, S3_CONFLICT, EBUSY},
		{411, S3_INVALID, EINVAL},
		{412, S3_CHANGED, ESTALE},
		{413, S3_INVALID, EFBIG},
		{414, S3_INVALID, ENAMETOOLONG},
		{416, S3_INVALID, EINVAL},
		{429, S3_THROTTLED, EIO},
		{501, S3_FAILED, EOPNOTSUPP},
		{503, S3_THROTTLED, EIO},
		{505, S3_FAILED, EIO},
		{507, S3_FAILED, ENOSPC},
		{509, S3_THROTTLED, EIO},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].status == err->http_status) {
			err->cls = table[i].cls;
			err->errnum = table[i].errnum;
			return;
		}
	}
	/* An error inside a 2xx has no status of its own: the AWS SDKs take it for a 500. */
	if (err->http_status >= 500 || (err->http_status >= 200 && err->http_status < 300))
		err->cls = S3_TRANSIENT;
	else
		err->cls = S3_FAILED;
	err->errnum = EIO;
}

/* True when the code is in one of the tables and may be believed with this status. */
static bool by_code(struct s3_err *err)
{
	bool may_miss = err->http_status == 404 || err->http_status / 100 == 2;
	size_t i;

	for (i = 0; i < sizeof(missing_codes) / sizeof(missing_codes[0]); i++) {
		if (may_miss && !strcmp(err->code, missing_codes[i])) {
			err->cls = S3_NOT_FOUND;
			err->errnum = ENOENT;
			return true;
		}
	}
	for (i = 0; i < sizeof(known_codes) / sizeof(known_codes[0]); i++) {
		if (!strcmp(err->code, known_codes[i].code)) {
			err->cls = known_codes[i].cls;
			err->errnum = known_codes[i].errnum;
			return true;
		}
	}
	/* KMS.DisabledException and its like; KMS.ThrottlingException is throttling. */
	if (!strncmp(err->code, "KMS.", 4)) {
		err->cls = strstr(err->code, "Throttl") ? S3_THROTTLED : S3_DENIED;
		err->errnum = err->cls == S3_THROTTLED ? EIO : EACCES;
		return true;
	}
	return false;
}

/* Copies text that somebody else wrote into a field of `size` bytes, fit for a log line. */
static void put_text(char *to, size_t size, struct bytes from)
{
	size_t n = from.len < size ? from.len : size - 1;
	size_t i;

	if (n < from.len)
		while (n && ((unsigned char)from.ptr[n] & 0xc0) == 0x80)
			n--;
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)from.ptr[i];

		to[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	to[n] = '\0';
}

void s3_err_answer(struct s3_err *err, int http_status, struct bytes code, struct bytes message,
	struct bytes request_id)
{
	memset(err, 0, sizeof(*err));
	err->http_status = http_status;
	put_text(err->code, sizeof(err->code), code);
	put_text(err->message, sizeof(err->message), message);
	put_text(err->request_id, sizeof(err->request_id), request_id);
	if (!err->code[0] || !by_code(err))
		by_status(err);
}

void s3_err_set(
	struct s3_err *err, enum s3_class cls, int errnum, const char *code, const char *fmt, ...)
{
	char text[sizeof(err->message) * 2];
	va_list ap;
	int n;

	memset(err, 0, sizeof(*err));
	err->cls = cls;
	err->errnum = errnum;
	put_text(err->code, sizeof(err->code), BYTES_STR(code));
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= 0)
		put_text(err->message, sizeof(err->message), BYTES_STR(text));
}

bool s3_err_other_region(const struct s3_err *err)
{
	return err->http_status == 301 || err->http_status == 307 ||
	       !strcmp(err->code, "PermanentRedirect") || !strcmp(err->code, "TemporaryRedirect") ||
	       !strcmp(err->code, "AuthorizationHeaderMalformed") ||
	       !strcmp(err->code, "IllegalLocationConstraintException");
}

bool s3_err_unimplemented(const struct s3_err *err)
{
	return err->http_status == 501 || !strcmp(err->code, "NotImplemented");
}

bool s3_err_no_batches(const struct s3_err *err)
{
	if (s3_err_unimplemented(err) || err->http_status == 405)
		return true;
	/* Who knows the request names what he has not found: a bucket, a key, an upload. */
	if (err->http_status == 404)
		return !err->code[0] || !strcmp(err->code, "HTTP404") ||
		       !strcmp(err->code, "NotFound");
	return err->http_status == 400 && (!strcmp(err->code, "InvalidArgument") ||
						  !strcmp(err->code, "MalformedPOSTRequest"));
}

bool s3_err_skewed(const struct s3_err *err)
{
	return !strcmp(err->code, "RequestTimeTooSkewed");
}

bool s3_err_expired(const struct s3_err *err)
{
	return !strcmp(err->code, "ExpiredToken") || !strcmp(err->code, "ExpiredTokenException") ||
	       !strcmp(err->code, "TokenRefreshRequired") || !strcmp(err->code, "InvalidToken");
}

bool s3_err_is_of_keys(const struct s3_err *err)
{
	return s3_err_expired(err) || s3_err_skewed(err) || !strcmp(err->code, S3_NO_CREDENTIALS) ||
	       !strcmp(err->code, "InvalidAccessKeyId");
}

bool s3_err_is_refusal(const struct s3_err *err)
{
	return !err->resent &&
	       (err->cls == S3_DENIED || err->cls == S3_NOT_FOUND || err->cls == S3_CHANGED ||
		       err->cls == S3_INVALID || err->cls == S3_THROTTLED);
}

const char *s3_err_text(const struct s3_err *err, char *text, size_t size)
{
	char status[24] = "", message[sizeof(err->message) + 2] = "", id[96] = "";

	if (!size)
		return text;
	if (err->http_status)
		snprintf(status, sizeof(status), " (HTTP %d)", err->http_status);
	if (err->message[0])
		snprintf(message, sizeof(message), ": %s", err->message);
	if (err->request_id[0])
		snprintf(id, sizeof(id), " [request %s]", err->request_id);
	snprintf(text, size, "%s%s%s%s",
		err->code[0] ? err->code : (err->cls == S3_OK ? "success" : "no error code"),
		status, message, id);
	return text;
}
