// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *err, enum exit_code code, int error, const char *fmt, ...)
{
	va_list args;

	err->code = code;
	err->hint[0] = '\0';
	err->detail[0] = '\0';
	va_start(args, fmt);
	vsnprintf(err->what, sizeof(err->what), fmt, args);
	va_end(args);
	return -error;
}

int err_hint(struct err *err, int result, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, args);
	va_end(args);
	return result;
}
