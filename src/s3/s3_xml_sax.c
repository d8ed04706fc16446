/*
 * The push parser below the XML readers: see s3_xml_sax.h. One owner at a time (I/O thread while a
 * transfer runs, then the core thread); owns the libxml2 context and its buffers.
 */
#include "s3/s3_xml_sax.h"

#include <libxml/entities.h>
#include <libxml/globals.h>
#include <libxml/parserInternals.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/mem.h"

static const struct {
	const char *name;
	enum s3_tag tag;
	bool is_leaf; /* its text is wanted */
} tags[] = {
	{"Key", TAG_KEY, true},
	{"LastModified", TAG_LAST_MODIFIED, true},
	{"ETag", TAG_ETAG, true},
	{"Size", TAG_SIZE, true},
	{"StorageClass", TAG_STORAGE_CLASS, true},
	{"Contents", TAG_CONTENTS, false},
	{"Prefix", TAG_PREFIX, true},
	{"CommonPrefixes", TAG_COMMON_PREFIXES, false},
	{"AccessKeyId", TAG_ACCESS_KEY_ID, true},
	{"AssumeRoleResponse", TAG_ROLE_RESPONSE, false},
	{"AssumeRoleWithWebIdentityResponse", TAG_WEB_IDENTITY_RESPONSE, false},
	{"Bucket", TAG_BUCKET, false},
	{"Code", TAG_CODE, true},
	{"CompleteMultipartUploadResult", TAG_COMPLETE_RESULT, false},
	{"ContinuationToken", TAG_TOKEN, true},
	{"CopyObjectResult", TAG_COPY_OBJECT_RESULT, false},
	{"CopyPartResult", TAG_COPY_PART_RESULT, false},
	{"Credentials", TAG_CREDENTIALS, false},
	{"DeleteMarker", TAG_DELETE_MARKER, false},
	{"DeleteResult", TAG_DELETE_RESULT, false},
	{"EncodingType", TAG_ENCODING_TYPE, true},
	{"Endpoint", TAG_ENDPOINT, true},
	{"Error", TAG_ERROR, false},
	{"ErrorResponse", TAG_ERROR_RESPONSE, false},
	{"Expiration", TAG_EXPIRATION, true},
	{"InitiateMultipartUploadResult", TAG_INITIATE_RESULT, false},
	{"IsLatest", TAG_IS_LATEST, true},
	{"IsTruncated", TAG_IS_TRUNCATED, true},
	{"ListAllMyBucketsResult", TAG_BUCKETS_RESULT, false},
	{"ListBucketResult", TAG_LIST_RESULT, false},
	{"ListVersionsResult", TAG_VERSIONS_RESULT, false},
	{"KeyCount", TAG_KEY_COUNT, true},
	{"Marker", TAG_MARKER, true},
	{"Message", TAG_MESSAGE, true},
	{"Name", TAG_NAME, true},
	{"NextMarker", TAG_NEXT_MARKER, true},
	{"NextContinuationToken", TAG_NEXT_TOKEN, true},
	{"NextKeyMarker", TAG_NEXT_KEY, true},
	{"NextVersionIdMarker", TAG_NEXT_VERSION, true},
	{"Region", TAG_REGION, true},
	{"RequestId", TAG_REQUEST_ID, true},
	{"SecretAccessKey", TAG_SECRET_ACCESS_KEY, true},
	{"ServerTime", TAG_SERVER_TIME, true},
	{"SessionToken", TAG_SESSION_TOKEN, true},
	{"Status", TAG_STATUS, true},
	{"Tag", TAG_TAG, false},
	{"Tagging", TAG_TAGGING, false},
	{"UploadId", TAG_UPLOAD_ID, true},
	{"Value", TAG_VALUE, true},
	{"Version", TAG_VERSION, false},
	{"VersionId", TAG_VERSION_ID, true},
	{"VersioningConfiguration", TAG_VERSIONING, false},
};

static enum s3_tag find_tag(const char *name, bool *is_leaf)
{
	size_t i;

	for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		if (tags[i].name[0] == name[0] && !strcmp(tags[i].name, name)) {
			*is_leaf = tags[i].is_leaf;
			return tags[i].tag;
		}
	}
	*is_leaf = false;
	return TAG_OTHER;
}

/* ---- callbacks of libxml2 -------------------------------------------------------------------- */

static void fail(struct s3_sax *sax)
{
	sax->bad = true;
	xmlStopParser(sax->ctxt);
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
	int nb_namespaces, const xmlChar **namespaces, int nb_attributes, int nb_defaulted,
	const xmlChar **attributes)
{
	struct s3_sax *sax = ctx;
	enum s3_tag parent = sax->depth ? sax->open[sax->depth - 1] : TAG_OTHER, tag;

	(void)prefix, (void)uri, (void)nb_namespaces, (void)namespaces;
	(void)nb_attributes, (void)nb_defaulted, (void)attributes;
	if (sax->bad)
		return;
	if (sax->depth == S3_XML_DEPTH_MAX) {
		fail(sax);
		return;
	}
	tag = find_tag((const char *)name, &sax->in_leaf);
	if (!sax->rooted) {
		sax->rooted = true;
		sax->root = tag;
	}
	sax->open[sax->depth++] = tag;
	buf_cut(&sax->text, 0);
	if (sax->root != TAG_ERROR && !sax->start(sax->owner, parent, tag))
		fail(sax);
}

static void on_text(void *ctx, const xmlChar *text, int len)
{
	struct s3_sax *sax = ctx;
	size_t n = (size_t)len, room = S3_XML_TEXT_MAX - sax->text.len;

	if (sax->bad || !sax->in_leaf)
		return;
	/* Messages are for people: a long one is cut, anything else that long is no S3 reply. */
	if (n > room && sax->open[sax->depth - 1] == TAG_MESSAGE)
		n = room;
	buf_add(&sax->text, text, n);
	if (sax->text.failed)
		fail(sax);
}

static void take_fault_field(struct s3_sax *sax, enum s3_tag tag, struct bytes text)
{
	switch (tag) {
	case TAG_CODE:
		sax->code = s3_sax_keep(sax, text);
		break;
	case TAG_MESSAGE:
		sax->message = s3_sax_keep(sax, text);
		break;
	case TAG_REQUEST_ID:
		sax->request_id = s3_sax_keep(sax, text);
		break;
	case TAG_REGION:
		sax->region = s3_sax_keep(sax, text);
		break;
	case TAG_ENDPOINT:
		sax->endpoint = s3_sax_keep(sax, text);
		break;
	case TAG_SERVER_TIME:
		sax->server_time_ms = s3_xml_time_ms(text);
		if (sax->server_time_ms < 0)
			sax->server_time_ms = 0;
		break;
	default:
		break;
	}
}

static void on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct s3_sax *sax = ctx;
	enum s3_tag parent, tag;

	(void)name, (void)prefix, (void)uri;
	if (sax->bad || !sax->depth)
		return;
	tag = sax->open[--sax->depth];
	parent = sax->depth ? sax->open[sax->depth - 1] : TAG_OTHER;
	if (sax->root != TAG_ERROR) {
		if (!sax->end(sax->owner, parent, tag, buf_bytes(&sax->text)))
			fail(sax);
	} else if (sax->depth == 1) {
		take_fault_field(sax, tag, buf_bytes(&sax->text));
	}
	sax->in_leaf = false;
	buf_cut(&sax->text, 0);
	if (sax->kept.failed)
		fail(sax);
}

/* A document type brings entities, defaults and files of others: S3 never sends one. */
static void on_doctype(
	void *ctx, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
	(void)name, (void)external_id, (void)system_id;
	fail(ctx);
}

static xmlEntityPtr on_entity(void *ctx, const xmlChar *name)
{
	(void)ctx;
	return xmlGetPredefinedEntity(name);
}

/* What is wrong is seen in xmlParseChunk's result; libxml2 would print it. */
static void on_error(void *ctx, xmlErrorPtr error)
{
	(void)ctx, (void)error;
}

/* ---- documents ------------------------------------------------------------------------------- */

static const xmlSAXHandler handler = {
	.initialized = XML_SAX2_MAGIC,
	.internalSubset = on_doctype,
	.getEntity = on_entity,
	.startElementNs = on_start,
	.endElementNs = on_end,
	.characters = on_text,
	.ignorableWhitespace = on_text,
	.cdataBlock = on_text,
	.serror = on_error,
};

static void init_library(void)
{
	xmlMemSetup(free, mem_lib_malloc, mem_lib_realloc, mem_lib_strdup);
	xmlInitParser();
}

void s3_sax_init(struct s3_sax *sax, void *owner,
	bool (*start)(void *owner, enum s3_tag parent, enum s3_tag tag),
	bool (*end)(void *owner, enum s3_tag parent, enum s3_tag tag, struct bytes text))
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	/* libxml2 wants its tables made before parsers run side by side. */
	pthread_once(&once, init_library);
	memset(sax, 0, sizeof(*sax));
	sax->text = BUF_INIT(S3_XML_TEXT_MAX);
	sax->kept = BUF_INIT(S3_XML_KEPT_MAX);
	sax->owner = owner;
	sax->start = start;
	sax->end = end;
}

void s3_sax_done(struct s3_sax *sax)
{
	if (sax->ctxt)
		xmlFreeParserCtxt(sax->ctxt);
	buf_free(&sax->text);
	buf_free(&sax->kept);
	memset(sax, 0, sizeof(*sax));
}

void s3_sax_reset(struct s3_sax *sax)
{
	static const struct s3_span none;

	sax->begun = sax->bad = sax->rooted = sax->in_leaf = false;
	sax->fed_bytes = 0;
	sax->depth = 0;
	sax->server_time_ms = 0;
	sax->code = sax->message = sax->request_id = sax->region = sax->endpoint = none;
	buf_cut(&sax->text, 0);
	buf_cut(&sax->kept, 0);
}

/*
 * A thread's state in libxml2 comes from malloc itself when it is first wanted, and is then used
 * without a look at whether it is there (2.9.14, globals.c and error.c). False: no memory.
 */
static bool thread_ready(void)
{
#if LIBXML_VERSION < 21200
	if (!xmlGetGlobalState()) {
		free(mem_lib_malloc(sizeof(xmlGlobalState)));
		return xmlGetGlobalState();
	}
#endif
	return true;
}

/* Gets the context ready for a new document. It is UTF-8, whatever it says: S3 sends nothing else,
 * and a converter of somebody's choice is code that need not run. */
static bool begin(struct s3_sax *sax)
{
	xmlSAXHandler copy = handler;

	if (!thread_ready())
		return false;
	if (sax->ctxt && xmlCtxtResetPush(sax->ctxt, NULL, 0, NULL, NULL))
		return false;
	if (!sax->ctxt) {
		sax->ctxt = xmlCreatePushParserCtxt(&copy, sax, NULL, 0, NULL);
		if (!sax->ctxt)
			return false;
	}
	xmlCtxtUseOptions(sax->ctxt,
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_IGNORE_ENC);
	if (xmlSwitchEncoding(sax->ctxt, XML_CHAR_ENCODING_UTF8))
		return false;
	sax->begun = true;
	return true;
}

/* Bytes before the document: a byte order mark; and white space, which is no XML before the XML
 * declaration, but keeps a connection alive while some servers complete an upload. */
static size_t skip_lead(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] && strchr(" \t\r\n\xef\xbb\xbf", p[n]))
		n++;
	return n;
}

bool s3_sax_feed(struct s3_sax *sax, const char *p, size_t len)
{
	size_t skip;

	if (sax->bad || len > S3_XML_FED_MAX - sax->fed_bytes) {
		sax->bad = true;
		return false;
	}
	sax->fed_bytes += len;
	if (!sax->begun) {
		skip = skip_lead(p, len);
		p += skip;
		len -= skip;
		if (!len)
			return true;
		if (*p != '<' || !begin(sax)) {
			sax->bad = true;
			return false;
		}
	}
	xmlParseChunk(sax->ctxt, p, (int)len, 0);
	sax->bad |= !sax->ctxt->wellFormed;
	return !sax->bad;
}

static enum s3_xml_status judge(struct s3_sax *sax, enum s3_tag expected)
{
	if (sax->bad)
		return S3_XML_BAD;
	if (!sax->begun)
		return S3_XML_EMPTY;
	if (!thread_ready())
		return S3_XML_BAD;
	xmlParseChunk(sax->ctxt, NULL, 0, 1);
	if (sax->bad)
		return S3_XML_BAD;
	if (!sax->ctxt->wellFormed || !sax->rooted || sax->depth)
		return S3_XML_CUT;
	if (sax->root == TAG_ERROR)
		return S3_XML_ERROR;
	return sax->root == expected && expected != TAG_OTHER ? S3_XML_OK : S3_XML_OTHER;
}

enum s3_xml_status s3_sax_end(struct s3_sax *sax, enum s3_tag expected, struct s3_xml_fault *fault)
{
	enum s3_xml_status status = judge(sax, expected);

	bool broken = status == S3_XML_BAD || status == S3_XML_CUT;

	memset(fault, 0, sizeof(*fault));
	/* It was an error, whatever its text does: a key in it may be one that XML cannot carry. */
	if (broken && sax->rooted && sax->root == TAG_ERROR)
		status = S3_XML_ERROR;
	if (status == S3_XML_ERROR) {
		fault->code = s3_sax_kept(sax, sax->code);
		fault->message = s3_sax_kept(sax, sax->message);
		fault->request_id = s3_sax_kept(sax, sax->request_id);
		fault->region = s3_sax_kept(sax, sax->region);
		fault->endpoint = s3_sax_kept(sax, sax->endpoint);
		fault->server_time_ms = sax->server_time_ms;
	}
	/* A context that stopped half-way keeps namespaces of open elements over a reset. */
	if (sax->ctxt && broken) {
		xmlFreeParserCtxt(sax->ctxt);
		sax->ctxt = NULL;
		sax->bad = true;
	}
	return status;
}

struct s3_span s3_sax_keep(struct s3_sax *sax, struct bytes text)
{
	struct s3_span span = {.start = sax->kept.len, .len = text.len};

	buf_addb(&sax->kept, text);
	if (sax->kept.failed)
		span = (struct s3_span){0, 0};
	return span;
}

struct bytes s3_xml_unquote(struct bytes etag)
{
	if (etag.len && etag.ptr[0] == '"')
		etag = BYTES(etag.ptr + 1, etag.len - 1);
	if (etag.len && etag.ptr[etag.len - 1] == '"')
		etag.len--;
	return etag;
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Takes exactly `digits` digits from the front of `text`. */
static bool take_number(struct bytes *text, size_t digits, int *value)
{
	size_t i;

	*value = 0;
	if (text->len < digits)
		return false;
	for (i = 0; i < digits; i++) {
		if (text->ptr[i] < '0' || text->ptr[i] > '9')
			return false;
		*value = *value * 10 + (text->ptr[i] - '0');
	}
	*text = BYTES(text->ptr + digits, text->len - digits);
	return true;
}

static bool take_char(struct bytes *text, char c)
{
	if (!text->len || text->ptr[0] != c)
		return false;
	*text = BYTES(text->ptr + 1, text->len - 1);
	return true;
}

/* ".123456" in milliseconds; nothing is 0. */
static bool take_fraction(struct bytes *text, int *ms)
{
	int scale = 100, digit;

	*ms = 0;
	if (!take_char(text, '.'))
		return true;
	if (!take_number(text, 1, &digit))
		return false;
	do {
		*ms += digit * scale;
		scale /= 10;
	} while (take_number(text, 1, &digit));
	return true;
}

/* "Z", "+hh:mm", "-hhmm" or nothing: UTC. */
static bool take_offset(struct bytes *text, int *minutes)
{
	int sign = 1, hours, rest;

	*minutes = 0;
	if (!text->len || take_char(text, 'Z'))
		return text->len == 0;
	if (take_char(text, '-'))
		sign = -1;
	else if (!take_char(text, '+'))
		return false;
	if (!take_number(text, 2, &hours))
		return false;
	take_char(text, ':');
	if (!take_number(text, 2, &rest) || hours > 23 || rest > 59)
		return false;
	*minutes = sign * (hours * 60 + rest);
	return text->len == 0;
}

int64_t s3_xml_time_ms(struct bytes text)
{
	struct tm tm = {0};
	int ms, offset;
	int64_t seconds;

	if (!take_number(&text, 4, &tm.tm_year) || !take_char(&text, '-') ||
		!take_number(&text, 2, &tm.tm_mon) || !take_char(&text, '-') ||
		!take_number(&text, 2, &tm.tm_mday) || !take_char(&text, 'T') ||
		!take_number(&text, 2, &tm.tm_hour) || !take_char(&text, ':') ||
		!take_number(&text, 2, &tm.tm_min) || !take_char(&text, ':') ||
		!take_number(&text, 2, &tm.tm_sec) || !take_fraction(&text, &ms) ||
		!take_offset(&text, &offset))
		return -1;
	if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
		tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	seconds = (int64_t)timegm(&tm) - offset * 60;
	return seconds < 0 ? -1 : seconds * 1000 + ms;
}
