/* -o version_at: a bucket as it was at a time that is past. */
#include <stdio.h>
#include <string.h>

#include "cli/opts_int.h"
#include "util/clk.h"
#include "util/when.h"

bool opts_version_set(struct opts *o, const char *v)
{
	if (!*v)
		return false;
	/* What does not fit is cut, and is no time then either. */
	snprintf(o->version_at, sizeof(o->version_at), "%s", v);
	return true;
}

bool opts_version_check(struct opts *o, char *why, size_t why_size)
{
	const char *v = o->version_at;

	if (!*v)
		return true;
	if (!when_parse(v, &o->s3.version_at_ms)) {
		snprintf(why, why_size,
			"version_at takes a time after 1970, such as 2026-11-26T12:00:00Z, "
			"2026-11-26, '2026-11-26 12:00:00' or @1795694400, not '%s'",
			v);
		return false;
	}
	if (o->s3.version_at_ms > clk_wall_ms()) {
		snprintf(why, why_size,
			"version_at=%s lies in the future: give a time that is past (one without Z "
			"or an offset is in the local time zone)",
			v);
		return false;
	}
	if (o->said_rw) {
		snprintf(why, why_size,
			"version_at shows what was, which cannot be changed: replace rw by ro "
			"(mount(8) says rw where nobody says ro)");
		return false;
	}
	return o->ns.read_only || opts_mount_word(o, "ro") == OPTS_TAKEN;
}
