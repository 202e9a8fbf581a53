/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines on stderr for the operator.  A command writes for people: warnings always, the rest with
 * --verbose.  The daemon writes logfmt (level=info msg="..." key=value), without a time: journald
 * and container runtimes put theirs in front.
 */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

extern const char *const log_level_names[]; /* by enum log_level, up to NULL */

void log_verbose(bool verbose);
bool log_is_verbose(void);
/* From here on lines are logfmt, of this level and worse. */
void log_logfmt(enum log_level least);

__attribute__((format(printf, 1, 2))) void log_info(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void log_warning(const char *fmt, ...);
/* What a library says: an info of --verbose, a debug line of the daemon. */
void log_library(const char *fmt, va_list args);
/* An error that went all the way up. */
void log_err(const struct err *err);

/* A line with fields.  Keys are words; values are quoted where they must be. */
struct log_line {
	char text[2048];
	size_t used;
	bool silent; /* below the level that is wanted */
};

void log_begin(struct log_line *line, enum log_level level, const char *message);
__attribute__((format(printf, 3, 4))) void log_field(struct log_line *line, const char *key,
						     const char *fmt, ...);
void log_end(struct log_line *line);

#endif
