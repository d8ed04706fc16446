/* The options of -o that are not ours: what mount(8), the kernel and libfuse understand. */
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "cli/opts_int.h"
#include "util/mem.h"

/* What the kernel and libfuse understand, and what mount(8) puts into every list. */
static const char *const fuse_words[] = {"allow_other", "allow_root", "auto_unmount", "ro", "rw",
	"suid", "nosuid", "dev", "nodev", "exec", "noexec", "atime", "noatime", "sync", "async",
	"dirsync", "max_read=", "default_permissions", "context=", NULL};
static const char *const mount_words[] = {"defaults", "_netdev", "auto", "noauto", "user", "nouser",
	"users", "nofail", "owner", "group", "nonempty", "relatime", "norelatime", "strictatime",
	"nostrictatime", "lazytime", "nolazytime", "diratime", "nodiratime", "user=", NULL};

/* How those that are about one mount read in mount_setattr(2); the others are about a superblock.
 */
static const struct {
	const char *word;
	unsigned long set, clear;
} attributes[] = {
	{"ro", MOUNT_ATTR_RDONLY, 0},
	{"rw", 0, MOUNT_ATTR_RDONLY},
	{"nosuid", MOUNT_ATTR_NOSUID, 0},
	{"suid", 0, MOUNT_ATTR_NOSUID},
	{"nodev", MOUNT_ATTR_NODEV, 0},
	{"dev", 0, MOUNT_ATTR_NODEV},
	{"noexec", MOUNT_ATTR_NOEXEC, 0},
	{"exec", 0, MOUNT_ATTR_NOEXEC},
	{"noatime", MOUNT_ATTR_NOATIME, 0},
	{"atime", 0, MOUNT_ATTR_NOATIME},
	{"async", 0, 0},
	{"allow_other", 0, 0},
};

static void note_attribute(struct opts *o, const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		if (strcmp(attributes[i].word, word) != 0)
			continue;
		o->mount_attributes |= attributes[i].set;
		o->mount_attributes &= ~attributes[i].clear;
		return;
	}
	o->own_superblock = true;
}

static bool in_words(const char *const *words, const char *word)
{
	for (; *words; words++) {
		size_t n = strlen(*words);

		if ((*words)[n - 1] == '=' ? !strncmp(*words, word, n) : !strcmp(*words, word))
			return true;
	}
	return false;
}

static void add_fuse_option(struct opts *o, const char *word)
{
	char *both =
		o->fuse_options ? mem_printf("%s,%s", o->fuse_options, word) : mem_strdup(word);

	free(o->fuse_options);
	o->fuse_options = both;
}

static bool is_max_read(struct opts *o, const char *word, enum opts_word *ret)
{
	unsigned long n;
	char *end;

	if (strncmp(word, "max_read=", 9) != 0)
		return false;
	n = strtoul(word + 9, &end, 10);
	*ret = word[9] >= '0' && word[9] <= '9' && !*end && n <= UINT32_MAX ? OPTS_TAKEN
									    : OPTS_BAD_VALUE;
	o->max_read_bytes = (unsigned)n;
	return true;
}

enum opts_word opts_mount_word(struct opts *o, const char *word)
{
	enum opts_word r = OPTS_TAKEN;

	if (in_words(mount_words, word) || !strncmp(word, "x-", 2) || !strncmp(word, "comment=", 8))
		return OPTS_TAKEN;
	if (!in_words(fuse_words, word))
		return OPTS_UNKNOWN;
	if (is_max_read(o, word, &r) && r != OPTS_TAKEN)
		return r;
	o->allow_other |= !strcmp(word, "allow_other") || !strcmp(word, "allow_root");
	o->ns.read_only |= !strcmp(word, "ro");
	if (!strcmp(word, "ro") || !strcmp(word, "rw"))
		o->said_rw = word[1] == 'w';
	add_fuse_option(o, word);
	note_attribute(o, word);
	return OPTS_TAKEN;
}
