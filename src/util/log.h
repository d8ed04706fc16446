/*
 * Log lines, one sentence each, to stderr or syslog. Secrets are never passed in here: callers log
 * operation, bucket, key and request id, not headers. Any thread.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <stdbool.h>

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* Where lines go and from which level on. Call before threads start, and again after detaching. */
void log_open(bool to_syslog, enum log_level max);
/* True when lines of this level are wanted: to spare the making of expensive ones. */
bool log_wants(enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LVL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...)                                        \
	do {                                                  \
		if (log_wants(LOG_LVL_DEBUG))                 \
			log_line(LOG_LVL_DEBUG, __VA_ARGS__); \
	} while (0)

#endif
