/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of UDP or TCP ports, as in "53,5000-5100" or "any". */
#ifndef SLUICE_BASE_PORTS_H
#define SLUICE_BASE_PORTS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORTS_WORDS 1024

struct ports {
	bool any;		   /* every port; all of `bit` is then 0 */
	uint64_t bit[PORTS_WORDS]; /* bit p % 64 of word p / 64 */
};

/* Parses a list. Returns 0, or -errno with *err set and *ports untouched. */
int ports_parse(const char *list, struct ports *ports, struct err *err);
/* Returns true if the sets are equal. memcmp(3) would also compare the padding after `any`. */
bool ports_are_same(const struct ports *a, const struct ports *b);
/* The size of the longest list as text, in bytes. */
#define PORTS_TEXT_MAX (6 * 32768 + 1)
/*
 * Formats the list in its shortest form, with ranges. Omits whole items that do not fit, and marks
 * the omission with "…". Returns text.
 */
const char *ports_format(const struct ports *ports, char *text, size_t size);
bool ports_empty(const struct ports *ports);
bool ports_contain(const struct ports *ports, uint16_t port);

#endif
