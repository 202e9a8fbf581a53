/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nearest right word for a wrong one, for error messages. */
#ifndef SLUICE_BASE_SUGGEST_H
#define SLUICE_BASE_SUGGEST_H

#include <stddef.h>

/* The word nearest to `wrong`, or NULL if none is near enough to be meant. */
const char *suggest_nearest(const char *wrong, const char *const *words, size_t count);

#endif
