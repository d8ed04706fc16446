/* Responses: see answer.h. One thread. A response owns its bytes or a reference to the content. */
#include "answer.h"

#include <stdlib.h>
#include <time.h>

#include "req.h"
#include "s3d.h"
#include "util/clk.h"
#include "util/mem.h"

#define BLOCK_BYTES ((size_t)256 << 10)

/* A body that is read from an object, or one that is cut or damaged. */
struct source {
	struct store *store;
	struct data *data;
	struct buf text; /* when there is no data */
	uint64_t off;    /* of the answer's first byte in data */
	uint64_t len;    /* bytes after which it ends, by itself or cut */
	bool cut;
	bool flip; /* a bit of the byte flip_at */
	uint64_t flip_at;
};

static ssize_t source_read(void *cls, uint64_t pos, char *out, size_t max)
{
	struct source *s = cls;

	if (pos >= s->len)
		return s->cut ? MHD_CONTENT_READER_END_WITH_ERROR
			      : MHD_CONTENT_READER_END_OF_STREAM;
	if (max > s->len - pos)
		max = (size_t)(s->len - pos);
	if (s->data)
		max = data_read(s->data, s->off + pos, out, max);
	else
		memcpy(out, s->text.ptr + pos, max);
	if (s->flip && s->flip_at >= pos && s->flip_at - pos < max)
		out[s->flip_at - pos] ^= 1;
	return (ssize_t)max;
}

static void source_free(void *cls)
{
	struct source *s = cls;

	data_unref(s->store, s->data);
	buf_free(&s->text);
	free(s);
}

static struct MHD_Response *from_source(struct req *r)
{
	struct answer *a = &r->answer;
	struct source *s = mem_zalloc(sizeof(*s));
	uint64_t len = a->data ? a->data_len : a->body.len;

	s->store = &r->srv->store;
	s->data = a->data;
	s->off = a->data_off;
	s->len = len;
	s->text = a->body;
	a->data = NULL;
	a->body = BUF_INIT(a->body.max);
	s->flip = r->action.fires && r->action.flip && s->data;
	s->flip_at = (uint64_t)r->action.flip_at;
	if (r->action.fires && r->action.cut && (uint64_t)r->action.cut_bytes < len) {
		s->cut = true;
		s->len = (uint64_t)r->action.cut_bytes;
	}
	/* A length that is not true ends, as a cut does, with an answer that is not complete. */
	if (r->action.fires && r->action.length > 0) {
		s->cut = true;
		len += (uint64_t)r->action.length;
	} else if (r->action.fires && r->action.length < 0) {
		len -= (uint64_t)-r->action.length < len ? (uint64_t)-r->action.length : len;
		s->len = len;
	}
	return MHD_create_response_from_callback(len, BLOCK_BYTES, source_read, s, source_free);
}

static struct MHD_Response *from_memory(struct req *r)
{
	struct answer *a = &r->answer;
	size_t len;
	char *text;

	if (a->data) {
		len = (size_t)a->data_len;
		text = malloc(len ? len : 1);
		if (text)
			data_read(a->data, a->data_off, text, len);
	} else {
		len = a->body.len;
		text = buf_take(&a->body);
	}
	return text ? MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE) : NULL;
}

enum MHD_Result answer_send(struct req *r)
{
	struct answer *a = &r->answer;
	bool large = a->data && (a->data_len > BLOCK_BYTES || !strcmp(r->method, "HEAD"));
	bool cut = r->action.fires && (r->action.cut || r->action.length || r->action.flip);
	const struct bucket *b = r->bucket ? store_bucket(&r->srv->store, r->bucket) : NULL;
	struct MHD_Response *response;
	enum MHD_Result result;

	if (a->body.failed)
		req_error(r, "InternalError", "The answer is too large for this server");
	response = large || cut ? from_source(r) : from_memory(r);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "x-amz-request-id", r->id);
	MHD_add_response_header(response, "x-amz-id-2", "s3d");
	MHD_add_response_header(response, "Server", "AmazonS3");
	if (b)
		MHD_add_response_header(response, "x-amz-bucket-region", b->region);
	if (r->srv->auth.clock_offset_ms) {
		time_t now = (time_t)((clk_wall_ms() + r->srv->auth.clock_offset_ms) / 1000);
		struct tm tm;
		char date[40];

		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
		MHD_add_response_header(response, "Date", date);
	}
	if (a->content_type)
		MHD_add_response_header(response, "Content-Type", a->content_type);
	for (size_t i = 0; i < a->header_count; i++)
		MHD_add_response_header(response, a->headers[i].name, a->headers[i].value);
	result = MHD_queue_response(r->conn, (unsigned)a->status, response);
	MHD_destroy_response(response);
	return result;
}
