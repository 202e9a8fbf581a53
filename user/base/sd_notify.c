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

int sd_notify(const char *fmt, ...)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t length = name ? strlen(name) : 0;
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char message[MESSAGE_MAX];
	int fd, result = 1;
	va_list args;

	if (!name)
		return 0;
	if (*name != '/' && *name != '@')
		return -EAFNOSUPPORT;
	if (length < 2 || length >= sizeof(to.sun_path))
		return -EINVAL;
	memcpy(to.sun_path, name, length);
	/* '@' stands for the abstract namespace, in which names have no final NUL */
	if (*name == '@')
		to.sun_path[0] = '\0';
	length += offsetof(struct sockaddr_un, sun_path) + (*name == '/');
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&to,
		   (socklen_t)length) < 0)
		result = -errno;
	close(fd);
	return result;
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
