/*
 * ListObjectsV2, and ListObjects for servers that know no other (S3 API reference). The page is
 * parsed on the I/O thread while it arrives, and handed to the core thread as a whole.
 *
 * Which of the two, and whether with encoded names, the first listing of a client finds out: a form
 * that is refused is followed by the next one, and an answer of the first version to a request of
 * the second says that the version was not looked at. Core thread, except for the sinks.
 */
#include "s3/s3_int.h"

#include <stdio.h>
#include <string.h>

#define MAX_KEYS 1000

/* How it is asked for. */
struct list_form {
	bool v1, plain; /* plain: names as they are */
};

struct list_op {
	struct s3_op op;
	struct s3_xml_list *parser;
	struct s3_list_page page;
	struct s3_list_params params; /* what they point at is kept */
	struct list_form form;
	struct s3_err refused; /* of the first form, when others are tried; else S3_OK */
};

static void list_reset(struct s3_op *op)
{
	s3_xml_list_reset(((struct list_op *)op)->parser);
}

static enum http_take list_data(struct s3_op *op, const char *ptr, size_t len)
{
	struct s3_xml_list *parser = ((struct list_op *)op)->parser;

	return s3_xml_list_feed(parser, ptr, len) ? HTTP_MORE : HTTP_ENOUGH;
}

/* Is it an entry that this listing can have? Else it would be shown elsewhere, or as no name at
 * all. */
static bool is_asked_for(const struct list_op *l, const struct s3_list_entry *e)
{
	struct bytes rest;
	const char *slash;

	if (!bytes_starts(e->key, l->params.prefix) || e->key.len > S3_KEY_LISTED_MAX)
		return false;
	rest = BYTES(e->key.ptr + l->params.prefix.len, e->key.len - l->params.prefix.len);
	slash = l->params.delimiter && rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
	return e->is_prefix ? slash && slash == rest.ptr + rest.len - 1 : !slash;
}

/* A page whose document is good. */
static void check_page(struct list_op *l)
{
	size_t i;

	if (l->params.token.len && l->page.truncated &&
		bytes_equal(l->page.next_token, l->params.token))
		s3_op_bad_answer(
			&l->op, "the listing goes round in a circle: its next page is this one");
	for (i = 0; i < l->page.count; i++)
		if (!is_asked_for(l, &l->page.entries[i])) {
			s3_op_bad_answer(&l->op, "it has a key that was not asked for");
			return;
		}
}

/* Where the page begins, which is behind this key; ptr NULL: at the prefix's beginning. */
static struct bytes marker_of(const struct list_op *l)
{
	return l->params.token.ptr ? l->params.token : l->params.start_after;
}

/*
 * A common prefix that is the marker was on the page before; some servers send it again. False when
 * the page leads nowhere.
 */
static bool drop_before(struct s3_list_page *page, struct bytes marker)
{
	while (page->count && bytes_cmp(page->entries[0].key, marker) <= 0) {
		page->entries++;
		page->count--;
	}
	return !page->truncated || bytes_cmp(page->next_token, marker) > 0;
}

static void list_check(struct s3_op *op)
{
	struct list_op *l = (struct list_op *)op;
	struct s3_xml_fault fault;
	enum s3_xml_status status = s3_xml_list_end(l->parser, &l->page, &fault);

	if (status == S3_XML_OK && l->form.v1 && marker_of(l).ptr &&
		!drop_before(&l->page, marker_of(l)))
		status = S3_XML_BAD;
	if (status != S3_XML_OK)
		s3_op_xml_failure(op, status, &fault);
	else
		check_page(l);
}

static void list_complete(struct s3_op *op)
{
	static const struct s3_list_page none;
	struct list_op *l = (struct list_op *)op;

	op->done.list(op->ctx, &op->err, op->err.cls == S3_OK ? &l->page : &none);
}

static void list_release(struct s3_op *op)
{
	s3_client_give_list(op->client, ((struct list_op *)op)->parser);
}

static void fill_query(struct list_op *l)
{
	struct s3_op *op = &l->op;
	struct bytes marker = marker_of(l);
	char number[16];

	op->query_count = 0;
	snprintf(number, sizeof(number), "%u", l->params.max_keys);
	/* Without it keys with control characters make a page that is not XML. */
	if (!l->form.plain)
		s3_op_query(op, "encoding-type", BYTES_LIT("url"));
	s3_op_query(op, "max-keys", BYTES_STR(number));
	if (l->params.prefix.len)
		s3_op_query(op, "prefix", l->params.prefix);
	if (l->params.delimiter)
		s3_op_query(op, "delimiter", BYTES_LIT("/"));
	if (!l->form.v1)
		s3_op_query(op, "list-type", BYTES_LIT("2"));
	if (marker.ptr)
		s3_op_query(op,
			l->form.v1            ? "marker"
			: l->params.token.ptr ? "continuation-token"
					      : "start-after",
			marker);
}

static void ask_again(struct list_op *l)
{
	fill_query(l);
	s3_op_resend(&l->op);
}

/* Another form may do: nothing was listed yet, and it is not a token that the server refuses. */
static bool is_form_refused(const struct list_op *l)
{
	const struct s3_err *err = &l->op.err;

	return !l->op.client->listed && !l->params.token.ptr &&
	       (s3_err_unimplemented(err) ||
		       (err->http_status == 400 && (!strcmp(err->code, "InvalidArgument") ||
							   !strcmp(err->code, "InvalidRequest"))));
}

/* V2, then V2 with plain names, V1, V1 with plain names; false: there is none left. */
static bool next_form(struct list_form *form)
{
	if (form->plain) {
		if (form->v1)
			return false;
		form->v1 = true;
	}
	form->plain = !form->plain;
	return true;
}

/* The form has been served: what the one before was refused for is missing. */
static void learn(struct list_op *l)
{
	struct s3_client *c = l->op.client;
	bool encoded = s3_xml_list_is_encoded(l->parser);

	c->listed = true;
	if (l->form.v1 && l->refused.cls != S3_OK)
		s3_client_heard(c, S3_ABLE_LIST_V2, &l->refused, true);
	if (l->form.plain && l->refused.cls != S3_OK) {
		s3_client_heard(c, S3_ABLE_LIST_ENCODING, &l->refused, true);
		c->lists_plain = true;
	}
	/* It is asked for all the same: some page may have it. */
	if (!l->form.plain && l->page.count)
		s3_client_ignored(c, S3_ABLE_LIST_ENCODING, !encoded);
	if (!l->form.v1 && !s3_xml_list_is_v1(l->parser) && l->page.truncated)
		s3_client_heard(c, S3_ABLE_LIST_V2, &l->op.err, false);
}

static bool list_hold(struct s3_op *op)
{
	struct list_op *l = (struct list_op *)op;

	if (op->cancelled || op->client->closing)
		return false;
	if (op->err.cls != S3_OK) {
		if (!is_form_refused(l))
			return false;
		if (l->refused.cls == S3_OK)
			l->refused = op->err;
		/* Refused in every form: it is not the form. */
		op->err = l->refused;
		if (!next_form(&l->form))
			return false;
		ask_again(l);
		return true;
	}
	learn(l);
	if (l->form.v1 || !s3_xml_list_is_v1(l->parser))
		return false;
	s3_client_ignored(op->client, S3_ABLE_LIST_V2, true);
	l->form.v1 = true;
	/* The first page is the same; where another begins was not looked at. */
	if (!marker_of(l).ptr)
		return false;
	ask_again(l);
	return true;
}

static const struct s3_op_type list_type = {
	.name = "ListObjectsV2",
	.method = "GET",
	.size = sizeof(struct list_op),
	.reset = list_reset,
	.data = list_data,
	.check = list_check,
	.hold = list_hold,
	.complete = list_complete,
	.release = list_release,
};

static struct bytes keep(struct s3_op *op, struct bytes text)
{
	return text.ptr ? BYTES(s3_op_keep(op, text), text.len) : text;
}

static struct s3_op *list_now(struct s3_client *c, const struct s3_list_params *params,
	unsigned flags, s3_list_fn *done, void *ctx)
{
	struct s3_op *op = s3_op_new(c, &list_type, BYTES_LIT(""), flags, ctx);
	struct list_op *l = (struct list_op *)op;

	l->parser = s3_client_take_list(c);
	op->done.list = done;
	op->http.buffer_bytes = (size_t)64 << 10;
	l->params = *params;
	l->params.prefix = keep(op, params->prefix);
	l->params.start_after = keep(op, params->start_after);
	l->params.token = keep(op, params->token);
	if (!params->max_keys || params->max_keys > MAX_KEYS)
		l->params.max_keys = MAX_KEYS;
	l->form.v1 = s3_client_lacks(c, S3_ABLE_LIST_V2);
	l->form.plain = c->lists_plain;
	fill_query(l);
	return s3_op_start(op);
}

struct s3_op *s3_list(struct s3_client *c, const struct s3_list_params *params, unsigned flags,
	s3_list_fn *done, void *ctx)
{
	if (!c->settings.version_at_ms)
		return list_now(c, params, flags, done, ctx);
	s3_at_list(c, params, flags, done, ctx);
	return NULL;
}
