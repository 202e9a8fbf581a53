/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads JSON documents of other processes, whose values may be anything. */
#ifndef SLUICE_CMD_ANSWER_H
#define SLUICE_CMD_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Returns 0 if there is no number with this key. */
double answer_number(const json_t *object, const char *key);
/* Copies a string, safe for a terminal; "-" if there is none. Returns text. */
const char *answer_string(const json_t *object, const char *key, char *text, size_t size);
/* Formats a number of seconds as an age; "-" if there is none. Returns text. */
const char *answer_age(const json_t *object, const char *key, char text[24]);
bool answer_is_true(const json_t *object, const char *key);

#endif
