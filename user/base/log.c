// SPDX-License-Identifier: GPL-2.0-or-later
#include "log.h"

#include <stdio.h>

static bool talk;

static void line(const char *level, const char *fmt, va_list args)
{
	fprintf(stderr, "sluice: %s", level);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void log_verbose(bool verbose)
{
	talk = verbose;
}

bool log_is_verbose(void)
{
	return talk;
}

void log_info(const char *fmt, ...)
{
	va_list args;

	if (!talk)
		return;
	va_start(args, fmt);
	line("", fmt, args);
	va_end(args);
}

void log_warning(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	line("warning: ", fmt, args);
	va_end(args);
}
