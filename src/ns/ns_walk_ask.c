/*
 * A rm without -f asks the person at its terminal about what the caller may not write, passes over
 * what is answered with no, and ends well then: the call that is to be its last may not come. But
 * it asks only about names that it was shown, so before it is shown such a name everything that is
 * pending is waited for, and from then on it is strict. Core thread.
 */
#include "ns/ns_walk_int.h"

/* rm uses euidaccess(3). Groups are not looked at: who is not the owner must find the file writable
 * whatever his groups are. */
static bool may_write(const struct walk *w, const struct ns_call *c, const struct node *n)
{
	struct ns_attr attr;
	mode_t others = S_IWGRP | S_IWOTH;

	node_attr(n, c, &attr);
	if (attr.st.st_uid == w->uid)
		return attr.st.st_mode & S_IWUSR;
	return (attr.st.st_mode & others) == others;
}

bool walk_asks_about(const struct walk *w, const struct ns_call *c, const struct node *n)
{
	return w && w->asks && !may_write(w, c, n);
}

bool walk_shows(struct walk *w, struct ns_call *c, struct node *n, void (*resume)(struct ns_call *),
	int *errnum)
{
	*errnum = 0;
	if (!walk_asks_about(w, c, n))
		return false;
	if (walk_barrier(w, c, resume, errnum))
		return true;
	walk_passed_end(w);
	/* What has failed is said at every such name, since it asks about each. */
	if (*errnum)
		walk_keep_failure(w, *errnum);
	else
		w->asks = false;
	return false;
}
