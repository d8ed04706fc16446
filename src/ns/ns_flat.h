/* A flat listing: shared by ns_flat.c, which lists, and ns_ahead.c, which says for whom. */
#ifndef NS_NS_FLAT_H
#define NS_NS_FLAT_H

#include "ns/ns_list.h"

#define POS_MAX 4096 /* bytes of a key, and of a token */

struct page_ask;

/* A directory on the path to where the listing is. */
struct frame {
	struct node *dir;  /* a reference; NULL: what is below is left alone */
	size_t prefix_len; /* of its key in `path` */
	bool fills;        /* all its keys come by here */
	bool marker;
	uint64_t start_seq;
	int64_t start_ms;
};

struct flat {
	LIST_ENTRY(flat) link;
	struct ns *ns;
	pid_t tgid; /* who walks */
	struct node *root;
	struct buf path; /* key of the innermost frame's directory */
	size_t root_len;
	struct buf pos;   /* the last key seen, or where the listing was begun */
	struct buf token; /* for the next page */
	struct frame *frames;
	size_t depth, room;
	struct page_ask *ask; /* the page under way */
	struct node *want;    /* who is waited for: its u.dir->flat is this; a reference */
	struct node **over;   /* who is waited for no longer, to be woken; references */
	size_t over_count;
	unsigned want_pages, want_own; /* since then: pages, and keys of its own in them */
	unsigned pages, read_page;     /* that came, and how far the reader is */
	unsigned dirs;                 /* that were read from it */
	uint64_t saved;                /* pages of delimiter listings that were not needed */
	int64_t used_ms;
	bool ended, given_up;
};

/* The listing goes on with `dir` (below root, or root), wherever it was, and `dir` waits for it. */
void flat_jump(struct flat *f, struct node *dir);
/* `dir` waits to be filled. */
void flat_await(struct flat *f, struct node *dir);
/* Asks for a page if one is needed, or jumps, or has who waits listed with a delimiter. */
void flat_go_on(struct flat *f);
/* A directory has been read that came with page number `page`. */
void flat_served(struct flat *f, const struct dir *d, unsigned page);
struct frame *flat_frame(struct flat *f, const struct node *dir); /* or NULL */
bool flat_root_moved(struct flat *f);
/* From now on each directory is listed by itself. */
void flat_give_up(struct flat *f);
/* Wakes readers, who may come back with calls that free the listing: the last thing to do. */
void flat_wake(struct flat *f);
void flat_wake_nodes(struct node **nodes, size_t count); /* takes the array and its references */

#endif
