/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints counters: JSON has all counters, text only the non-zero ones. */
#ifndef SLUICE_CLI_COUNTERS_H
#define SLUICE_CLI_COUNTERS_H

#include "cli/output.h"

#include <linux/types.h>

struct counter {
	const char *key; /* of bytes, it ends with _bytes */
	const char *help;
};

/* An element of a struct counter array, for the X macros of include/sluice. */
#define COUNTER(name, help) { #name, help },

json_t *counters_json(const struct counter *counters, const __u64 *values, int count);
void counters_text(const struct counter *counters, const __u64 *values, int count,
		   const struct output *output);

#endif
