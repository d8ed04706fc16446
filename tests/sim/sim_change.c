/* chmod -R, call by call as coreutils makes it: a directory before what is in it. One thread. */
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

static void change(struct proc *p, struct knode *n)
{
	struct knode *list;
	size_t count, i;
	int r = k_chmod(p, n, p->mode);

	if (r)
		cmd_complain(p, "chmod", n->path, r);
	if (!n->dir || !p->recursive)
		return;
	r = k_list(p, n, &list, &count);
	if (r)
		cmd_complain(p, "list", n->path, r);
	for (i = 0; i < count && !p->killed; i++) {
		r = cmd_revalidate(p, n, &list[i]);
		if (r)
			cmd_complain(p, "stat", list[i].path, r);
		else
			change(p, &list[i]);
	}
	free(list);
}

static void cmd_chmod(struct proc *p)
{
	size_t i;

	for (i = p->recursive ? 3 : 2; i < p->argc && !p->killed; i++) {
		const char *path = cmd_in_mount(p->argv[i]), *name;
		struct knode dir, n;
		int r = k_parent(p, path, &dir, &name);

		if (!r)
			r = k_lookup(p, &dir, name, &n);
		if (r)
			cmd_complain(p, "stat", path, r);
		else
			change(p, &n);
	}
}

struct proc *cmd_random_chmod(const char *area)
{
	/* Not those of the mount's options: a listing does not tell them from what was set. */
	static const unsigned modes[] = {0600, 0700, 0640};
	struct proc *p = proc_new(cmd_chmod, "/usr/bin/chmod");
	unsigned count = sim_chance(60) ? 1 : 2 + sim_below(4), i;
	char name[16];

	p->walks = true;
	p->recursive = sim_chance(80);
	p->mode = modes[sim_below(3)];
	if (p->recursive)
		proc_arg(p, "-R");
	proc_arg(p, "%o", p->mode);
	for (i = 0; i < count; i++) {
		const struct mpath *m = cmd_pick(area, sim_chance(60) ? DIR_ : FILE_);

		if (m && sim_chance(92))
			proc_arg(p, "%s%s", SIM_MOUNT, m->path);
		else
			proc_arg(p, "%s%s/%s", SIM_MOUNT, area, cmd_new_name(name));
	}
	return p;
}
