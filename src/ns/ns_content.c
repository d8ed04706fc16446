/*
 * The bytes of a file that is open for writing, until they are in S3. Memory has a bound: a buffer
 * that would pass it waits for uploads to finish; when nothing is being uploaded (many files open,
 * none with a whole part), buffers live in unlinked spool files, which the kernel can write out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ns/ns_int.h"
#include "util/mem.h"

#define PART_BYTES_DEFAULT ((size_t)8 << 20)
#define WRITE_MEMORY_DEFAULT ((uint64_t)64 << 20)
#define DATA_START ((size_t)64 << 10)

/* Parts double every 1,000, so that 10,000 of them reach S3's largest object. */
size_t part_bytes(const struct content *ct)
{
	uint64_t part = ct->node->volume->config.part_bytes;

	if (!part)
		part = PART_BYTES_DEFAULT;
	part <<= ct->part_count / 1000;
	return part > S3_PART_MAX ? (size_t)S3_PART_MAX : (size_t)part;
}

struct content *content_get(struct node *n)
{
	struct content *ct = n->u.content;

	if (ct)
		return ct;
	ct = mem_zalloc(sizeof(*ct));
	ct->node = n;
	ct->size_bytes = n->size_bytes;
	TAILQ_INIT(&ct->waiters);
	ct->own = true;
	n->u.content = ct;
	return ct;
}

bool node_has_writer(const struct node *n)
{
	return n->kind == NODE_FILE && n->u.content &&
	       (n->u.content->writers || n->u.content->dirty || n->u.content->flushing);
}

/* A buffer's memory begins behind this head. */
struct data_head {
	size_t mapped; /* bytes mapped from a spool file; 0: memory of the bound */
	char pad[64 - sizeof(size_t)];
};

static struct data_head *head_of(char *data)
{
	return (struct data_head *)(data - sizeof(struct data_head));
}

void data_free(struct ns *ns, char *data, size_t cap)
{
	if (!data)
		return;
	if (head_of(data)->mapped) {
		munmap(head_of(data), head_of(data)->mapped);
	} else {
		free(head_of(data));
		ns->write_bytes -= cap;
	}
	wake(&ns->write_waiters);
}

char *content_take_put(struct content *ct, size_t *cap)
{
	struct ns *ns = ct->node->volume->ns;
	size_t used = ct->used;
	char *data = content_take_data(ct, cap);
	struct data_head *small;

	if (!data || head_of(data)->mapped || used == *cap)
		return data;
	/* It waits, perhaps with thousands of others: only as much memory as it needs. */
	small = realloc(head_of(data), sizeof(*small) + used);
	if (!small)
		return data;
	ns->write_bytes -= *cap - used;
	*cap = used;
	wake(&ns->write_waiters);
	return (char *)(small + 1);
}

/* Room on disk is taken at once: a full disk is this write's ENOSPC, never a later SIGBUS. */
static char *spool_new(const struct ns_volume *v, size_t cap, int *errnum)
{
	const char *dir = v->config.spool_dir ? v->config.spool_dir : getenv("TMPDIR");
	size_t size = cap + sizeof(struct data_head);
	struct data_head *h;
	int fd;

	fd = open(dir ? dir : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		*errnum = errno;
		return NULL;
	}
	*errnum = posix_fallocate(fd, 0, (off_t)size);
	h = *errnum ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (h == MAP_FAILED && !*errnum)
		*errnum = errno;
	close(fd);
	if (h == MAP_FAILED)
		return NULL;
	h->mapped = size;
	return (char *)(h + 1);
}

static char *memory_new(struct ns *ns, size_t cap)
{
	struct data_head *h = malloc(cap + sizeof(*h));

	if (!h)
		return NULL;
	h->mapped = 0;
	ns->write_bytes += cap;
	return (char *)(h + 1);
}

void content_drop_data(struct content *ct)
{
	size_t cap;
	char *data = content_take_data(ct, &cap);

	data_free(ct->node->volume->ns, data, cap);
}

char *content_take_data(struct content *ct, size_t *cap)
{
	char *data = ct->data;

	*cap = ct->cap;
	ct->data = NULL;
	ct->used = ct->cap = 0;
	return data;
}

int content_room(struct content *ct, size_t extra)
{
	struct ns *ns = ct->node->volume->ns;
	uint64_t bound = ns->config.write_memory_bytes ? ns->config.write_memory_bytes
						       : WRITE_MEMORY_DEFAULT;
	size_t need = ct->used + extra, cap = ct->cap ? ct->cap : DATA_START;
	char *data;
	int errnum = 0;

	if (need <= ct->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	if (cap > part_bytes(ct))
		cap = need > part_bytes(ct) ? need : part_bytes(ct);
	if (ns->write_bytes + cap <= bound) {
		data = memory_new(ns, cap);
		errnum = data ? 0 : ENOMEM;
	} else if (ns->uploads) {
		return -1;
	} else {
		data = spool_new(ct->node->volume, cap, &errnum);
	}
	if (!data)
		return errnum;
	if (ct->used)
		memcpy(data, ct->data, ct->used);
	data_free(ns, ct->data, ct->cap);
	ct->data = data;
	ct->cap = cap;
	return 0;
}

void content_drop_base(struct content *ct)
{
	struct node *base = ct->base;

	ct->base = NULL;
	ct->base_bytes = ct->base_full_bytes = 0;
	etag_free(&ct->base_etag);
	if (base && base != ct->node)
		node_unref(base);
}

void content_clear(struct content *ct)
{
	upload_abort(ct);
	content_drop_data(ct);
	content_drop_base(ct);
	ct->loading = NULL;
	ct->own = false;
	ct->size_bytes = 0;
	ct->errnum = 0;
}

void content_set_base(
	struct content *ct, struct node *base, const struct etag *etag, uint64_t full_bytes)
{
	content_drop_base(ct);
	ct->base = base == ct->node ? base : node_ref(base);
	etag_copy(&ct->base_etag, etag);
	ct->base_full_bytes = full_bytes;
}

bool content_all_local(const struct content *ct)
{
	return !ct->own && !ct->base && !ct->part_count;
}

void content_free(struct node *n)
{
	struct content *ct = n->u.content;

	if (!ct)
		return;
	n->u.content = NULL;
	upload_abort(ct);
	content_drop_data(ct);
	content_drop_base(ct);
	free(ct->parts);
	free(ct->upload_id);
	free(ct);
}
