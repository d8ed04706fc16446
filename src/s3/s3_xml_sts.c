/*
 * Answers of the Security Token Service: see s3_xml.h. Its errors are an <Error> within an
 * <ErrorResponse>; those of servers that answer as S3 does are an <Error> alone. One thread a call.
 * Source: AWS STS API reference, "AssumeRole", "Common Errors".
 */
#include <stdlib.h>
#include <string.h>

#include "s3/s3_creds.h"
#include "s3/s3_xml.h"
#include "s3/s3_xml_sax.h"
#include "util/mem.h"

struct reader {
	struct s3_sax sax;
	struct s3_xml_sts *sts;
};

static bool start(void *owner, enum s3_tag parent, enum s3_tag tag)
{
	(void)owner, (void)parent, (void)tag;
	return true;
}

static void put(char **field, struct bytes text)
{
	s3_secret_free(*field);
	*field = mem_dup(text.ptr, text.len);
}

static bool take_credential(struct s3_xml_sts *sts, enum s3_tag tag, struct bytes text)
{
	switch (tag) {
	case TAG_ACCESS_KEY_ID:
		put(&sts->id, text);
		break;
	case TAG_SECRET_ACCESS_KEY:
		put(&sts->secret, text);
		break;
	case TAG_SESSION_TOKEN:
		put(&sts->token, text);
		break;
	case TAG_EXPIRATION:
		sts->expires_ms = s3_xml_time_ms(text);
		return sts->expires_ms > 0;
	default:
		break;
	}
	return true;
}

static bool end(void *owner, enum s3_tag parent, enum s3_tag tag, struct bytes text)
{
	struct s3_xml_sts *sts = ((struct reader *)owner)->sts;

	if (parent == TAG_CREDENTIALS)
		return take_credential(sts, tag, text);
	if (parent == TAG_ERROR && tag == TAG_CODE)
		put(&sts->code, text);
	if (parent == TAG_ERROR && tag == TAG_MESSAGE)
		put(&sts->message, text);
	return true;
}

static void wipe(struct buf *b)
{
	if (b->ptr)
		explicit_bzero(b->ptr, b->cap);
}

enum s3_xml_status s3_xml_sts_read(struct bytes document, struct s3_xml_sts *sts)
{
	struct reader r = {.sts = sts};
	struct s3_xml_fault fault;
	enum s3_xml_status status;

	*sts = (struct s3_xml_sts){0};
	s3_sax_init(&r.sax, &r, start, end);
	s3_sax_feed(&r.sax, document.ptr, document.len);
	status = s3_sax_end(&r.sax, TAG_ERROR_RESPONSE, &fault);
	if (status == S3_XML_OK) {
		status = S3_XML_ERROR;
	} else if (status == S3_XML_ERROR) {
		put(&sts->code, fault.code);
		put(&sts->message, fault.message);
	} else if (status == S3_XML_OTHER && r.sax.rooted &&
		   (r.sax.root == TAG_ROLE_RESPONSE || r.sax.root == TAG_WEB_IDENTITY_RESPONSE)) {
		status = S3_XML_OK;
	}
	wipe(&r.sax.text);
	wipe(&r.sax.kept);
	s3_sax_done(&r.sax);
	return status;
}

void s3_xml_sts_free(struct s3_xml_sts *sts)
{
	s3_secret_free(sts->id);
	s3_secret_free(sts->secret);
	s3_secret_free(sts->token);
	free(sts->code);
	free(sts->message);
	*sts = (struct s3_xml_sts){0};
}
