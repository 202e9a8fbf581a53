/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The output of a command: a JSON document (jansson) or text. The format is an argument, not a
 * global.
 */
#ifndef SLUICE_CLI_OUTPUT_H
#define SLUICE_CLI_OUTPUT_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Incremented when a key changes its meaning or is removed, but not for a new key. */
#define OUTPUT_SCHEMA_VERSION 1

/* The precision of real numbers in JSON, for output_json() and json_list. */
#define OUTPUT_JSON_FLAGS JSON_REAL_PRECISION(9)

struct output {
	FILE *file;
	bool json;
	bool pretty;
	bool colour;
};

/* Returns true if $TERM names a terminal that interprets escape sequences. */
bool output_has_escapes(void);
/*
 * Returns an output that uses colours only on a terminal with escape sequences, and only if
 * NO_COLOR is not set.
 */
struct output output_to(FILE *file);
/* Returns 0, or -errno with *err set if not all of the output could be written. */
int output_finish(const struct output *output, struct err *err);

/*
 * Returns a JSON string for an untrusted name (text.h). JSON must be valid UTF-8 (RFC 8259 section
 * 8.1): if the name is not, U+FFFD replaces each byte beyond ASCII.
 */
json_t *output_name(const char *name);

/* Returns a JSON number, or null for 0. */
json_t *output_nonzero(unsigned int number);

/* Returns an object with the key schema_version, for the caller to extend. */
json_t *output_document(void);
/* Prints @document and drops the reference to it. */
void output_json(const struct output *output, json_t *document);

enum output_tone {
	OUTPUT_PLAIN,
	OUTPUT_GOOD,
	OUTPUT_WARNING,
	OUTPUT_BAD,
	OUTPUT_DIM
};

/* Returns the escape sequence of a tone, or "" without colour. output_plain() resets all tones. */
const char *output_tone(const struct output *output, enum output_tone tone);
const char *output_plain(const struct output *output);

/* A table with columns as wide as their widest cell. */
struct table;

/*
 * Creates a table. '|' separates the names of columns; '>' before a name aligns its column right.
 */
struct table *table_new(const char *columns);
/* Adds a row; '|' separates its cells after formatting. */
__attribute__((format(printf, 2, 3))) void table_row(struct table *table, const char *fmt, ...);
/* Adds a row to a table of changed settings if @before and @now differ. */
#define CHANGE_COLUMNS "setting|before|now"
void change_row(struct table *table, const char *setting, const char *before, const char *now);
void change_row_number(struct table *table, const char *setting, uint64_t before, uint64_t now);
/* Prints the table with an indent, and frees it. Prints nothing if it has no rows. */
void table_print(struct table *table, const struct output *output, int indent);

#endif
