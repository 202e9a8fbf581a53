/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines on stderr for the operator. Commands write plain text: warnings always, other lines with
 * --verbose. The daemon writes logfmt (level=info msg="..." key=value) without a timestamp, which
 * journald and container runtimes add.
 */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

extern const char *const log_level_names[]; /* by enum log_level; NULL ends the list */

void log_verbose(bool wanted);
bool log_is_verbose(void);
/* Switches to logfmt, and drops lines that are less severe than @wanted. */
void log_logfmt(enum log_level wanted);

__attribute__((format(printf, 1, 2))) void log_info(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void log_warning(const char *fmt, ...);
/* Logs a message of libbpf: at level info in a command, at level debug in the daemon. */
void log_library(const char *fmt, va_list args);
/* Logs an error; called once, where the error is handled. */
void log_err(const struct err *err);

/* A line with fields. Keys are single words; values are quoted where necessary. */
struct log_line {
	char text[2048];
	size_t used;
	bool silent; /* less severe than the configured level */
	enum log_level level;
};

void log_begin(struct log_line *line, enum log_level level, const char *message);
__attribute__((format(printf, 3, 4))) void log_field(struct log_line *line, const char *key,
						     const char *fmt, ...);
/*
 * Returns the last warning or error, or "" if none was logged. Sets *at_us to its time
 * (CLOCK_MONOTONIC).
 */
const char *log_last_problem(uint64_t *at_us);
/* Adds the field reason and, unless the hint is empty, the field hint. */
void log_field_err(struct log_line *line, const struct err *err);
void log_end(struct log_line *line);

/* A lasting condition, such as a failure that is retried. The caller logs it once, and again if it
 * changes.
 */
struct log_condition {
	char text[sizeof(((struct err *)0)->what)]; /* as logged; empty: the condition has ended */
};

/*
 * Sets the text (NULL: the condition has ended). Returns true if it has changed and must be logged.
 */
bool log_condition_set(struct log_condition *condition, const char *text);

#endif
