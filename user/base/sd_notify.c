// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/sd_notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 1024

/* A path, or a name in the abstract namespace, which '@' stands for. The length, or -errno. */
static int address(const char *name, struct sockaddr_un *to)
{
	size_t length = strlen(name);

	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (*name != '/' && *name != '@')
		return -EAFNOSUPPORT;
	if (length < 2 || length >= sizeof(to->sun_path))
		return -EINVAL;
	memcpy(to->sun_path, name, length);
	if (*name == '@')
		to->sun_path[0] = '\0';
	return (int)(offsetof(struct sockaddr_un, sun_path) + length + (*name == '/'));
}

static int tell(const char *name, const char *message)
{
	struct sockaddr_un to;
	int length = address(name, &to), fd, result = 1;

	if (length < 0)
		return length;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&to,
		   (socklen_t)length) < 0)
		result = -errno;
	close(fd);
	return result;
}

int sd_notify(const char *fmt, ...)
{
	const char *name = getenv("NOTIFY_SOCKET");
	char message[MESSAGE_MAX];
	va_list args;

	if (!name)
		return 0;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	return tell(name, message);
}

uint64_t sd_notify_watchdog_us(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;
	unsigned long long parsed;

	if (!us || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	parsed = strtoull(us, &end, 10);
	return *end ? 0 : parsed;
}
