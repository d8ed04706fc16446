/* What /proc says of a process by its number: parent, thread group, name. Core thread. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ns/ns_int.h"

/* Reads the beginning of /proc/PID/NAME into `text`; proc(5): these files are read in one go. */
static bool read_text(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

pid_t procstat_parent(pid_t pid)
{
	char text[512];

	return read_text(pid, "stat", text, sizeof(text)) ? proctext_parent(text) : 0;
}

pid_t procstat_tgid(pid_t tid)
{
	char text[1024];

	return read_text(tid, "status", text, sizeof(text)) ? proctext_tgid(text) : 0;
}

bool procstat_command(pid_t tid, char name[64])
{
	if (!read_text(tid, "comm", name, 64))
		return false;
	name[strcspn(name, "\n")] = '\0';
	return true;
}
