/*
 * Inside s3_xml*.c only: libxml2's push parser, cut down to what S3's replies need. It knows the
 * elements by number, gathers the text of the leaves that somebody reads, keeps the fields of an
 * <Error> document itself and hands all else to its owner. Threads: as s3_xml.h.
 */
#ifndef S3_S3_XML_SAX_H
#define S3_S3_XML_SAX_H

#include <libxml/parser.h>

#include "s3/s3_xml.h"

#define S3_XML_DEPTH_MAX 16
#define S3_XML_TEXT_MAX ((size_t)16 * 1024)        /* of one leaf; a key takes 1,024 * 3 */
#define S3_XML_FED_MAX ((size_t)64 * 1024 * 1024)  /* of one document */
#define S3_XML_KEPT_MAX ((size_t)16 * 1024 * 1024) /* text that a parser keeps of a document */

enum s3_tag {
	TAG_OTHER,
	TAG_ACCESS_KEY_ID,
	TAG_BUCKET,
	TAG_BUCKETS_RESULT,
	TAG_CODE,
	TAG_COMMON_PREFIXES,
	TAG_COMPLETE_RESULT,
	TAG_CONTENTS,
	TAG_COPY_OBJECT_RESULT,
	TAG_COPY_PART_RESULT,
	TAG_CREDENTIALS,
	TAG_DELETE_MARKER,
	TAG_DELETE_RESULT,
	TAG_ENCODING_TYPE,
	TAG_ENDPOINT,
	TAG_ERROR,
	TAG_ERROR_RESPONSE,
	TAG_ETAG,
	TAG_EXPIRATION,
	TAG_INITIATE_RESULT,
	TAG_IS_LATEST,
	TAG_IS_TRUNCATED,
	TAG_KEY,
	TAG_KEY_COUNT,
	TAG_LAST_MODIFIED,
	TAG_LIST_RESULT,
	TAG_MARKER,
	TAG_MESSAGE,
	TAG_NAME,
	TAG_NEXT_KEY,
	TAG_NEXT_MARKER,
	TAG_NEXT_TOKEN,
	TAG_NEXT_VERSION,
	TAG_PREFIX,
	TAG_REGION,
	TAG_REQUEST_ID,
	TAG_ROLE_RESPONSE,
	TAG_SECRET_ACCESS_KEY,
	TAG_SERVER_TIME,
	TAG_SESSION_TOKEN,
	TAG_SIZE,
	TAG_STATUS,
	TAG_STORAGE_CLASS,
	TAG_TAG,
	TAG_TAGGING,
	TAG_TOKEN,
	TAG_UPLOAD_ID,
	TAG_VALUE,
	TAG_VERSION,
	TAG_VERSION_ID,
	TAG_VERSIONING,
	TAG_VERSIONS_RESULT,
	TAG_WEB_IDENTITY_RESPONSE
};

/* A run of bytes in a growing buffer, whose address is not known yet. */
struct s3_span {
	size_t start, len;
};

struct s3_sax {
	xmlParserCtxt *ctxt; /* made with the first bytes of a document, kept over resets */
	bool begun;          /* something other than white space has come */
	bool in_leaf;        /* the text of the open element is wanted */
	bool bad;            /* not well-formed, refused or over a bound: nothing more is read */
	size_t fed_bytes;
	enum s3_tag root; /* valid when rooted */
	bool rooted;
	unsigned depth; /* open elements */
	enum s3_tag open[S3_XML_DEPTH_MAX];
	struct buf text; /* of the leaf that is open */
	struct buf kept; /* text that outlives its element */
	struct s3_span code, message, request_id, region, endpoint;
	int64_t server_time_ms;
	/* The owner's hooks: not called within an <Error> document. `parent` is TAG_OTHER above the
	 * root. `text` is the leaf's; false means that the document makes no sense. */
	bool (*start)(void *owner, enum s3_tag parent, enum s3_tag tag);
	bool (*end)(void *owner, enum s3_tag parent, enum s3_tag tag, struct bytes text);
	void *owner;
};

void s3_sax_init(struct s3_sax *sax, void *owner,
	bool (*start)(void *owner, enum s3_tag parent, enum s3_tag tag),
	bool (*end)(void *owner, enum s3_tag parent, enum s3_tag tag, struct bytes text));
void s3_sax_done(struct s3_sax *sax);
void s3_sax_reset(struct s3_sax *sax);
/* False: it is bad, and nothing more is read. */
bool s3_sax_feed(struct s3_sax *sax, const char *p, size_t len);
/* Ends the document; S3_XML_OK when its root is `expected`. Fills `fault` with S3_XML_ERROR. */
enum s3_xml_status s3_sax_end(struct s3_sax *sax, enum s3_tag expected, struct s3_xml_fault *fault);

/* Keeps a copy of `text` and gives its place. */
struct s3_span s3_sax_keep(struct s3_sax *sax, struct bytes text);
/* Where the copy is; valid until the next s3_sax_keep or reset. */
static inline struct bytes s3_sax_kept(const struct s3_sax *sax, struct s3_span span)
{
	return BYTES(buf_str(&sax->kept) + span.start, span.len);
}
/* An ETag without its quotes. */
struct bytes s3_xml_unquote(struct bytes etag);

#endif
