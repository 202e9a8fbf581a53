// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* errno values that do not indicate a missing kernel feature: resource limits and interruptions. */
static const struct limit {
	int error;
	const char *hint;
} limits[] = {
	{ EMFILE, "raise the limit on open files: 'ulimit -n', or LimitNOFILE= in the unit" },
	{ ENFILE, "the host has too many open files: raise the sysctl fs.file-max" },
	{ ENOMEM, "free memory, or raise the memory limit of the cgroup or of the process" },
	{ ENOBUFS, "free memory, or raise the memory limit of the cgroup" },
	{ ENOSPC, NULL },
	{ EAGAIN, NULL },
	{ EINTR, NULL },
};

static const struct limit *limit_of(int error)
{
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		if (limits[i].error == error)
			return &limits[i];
	return NULL;
}

static enum exit_code code_of(enum exit_code code, int error)
{
	if (code != EXIT_ERROR && code != EXIT_LACKING)
		return code;
	if (error == EPERM || error == EACCES)
		return EXIT_PERMISSION;
	return limit_of(error) ? EXIT_ERROR : code;
}

/* Formats a message. Cuts a long message in the middle, since its end has the reason. */
static void format(char *text, size_t size, const char *fmt, va_list args)
{
	char *whole = NULL;
	int length = vasprintf(&whole, fmt, args);
	size_t half = size / 2;

	if (length < 0)
		snprintf(text, size, "%s", fmt);
	else if ((size_t)length < size)
		memcpy(text, whole, (size_t)length + 1);
	else
		snprintf(text, size, "%.*s...%s", (int)half, whole,
			 whole + (size_t)length - (size - half - 4));
	free(length < 0 ? NULL : whole);
}

static int set(struct err *err, enum exit_code code, int error, const char *fmt, va_list args)
{
	const struct limit *limit = limit_of(error);

	err->code = code_of(code, error);
	snprintf(err->hint, sizeof(err->hint), "%s", limit && limit->hint ? limit->hint : "");
	err->detail[0] = '\0';
	format(err->what, sizeof(err->what), fmt, args);
	return -error;
}

int err_set(struct err *err, enum exit_code code, int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set(err, code, error, fmt, args);
	va_end(args);
	return -error;
}

int err_kernel(struct err *err, int error, const char *hint, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set(err, EXIT_LACKING, error, fmt, args);
	va_end(args);
	return err->code == EXIT_ERROR ? -error : err_hint(err, -error, "%s", hint);
}

bool err_is_limit(int error)
{
	return limit_of(error);
}

int err_hint(struct err *err, int result, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format(err->hint, sizeof(err->hint), fmt, args);
	va_end(args);
	return result;
}
