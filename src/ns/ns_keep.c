/*
 * What an object has beside its bytes outlives them: a file that is changed in place, or written
 * anew, keeps its headers, metadata, tags and storage class. An upload makes a new object, which
 * has only what is sent along; so what is not known of the old one is asked for first (HeadObject,
 * and GetObjectTagging when it has tags), while the bytes are still being written. Core thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "ns/ns_content.h"
#include "util/log.h"
#include "util/mem.h"

/* Ten tags of 128 and 256 characters, all escaped. */
#define TAGGING_BYTES_MAX ((size_t)64 << 10)

struct keep {
	struct node *node; /* a reference; its meta->keep is this, unless `orphan` */
	struct ns_call_list waiters;
	struct s3_meta *meta; /* when `known`: what is kept */
	int errnum;
	bool known, orphan;
};

static void keep_end(struct keep *k)
{
	s3_meta_free(k->meta);
	node_unref(k->node);
	free(k);
}

void keep_drop(struct node_meta *m)
{
	struct keep *k = m->keep;

	m->keep = NULL;
	if (!k)
		return;
	/* What is under way ends by itself. */
	if (k->known || k->errnum)
		keep_end(k);
	else
		k->orphan = true;
}

/* What waits for it is the upload that was to begin, or what stores the file. */
static void go_on(struct content *ct)
{
	if (ct->upload && !ct->upload->asked)
		upload_begin(ct->upload);
	else
		save_progress(ct);
}

static void answered(struct keep *k, int errnum)
{
	struct node *n = k->node;
	bool orphan = k->orphan;

	k->errnum = errnum;
	k->known = !errnum;
	node_ref(n);
	/* Who goes on now may take it, and it is gone then. */
	wake(&k->waiters);
	if (n->u.content)
		go_on(n->u.content);
	if (orphan)
		keep_end(k);
	node_unref(n);
}

static void tags_in(
	void *ctx, const struct s3_err *err, const struct s3_object_tag *tags, size_t count)
{
	struct keep *k = ctx;
	struct buf tagging = BUF_INIT(TAGGING_BYTES_MAX);

	if (err->cls == S3_OK && count) {
		s3_tagging_header(tags, count, &tagging);
		k->meta->tagging = buf_take(&tagging);
	}
	/* Those that the server cannot tell are lost; s3 has logged it. */
	answered(k, s3_client_lacks(k->node->volume->client, S3_ABLE_TAGS) ? 0 : err->errnum);
}

/* All but what is known as an attribute (ns_meta.c). */
static struct s3_meta *others_of(const struct s3_object *o)
{
	struct s3_header *user = mem_calloc(o->user_count, sizeof(*user));
	struct s3_meta meta = {
		.storage_class = o->storage_class,
		.cache_control = o->cache_control,
		.content_disposition = o->content_disposition,
		.content_encoding = o->content_encoding,
		.content_language = o->content_language,
		.expires = o->expires,
		.redirect = o->redirect,
		.encryption = o->encryption,
		.kms_key_id = o->kms_key_id,
		.bucket_key = o->bucket_key,
		.user = user,
	};
	struct s3_meta *copy;
	size_t i;

	for (i = 0; i < o->user_count; i++)
		if (!meta_is_ours(&o->user[i]))
			user[meta.user_count++] = o->user[i];
	copy = s3_meta_dup(&meta);
	free(user);
	return copy;
}

static void headed(void *ctx, const struct s3_err *err, const struct s3_object *o)
{
	static const struct s3_object nothing;
	struct keep *k = ctx;
	struct node *n = k->node;
	struct node_meta m;
	struct buf key = BUF_INIT(0);
	char text[400];

	if (err->cls == S3_DENIED) {
		/* Who may write but not read must be able to write. */
		log_warn("what S3 has of %s beside its bytes is not kept: %s", n->name,
			s3_err_text(err, text, sizeof(text)));
	} else if (err->cls != S3_OK && err->cls != S3_NOT_FOUND) {
		answered(k, err->errnum);
		return;
	}
	if (err->cls != S3_OK)
		o = &nothing;
	k->meta = others_of(o);
	if (err->cls == S3_OK && !k->orphan) {
		meta_parse(o, meta_type_by_name(n), &m);
		m.keep = n->meta->keep;
		n->meta->keep = NULL;
		meta_merge_known(n, &m);
	}
	if (!o->tag_count || s3_client_lacks(n->volume->client, S3_ABLE_TAGS)) {
		answered(k, 0);
		return;
	}
	node_key(n, &key);
	s3_get_tags(n->volume->client, buf_bytes(&key), BYTES_NONE, 0, tags_in, k);
	buf_free(&key);
}

static struct keep *ask(struct node *n)
{
	struct keep *k = mem_zalloc(sizeof(*k));
	struct buf key = BUF_INIT(0);

	k->node = node_ref(n);
	TAILQ_INIT(&k->waiters);
	meta_get(n)->keep = k;
	node_key(n, &key);
	s3_head(n->volume->client, buf_bytes(&key), BYTES_NONE, 0, headed, k);
	buf_free(&key);
	return k;
}

int keep_ready(struct node *n, struct ns_call *c, void (*again)(struct ns_call *))
{
	struct keep *k = n->meta ? n->meta->keep : NULL;
	bool none = n->u.content && n->u.content->created;
	int errnum;

	if (!k && (none || (n->look == LOOK_DONE &&
				   !(n->meta && (n->meta->others || n->meta->tagged)))))
		return 0;
	if (k && k->known)
		return 0;
	if (k && k->errnum) {
		/* Told once; who tries again asks again. */
		errnum = k->errnum;
		keep_drop(n->meta);
		return errnum;
	}
	if (!k)
		k = ask(n);
	if (c)
		park(c, &k->waiters, again);
	return -1;
}

struct s3_meta *keep_take(struct node *n)
{
	struct keep *k = n->meta ? n->meta->keep : NULL;
	struct s3_meta *meta;

	if (!k || !k->known)
		return NULL;
	meta = k->meta;
	k->meta = NULL;
	keep_drop(n->meta);
	return meta;
}
