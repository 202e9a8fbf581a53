/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the valid word nearest to a misspelt word, for error messages. */
#ifndef SLUICE_CLI_SUGGEST_H
#define SLUICE_CLI_SUGGEST_H

#include <stddef.h>

/* Returns the word nearest to `wrong`, or NULL if none is similar enough. */
const char *suggest_nearest(const char *wrong, const char *const *words, size_t count);

#endif
