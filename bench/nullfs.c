/*
 * A filesystem that does nothing, as fast as FUSE allows: the floor of a machine.
 *
 * Everything is answered from memory at once. It has the connection settings of s3bulkfs
 * (readdirplus, no writeback cache, no FLUSH for files opened to be read, no check of permissions
 * by the kernel, 1 s of entry and attribute timeout as metadata_ttl), one thread, and a loop that
 * reads /dev/fuse without blocking a few times before it waits. What `cp -r` costs here is what the
 * kernel, cp and FUSE cost; the rest of s3bulkfs comes on top. Ownership: nodes live in one table,
 * index = inode number, and are never freed.
 *
 * usage: nullfs COUNT SIZE MOUNTPOINT (foreground; holds src/f000000 ... of SIZE bytes)
 */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#define TIMEOUT_S 1.0
#define SPINS 200

struct node_key {
	fuse_ino_t parent;
	char name[256]; /* zero-padded: the whole struct is the hash key */
};

struct node {
	UT_hash_handle hh;
	struct node_key key;
	fuse_ino_t ino;
	bool is_dir;
	off_t size;
	unsigned entries; /* of a directory */
	fuse_ino_t *children;
	size_t children_count, children_max;
};

static struct node **nodes;
static size_t nodes_count, nodes_max;
static struct node *by_name;

static void *must(void *memory)
{
	if (!memory) {
		fputs("nullfs: out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

static struct node *node_of(fuse_ino_t ino)
{
	return ino < nodes_count ? nodes[ino] : NULL;
}

static bool key_fill(struct node_key *key, fuse_ino_t parent, const char *name)
{
	size_t len = strlen(name);

	if (len >= sizeof(key->name))
		return false;
	memset(key, 0, sizeof(*key));
	key->parent = parent;
	memcpy(key->name, name, len);
	return true;
}

static struct node *node_find(fuse_ino_t parent, const char *name)
{
	struct node_key key;
	struct node *node = NULL;

	if (key_fill(&key, parent, name))
		HASH_FIND(hh, by_name, &key, sizeof(key), node);
	return node;
}

static void add_child(struct node *dir, fuse_ino_t ino)
{
	if (dir->children_count == dir->children_max) {
		dir->children_max = dir->children_max ? dir->children_max * 2 : 64;
		dir->children =
			must(realloc(dir->children, dir->children_max * sizeof(*dir->children)));
	}
	dir->children[dir->children_count++] = ino;
	dir->entries++;
}

/* NULL: the name is too long. Inode numbers rise in the order of creation, as in readdir. */
static struct node *node_new(fuse_ino_t parent, const char *name, bool is_dir, off_t size)
{
	struct node *node = must(calloc(1, sizeof(*node)));

	if (!key_fill(&node->key, parent, name)) {
		free(node);
		return NULL;
	}
	if (nodes_count == nodes_max) {
		nodes_max = nodes_max ? nodes_max * 2 : 1024;
		nodes = must(realloc(nodes, nodes_max * sizeof(struct node *)));
	}
	node->ino = nodes_count;
	node->is_dir = is_dir;
	node->size = size;
	nodes[nodes_count++] = node;
	if (parent) {
		HASH_ADD(hh, by_name, key, sizeof(node->key), node);
		add_child(nodes[parent], node->ino);
	}
	return node;
}

static void attr_of(const struct node *node, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = node->ino;
	st->st_mode = node->is_dir ? S_IFDIR | 0755 : S_IFREG | 0644;
	st->st_nlink = node->is_dir ? 2 : 1;
	st->st_uid = getuid();
	st->st_gid = getgid();
	st->st_size = node->size;
	st->st_blocks = (node->size + 511) / 512;
	st->st_blksize = 4096;
}

static void entry_of(const struct node *node, struct fuse_entry_param *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->ino = node->ino;
	entry->attr_timeout = TIMEOUT_S;
	entry->entry_timeout = TIMEOUT_S;
	attr_of(node, &entry->attr);
}

static void do_init(void *data, struct fuse_conn_info *conn)
{
	conn->want |= conn->capable & FUSE_CAP_READDIRPLUS;
	conn->want &= ~(unsigned)(FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_WRITEBACK_CACHE |
				  FUSE_CAP_SPLICE_READ);
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct node *node = node_find(parent, name);
	struct fuse_entry_param entry;

	if (node) {
		entry_of(node, &entry);
		fuse_reply_entry(req, &entry);
	} else {
		fuse_reply_err(req, ENOENT);
	}
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	attr_of(node_of(ino), &st);
	fuse_reply_attr(req, &st, TIMEOUT_S);
}

static void do_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct stat st;

	if (to_set & FUSE_SET_ATTR_SIZE)
		node_of(ino)->size = attr->st_size;
	attr_of(node_of(ino), &st);
	fuse_reply_attr(req, &st, TIMEOUT_S);
}

static void do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	const struct node *node = node_new(parent, name, true, 0);
	struct fuse_entry_param entry;

	if (!node) {
		fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	entry_of(node, &entry);
	fuse_reply_entry(req, &entry);
}

static void do_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	const struct node *node = node_new(parent, name, false, 0);
	struct fuse_entry_param entry;

	if (!node) {
		fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	entry_of(node, &entry);
	fuse_reply_create(req, &entry, fi);
}

static void remove_node(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *node = node_find(parent, name);

	if (!node) {
		fuse_reply_err(req, ENOENT);
	} else if (node->entries) {
		fuse_reply_err(req, ENOTEMPTY);
	} else {
		HASH_DEL(by_name, node);
		node->key.name[0] = '\0'; /* readdir skips it */
		node_of(parent)->entries--;
		fuse_reply_err(req, 0);
	}
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->noflush = (fi->flags & O_ACCMODE) == O_RDONLY;
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

static void do_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	static const char zeros[1 << 20];
	const struct node *node = node_of(ino);
	size_t left = off < node->size ? (size_t)(node->size - off) : 0;

	if (size > left)
		size = left;
	if (size > sizeof(zeros))
		size = sizeof(zeros);
	fuse_reply_buf(req, zeros, size);
}

static void do_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	struct node *node = node_of(ino);

	if (off + (off_t)size > node->size)
		node->size = off + (off_t)size;
	fuse_reply_write(req, size);
}

static void do_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
	struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
	struct fuse_file_info *fi_out, size_t len, int flags)
{
	const struct node *in = node_of(ino_in);
	struct node *out = node_of(ino_out);
	size_t left = off_in < in->size ? (size_t)(in->size - off_in) : 0;

	if (len > left)
		len = left;
	if (len > 0x7ffff000) /* the reply has 32 bits */
		len = 0x7ffff000;
	if (off_out + (off_t)len > out->size)
		out->size = off_out + (off_t)len;
	fuse_reply_write(req, len);
}

static void reply_ok(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_err(req, 0);
}

static void do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->cache_readdir = 0;
	fuse_reply_open(req, fi);
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool plus)
{
	const struct node *dir = node_of(ino);
	char *buffer = must(malloc(size));
	size_t used = 0;

	for (size_t i = (size_t)off; i < dir->children_count; i++) {
		const struct node *node = node_of(dir->children[i]);
		struct fuse_entry_param entry;
		size_t need;

		if (!node->key.name[0])
			continue;
		entry_of(node, &entry);
		if (plus)
			need = fuse_add_direntry_plus(req, buffer + used, size - used,
				node->key.name, &entry, (off_t)i + 1);
		else
			need = fuse_add_direntry(req, buffer + used, size - used, node->key.name,
				&entry.attr, (off_t)i + 1);
		if (need > size - used)
			break;
		used += need;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}

static void do_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	list(req, ino, size, off, false);
}

static void do_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	list(req, ino, size, off, true);
}

static const struct fuse_lowlevel_ops ops = {
	.init = do_init,
	.lookup = do_lookup,
	.getattr = do_getattr,
	.setattr = do_setattr,
	.mkdir = do_mkdir,
	.create = do_create,
	.unlink = remove_node,
	.rmdir = remove_node,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.copy_file_range = do_copy_file_range,
	.flush = reply_ok,
	.release = reply_ok,
	.opendir = do_opendir,
	.releasedir = reply_ok,
	.readdir = do_readdir,
	.readdirplus = do_readdirplus,
};

static void loop(struct fuse_session *se)
{
	struct fuse_buf buffer = {.mem = NULL};
	struct pollfd ready = {.fd = fuse_session_fd(se), .events = POLLIN};
	int spins = 0;

	fcntl(ready.fd, F_SETFL, fcntl(ready.fd, F_GETFL) | O_NONBLOCK);
	while (!fuse_session_exited(se)) {
		int res = fuse_session_receive_buf(se, &buffer);

		if (res > 0) {
			fuse_session_process_buf(se, &buffer);
			spins = 0;
		} else if (res == -EAGAIN && ++spins < SPINS) {
			continue;
		} else if (res == -EAGAIN) {
			poll(&ready, 1, -1);
			spins = 0;
		} else if (res != -EINTR) {
			break;
		}
	}
	free(buffer.mem);
}

int main(int argc, char **argv)
{
	char options[] = "-ofsname=nullfs,subtype=nullfs";
	char *args_list[] = {argv[0], options, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, args_list);
	struct fuse_session *se;
	fuse_ino_t src;

	if (argc != 4) {
		fputs("usage: nullfs COUNT SIZE MOUNTPOINT\n", stderr);
		return 2;
	}
	node_new(0, "", false, 0); /* inode numbers begin at 1, the root */
	node_new(0, "", true, 0);
	src = node_new(FUSE_ROOT_ID, "src", true, 0)->ino;
	for (long i = 0, count = strtol(argv[1], NULL, 10); i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%06ld", i);
		node_new(src, name, false, strtol(argv[2], NULL, 10));
	}
	se = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!se || fuse_set_signal_handlers(se) || fuse_session_mount(se, argv[3])) {
		fputs("nullfs: cannot mount\n", stderr);
		return 1;
	}
	loop(se);
	fuse_session_unmount(se);
	fuse_remove_signal_handlers(se);
	fuse_session_destroy(se);
	return 0;
}
