/* Log lines: see log.h. */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

static bool use_syslog;
static enum log_level level_max = LOG_LVL_INFO;

void log_open(bool to_syslog, enum log_level max)
{
	if (to_syslog && !use_syslog)
		openlog("s3bulkfs", LOG_PID, LOG_DAEMON);
	use_syslog = to_syslog;
	level_max = max;
}

bool log_wants(enum log_level level)
{
	return level <= level_max;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const int priority[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
	char line[2048];
	va_list ap;
	size_t i;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* Keys may hold control characters: a key must not be able to forge a line of the log. */
	for (i = 0; line[i]; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
		else if (line[i] == '\xc2' && (unsigned char)line[i + 1] >= 0x80 &&
			 (unsigned char)line[i + 1] < 0xa0) /* C1 of ECMA-48, in UTF-8 */
			line[i] = line[i + 1] = '?';
	if (use_syslog)
		syslog(priority[level], "%s", line);
	else
		fprintf(stderr, "s3bulkfs: %s\n", line);
}
