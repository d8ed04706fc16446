/*
 * The texts that attributes have in S3: see ns_meta.h. They come from anywhere: what makes no sense
 * is not there. Pure functions.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "ns/ns_meta.h"
#include "util/mem.h"

#define MODE_MAX 0177777ull
#define DIGITS_MAX 18
/* The years 1 to 9999. */
#define SECONDS_MIN (-62135596800ll)
#define SECONDS_MAX 253402300799ll
#define NS_A_SECOND 1000000000l
#define HEADERS_MAX 5
#define XATTRS_BYTES_MAX ((size_t)256 << 10)

/* Nothing but digits of that base, at least one. */
static bool number(const char *text, size_t len, unsigned base, unsigned long long *out)
{
	unsigned long long v = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned digit = (unsigned char)text[i] - '0';

		if (digit >= base || i == DIGITS_MAX)
			return false;
		v = v * base + digit;
	}
	*out = v;
	return len > 0;
}

static bool is_type(unsigned long long mode)
{
	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	default:
		return false;
	}
}

static bool is_octal(const char *text, size_t len, unsigned long long *v)
{
	mode_t type;

	if (!number(text, len, 8, v) || *v > MODE_MAX || !is_type(*v))
		return false;
	/* What does not begin with a zero is only taken for octal when it then makes much sense. */
	type = (mode_t)*v & S_IFMT;
	return text[0] == '0' || type == S_IFREG || type == S_IFDIR || type == S_IFLNK;
}

bool mode_parse(const char *text, mode_t *mode)
{
	size_t len = strlen(text);
	bool zero = text[0] == '0' && len > 1;
	unsigned long long v;

	if ((zero || !number(text, len, 10, &v) || v > MODE_MAX || !is_type(v)) &&
		!is_octal(text, len, &v))
		return false;
	*mode = (mode_t)v;
	return true;
}

bool id_parse(const char *text, uint32_t *id)
{
	unsigned long long v;

	if (!number(text, strlen(text), 10, &v) || v >= UINT32_MAX)
		return false;
	*id = (uint32_t)v;
	return true;
}

bool mtime_parse(const char *text, struct timespec *mtime)
{
	bool before = *text == '-';
	unsigned long long whole, digits = 0;
	size_t len, used;
	long long s;
	long ns;

	text += before;
	len = strcspn(text, ".");
	if (!number(text, len, 10, &whole))
		return false;
	text += len;
	used = *text ? strlen(text + 1) : 0;
	if (*text && strspn(text + 1, "0123456789") != used)
		return false;
	if (used > 9)
		used = 9;
	if (used)
		number(text + 1, used, 10, &digits);
	for (ns = (long)digits; used < 9; used++)
		ns *= 10;
	s = whole > (unsigned long long)SECONDS_MAX ? SECONDS_MAX + 1 : (long long)whole;
	if (before && ns) {
		s++;
		ns = NS_A_SECOND - ns;
	}
	if (before)
		s = -s;
	if (s < SECONDS_MIN || s > SECONDS_MAX)
		return false;
	*mtime = (struct timespec){.tv_sec = (time_t)s, .tv_nsec = ns};
	return true;
}

void mtime_format(const struct timespec *t, char text[MTIME_TEXT])
{
	if (t->tv_sec < 0 && t->tv_nsec)
		snprintf(text, MTIME_TEXT, "-%lld.%09ld", -((long long)t->tv_sec + 1),
			NS_A_SECOND - t->tv_nsec);
	else
		snprintf(text, MTIME_TEXT, "%lld.%09ld", (long long)t->tv_sec, t->tv_nsec);
}

/* ---- all of an object's ---- */

/* False: it is not one of ours, or makes no sense. */
static bool parse_one(struct node_meta *m, const char *name, const char *value, mode_t *type)
{
	unsigned has = 0;
	mode_t mode;

	if (!strcmp(name, "mode") && mode_parse(value, &mode)) {
		m->mode = mode & 07777;
		*type = mode & S_IFMT;
		has = META_MODE;
	} else if (!strcmp(name, "uid") && id_parse(value, &m->uid)) {
		has = META_UID;
	} else if (!strcmp(name, "gid") && id_parse(value, &m->gid)) {
		has = META_GID;
	} else if (!strcmp(name, "mtime") && mtime_parse(value, &m->mtime)) {
		has = META_MTIME;
	} else if (!strcmp(name, "xattr") && !m->xattrs.count && xattrs_parse(value, &m->xattrs)) {
		has = META_XATTRS;
	}
	m->has |= has;
	return has;
}

bool meta_parse(const struct s3_object *o, const char *type, struct node_meta *m)
{
	size_t i, bytes = 0;
	mode_t kind = 0;
	bool link;

	*m = (struct node_meta){.tagged = o->tag_count > 0};
	for (i = 0; i < o->user_count; i++)
		if (!parse_one(m, o->user[i].name, o->user[i].value, &kind))
			bytes += strlen(o->user[i].name) + strlen(o->user[i].value);
	/* An object that no path can be in is shown as what it is. */
	link = kind == S_IFLNK && o->size_bytes && o->size_bytes < PATH_MAX;
	if (link)
		type = META_LINK_TYPE;
	m->size = bytes > META_BYTES_MAX ? META_BYTES_MAX : (uint16_t)bytes;
	m->others = bytes || o->cache_control || o->content_disposition || o->content_encoding ||
		    o->content_language || o->expires || o->redirect || o->encryption ||
		    !o->content_type;
	if (o->content_type && strcmp(o->content_type, type) != 0) {
		m->content_type = mem_strdup(o->content_type);
		m->has |= META_TYPE;
	}
	return link;
}

bool meta_is_ours(const struct s3_header *header)
{
	struct node_meta m = {0};
	mode_t type;
	bool ours = parse_one(&m, header->name, header->value, &type);

	meta_clear(&m);
	return ours;
}

static char *xattrs_text(const struct xattrs *x)
{
	struct buf text = BUF_INIT(XATTRS_BYTES_MAX);

	xattrs_format(x, &text);
	return buf_take(&text);
}

struct s3_header *meta_headers(const struct node_meta *m, mode_t type, bool patch, size_t *count)
{
	struct s3_header *h = mem_calloc(HEADERS_MAX, sizeof(*h));
	char text[MTIME_TEXT];
	size_t n = 0;

	/* A link is only known by its mode. */
	if (type == S_IFLNK)
		h[n++] = (struct s3_header){"mode", mem_printf("%u", type | 0777u)};
	else if (m && (m->has & META_MODE))
		h[n++] = (struct s3_header){"mode", mem_printf("%u", type | m->mode)};
	if (m && (m->has & META_UID))
		h[n++] = (struct s3_header){"uid", mem_printf("%u", m->uid)};
	if (m && (m->has & META_GID))
		h[n++] = (struct s3_header){"gid", mem_printf("%u", m->gid)};
	if (m && (m->has & META_MTIME)) {
		mtime_format(&m->mtime, text);
		h[n++] = (struct s3_header){"mtime", mem_strdup(text)};
	}
	if (m && (m->has & META_XATTRS) && (m->xattrs.count || patch))
		h[n++] = (struct s3_header){
			"xattr", m->xattrs.count ? xattrs_text(&m->xattrs) : NULL};
	*count = n;
	return h;
}

void meta_headers_free(struct s3_header *h, size_t count)
{
	size_t i;

	for (i = 0; h && i < count; i++)
		free((char *)h[i].value);
	free(h);
}

void meta_clear(struct node_meta *m)
{
	xattrs_free(&m->xattrs);
	free(m->target);
	free(m->content_type);
	*m = (struct node_meta){0};
}
