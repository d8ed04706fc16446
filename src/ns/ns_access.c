/*
 * Permissions, for a superblock in which the kernel checks none: the rule of path_resolution(7), on
 * the owners and modes that the volume shows. Core thread only.
 */
#include <errno.h>
#include <unistd.h>

#include "ns/ns_int.h"

static bool allowed(const struct stat *st, const struct ns_who *who, unsigned mask)
{
	unsigned bits = st->st_mode & 7;

	if (who->uid == st->st_uid)
		bits = st->st_mode >> 6 & 7;
	else if (who->gid == st->st_gid ||
		 ((bits ^ (st->st_mode >> 3 & 7)) & mask && who->has_group(who->ctx, st->st_gid)))
		bits = st->st_mode >> 3 & 7;
	return (bits & mask) == mask;
}

int ns_permit(const struct node *n, const struct ns_who *who, unsigned mask, bool owner)
{
	const struct ns_config *config = &n->volume->config;
	struct ns_call nobody = {0};
	struct ns_attr attr;
	const struct node *up;

	if (!config->check_access)
		return 0;
	if (!config->allow_other)
		return EACCES;
	for (up = n->parent; up; up = up->parent) {
		node_attr(up, &nobody, &attr);
		if (!allowed(&attr.st, who, X_OK))
			return EACCES;
	}
	node_attr(n, &nobody, &attr);
	if (!allowed(&attr.st, who, mask))
		return EACCES;
	return owner && attr.st.st_uid != who->uid ? EPERM : 0;
}
