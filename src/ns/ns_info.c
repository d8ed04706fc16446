/*
 * What S3 says of an object, as extended attributes: s3.etag, s3.storage-class, s3.version-id,
 * s3.content-type (which can be set), and each tag as s3.tag.NAME (which can be set and removed).
 * They are not listed: a program that copies all that is listed must not set them elsewhere. Core
 * thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "ns/ns_content.h"
#include "util/clk.h"
#include "util/mem.h"

#define INFO_MAX 16
#define TAG "s3.tag."
#define TAGS_MAX 10 /* of an object; S3 User Guide, "Categorizing your storage using tags" */
#define TAG_VALUE_BYTES_MAX 1024
#define TYPE_BYTES_MAX 255

/* Programs ask twice, for the size first. */
struct info {
	uint64_t ino;
	char *name;
	char *text; /* NULL: there is none */
	int64_t at_ms;
};

struct info_ring {
	struct info items[INFO_MAX];
	unsigned next;
};

static bool is_tag(const char *name)
{
	return !strncmp(name, TAG, sizeof(TAG) - 1);
}

static void reply_text(struct ns_call *c, const char *text)
{
	struct bytes value = text ? BYTES_STR(text) : BYTES_NONE;

	c->runs = &value;
	c->run_count = 1;
	c->reply(c, text ? 0 : ENODATA);
}

/* ---- what was asked for lately ---- */

static const struct info *info_find(const struct node *n, const char *name)
{
	const struct info_ring *r = n->volume->ns->info;
	double ttl_ms = n->volume->config.metadata_ttl_s * 1000;
	unsigned i;

	for (i = 0; r && i < INFO_MAX; i++)
		if (r->items[i].ino == n->ino && !strcmp(r->items[i].name, name) &&
			(double)(clk_mono_ms() - r->items[i].at_ms) <= ttl_ms)
			return &r->items[i];
	return NULL;
}

static void info_keep(const struct node *n, const char *name, const char *text)
{
	struct ns *ns = n->volume->ns;
	struct info *at;

	if (!ns->info)
		ns->info = mem_zalloc(sizeof(*ns->info));
	at = &ns->info->items[ns->info->next++ % INFO_MAX];
	free(at->name);
	free(at->text);
	*at = (struct info){n->ino, mem_strdup(name), mem_strdup(text), clk_mono_ms()};
}

static void info_forget(const struct node *n)
{
	struct info_ring *r = n->volume->ns->info;
	unsigned i;

	for (i = 0; r && i < INFO_MAX; i++)
		if (r->items[i].ino == n->ino)
			r->items[i].at_ms = INT64_MIN / 2;
}

void info_free(struct ns *ns)
{
	unsigned i;

	for (i = 0; ns->info && i < INFO_MAX; i++) {
		free(ns->info->items[i].name);
		free(ns->info->items[i].text);
	}
	free(ns->info);
	ns->info = NULL;
}

/* ---- asking ---- */

struct info_ask {
	struct node *node; /* a reference */
	char *name, *text;
	int errnum;
	struct ns_call_list waiters;
};

static void ask_free(struct info_ask *k)
{
	node_unref(k->node);
	free(k->name);
	free(k->text);
	free(k);
}

static void ask_end(struct info_ask *k, const struct s3_err *err)
{
	if (err->cls != S3_OK)
		k->errnum = err->cls == S3_NOT_FOUND ? ENODATA : err->errnum;
	else
		info_keep(k->node, k->name, k->text);
	if (TAILQ_EMPTY(&k->waiters))
		ask_free(k);
	else
		wake(&k->waiters); /* ends in ask_over */
}

static void ask_over(struct ns_call *c)
{
	struct info_ask *k = c->work;

	c->work = NULL;
	if (k->errnum)
		c->reply(c, k->errnum);
	else
		reply_text(c, k->text);
	ask_free(k);
}

static void headed(void *ctx, const struct s3_err *err, const struct s3_object *o)
{
	struct info_ask *k = ctx;

	if (err->cls == S3_OK)
		k->text = mem_strdup(o->version_id);
	ask_end(k, err);
}

static void tags_in(
	void *ctx, const struct s3_err *err, const struct s3_object_tag *tags, size_t count)
{
	struct info_ask *k = ctx;
	size_t i;

	for (i = 0; i < count; i++)
		if (bytes_equal(tags[i].key, BYTES_STR(k->name + sizeof(TAG) - 1)))
			k->text = mem_dup(tags[i].value.ptr, tags[i].value.len);
	ask_end(k, err);
}

static void ask(struct ns_call *c)
{
	struct node *n = c->node;
	struct info_ask *k = mem_zalloc(sizeof(*k));
	struct buf key = BUF_INIT(0);
	char text[64];
	struct bytes pin = etag_text(&n->etag, text);

	k->node = node_ref(n);
	k->name = mem_strdup(c->name);
	TAILQ_INIT(&k->waiters);
	c->work = k;
	park(c, &k->waiters, ask_over);
	node_key(n, &key);
	if (is_tag(c->name))
		s3_get_tags(n->volume->client, buf_bytes(&key), pin, 0, tags_in, k);
	else
		s3_head(n->volume->client, buf_bytes(&key), pin, 0, headed, k);
	buf_free(&key);
}

/* ---- reading ---- */

/* Is there an object of it in S3? */
static bool is_stored(const struct node *n)
{
	if (n->kind == NODE_FILE)
		return n->live && !(n->u.content && n->u.content->created);
	return n->live && n->parent && !n->unsent;
}

static void get_known(struct ns_call *c)
{
	struct node *n = c->node;
	char text[64];
	struct bytes etag = s3_pin_etag(n->volume->client, etag_text(&n->etag, text));
	char *copy = NULL;

	if (n->kind != NODE_FILE || !is_stored(n)) {
		reply_text(c, NULL);
	} else if (!strcmp(c->name, "s3.etag")) {
		copy = etag.len ? mem_dup(etag.ptr, etag.len) : NULL;
		reply_text(c, copy);
	} else {
		reply_text(c, n->class_id ? n->volume->ns->classes[n->class_id] : "STANDARD");
	}
	free(copy);
}

static void get_type(struct ns_call *c)
{
	if (meta_look(c, c->node, get_type))
		return;
	if (c->errnum || !c->node->parent)
		c->reply(c, c->errnum ? c->errnum : ENODATA);
	else if (c->node->kind == NODE_DIR && c->node->u.dir->marker != MARKER_YES)
		reply_text(c, NULL);
	else
		reply_text(c, meta_type(c->node));
}

void info_get(struct ns_call *c)
{
	struct node *n = c->node;
	const struct info *known;
	char text[64];
	struct bytes version = s3_pin_version(n->volume->client, etag_text(&n->etag, text));

	if (n->kind == NODE_FILE && n->pending) {
		wait_node(c, n, info_get);
		return;
	}
	if (!strcmp(c->name, "s3.etag") || !strcmp(c->name, "s3.storage-class")) {
		get_known(c);
	} else if (!strcmp(c->name, "s3.content-type")) {
		get_type(c);
	} else if ((!is_tag(c->name) && strcmp(c->name, "s3.version-id") != 0) || !is_stored(n)) {
		reply_text(c, NULL);
	} else if (version.len && !is_tag(c->name)) {
		reply_text(c, version.ptr); /* the end of a string */
	} else {
		known = info_find(n, c->name);
		if (known)
			reply_text(c, known->text);
		else
			ask(c);
	}
}

/* ---- changing tags: the set is read and written while nobody else has the key ---- */

struct tag_change {
	char *name, *value; /* value NULL: it goes */
	unsigned flags;
	size_t count; /* of the set in the end */
};

static void set_written(void *ctx, const struct s3_err *err)
{
	struct accepted *a = ctx;

	bulk_release(&a->op);
	a->op.done(&a->op, err);
}

/* The caller has asked for what is not so: no failure of S3's. */
static void refuse(struct accepted *a, int errnum)
{
	const struct s3_err err = {.cls = S3_FAILED, .errnum = errnum};

	a->attempt = true;
	set_written(a, &err);
}

static void set_read(
	void *ctx, const struct s3_err *err, const struct s3_object_tag *tags, size_t count)
{
	struct accepted *a = ctx;
	struct tag_change *t = a->extra;
	struct s3_object_tag set[TAGS_MAX + 1];
	bool found = false;
	size_t i, n = 0;

	if (err->cls != S3_OK) {
		set_written(a, err);
		return;
	}
	for (i = 0; i < count && n < TAGS_MAX; i++) {
		if (bytes_equal(tags[i].key, BYTES_STR(t->name)))
			found = true;
		else
			set[n++] = tags[i];
	}
	if (found ? t->flags & XATTR_CREATE : !t->value || (t->flags & XATTR_REPLACE)) {
		refuse(a, found ? EEXIST : ENODATA);
		return;
	}
	if (t->value && n == TAGS_MAX) {
		refuse(a, ENOSPC);
		return;
	}
	if (t->value)
		set[n++] = (struct s3_object_tag){BYTES_STR(t->name), BYTES_STR(t->value)};
	t->count = n;
	s3_put_tags(a->node->volume->client, a->op.key, set, n, 0, set_written, a);
}

static void set_begin(struct bulk_op *op)
{
	struct accepted *a = (struct accepted *)op;

	s3_get_tags(a->node->volume->client, op->key, BYTES_NONE, 0, set_read, a);
}

static void set_settled(struct accepted *a, const struct s3_err *err)
{
	struct tag_change *t = a->extra;

	info_forget(a->node);
	if (err->cls == S3_OK && a->node->look == LOOK_DONE && (t->count || a->node->meta))
		meta_get(a->node)->tagged = t->count > 0;
	free(t->name);
	free(t->value);
}

static void set_tag(struct ns_call *c, bool set)
{
	struct accepted *a;
	struct tag_change *t;

	if (set && c->size > TAG_VALUE_BYTES_MAX) {
		c->reply(c, E2BIG);
		return;
	}
	if (!c->name[sizeof(TAG) - 1] || (set && memchr(c->data, '\0', c->size))) {
		c->reply(c, EINVAL);
		return;
	}
	a = accepted_new(c->node, BULK_WRITE, "change of tags");
	t = mem_zalloc(sizeof(*t));
	t->name = mem_strdup(c->name + sizeof(TAG) - 1);
	t->value = set ? mem_dup(c->data, c->size) : NULL;
	t->flags = set ? c->flags : 0;
	a->extra = t;
	a->op.granted = set_begin;
	a->settle = set_settled;
	accept_op(a, NULL, c, NULL);
}

/* ---- changing ---- */

static void set_done(struct ns_call *c)
{
	c->reply(c, c->errnum);
}

/* What can be the value of a header, and a media type. */
static bool is_type(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] < 0x20 || p[i] > 0x7e)
			return false;
	return len && len <= TYPE_BYTES_MAX && p[0] != ' ' && p[len - 1] != ' ';
}

static void set_type(struct ns_call *c, void (*again)(struct ns_call *))
{
	struct node_meta m = {.has = META_TYPE};

	if (meta_busy(c, again))
		return;
	if (c->flags & XATTR_CREATE) {
		c->reply(c, EEXIST);
	} else if (!is_type(c->data, c->size)) {
		c->reply(c, EINVAL);
	} else {
		m.content_type = mem_dup(c->data, c->size);
		meta_change(c, &m, set_done);
		meta_clear(&m);
	}
}

void info_set(struct ns_call *c, bool set)
{
	struct node *n = c->node;
	bool is_type_name = !strcmp(c->name, "s3.content-type");

	if (!n->parent || (!is_tag(c->name) && !is_type_name)) {
		/* Those that are there to be read, and those that are not there. */
		c->reply(c, n->parent ? EPERM : EOPNOTSUPP);
	} else if (is_type_name && set) {
		set_type(c, ns_setxattr);
	} else if (is_type_name) {
		c->reply(c, EPERM);
	} else if (!is_stored(n)) {
		c->reply(c, EBUSY); /* it can be tagged when it is closed */
	} else {
		set_tag(c, set);
	}
}
