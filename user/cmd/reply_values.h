/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values that 'reply load' takes as options and 'run' from its file.  `what` names the option or
 * the key in messages.  All return 0, or -errno with *err set to a usage error.
 */
#ifndef SLUICE_REPLY_VALUES_H
#define SLUICE_REPLY_VALUES_H

#include "err.h"
#include "wire.h"

int value_table(const char *what, const char *value, __u32 *table, struct err *err);
int value_age(const char *what, const char *value, __u64 *age_s, struct err *err);
/* "a,b" is cut up, and the names point into it. */
int value_names(const char *what, char *list, struct wire_names *names, struct err *err);
/* "10.0.0.5,fd00::5" */
int value_servers(const char *what, const char *list, struct wire_options *wire, struct err *err);
int value_except(const char *what, const char *list, struct wire_options *wire, struct err *err);
/* "tcx", "clsact" or "auto" */
int value_via(const char *what, const char *value, enum sluice_wire_via *via, struct err *err);

#endif
