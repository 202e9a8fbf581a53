/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines on stderr for the operator: warnings always, the rest with --verbose. */
#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include <stdarg.h>
#include <stdbool.h>

void log_verbose(bool verbose);
bool log_is_verbose(void);
__attribute__((format(printf, 1, 2))) void log_info(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void log_warning(const char *fmt, ...);

#endif
