/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a command prints: a JSON document (jansson) or text.  How is an argument, never a global.
 */
#ifndef SLUICE_BASE_OUTPUT_H
#define SLUICE_BASE_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Raised when a key changes its meaning or goes away; new keys do not raise it. */
#define OUTPUT_SCHEMA_VERSION 1

/* How numbers are written, wherever a document is printed in parts. */
#define OUTPUT_JSON_FLAGS JSON_REAL_PRECISION(9)

struct output {
	FILE *file;
	bool json;
	bool pretty;
	bool colour; /* a terminal, and NO_COLOR is not set */
};

/*
 * A string of a name that others chose (text.h): as it is, with U+FFFD for what is no UTF-8, since
 * that can't stand in JSON (RFC 8259 section 8.1).  Of such a name all bytes beyond ASCII are lost.
 */
json_t *output_name(const char *name);

/* An object that holds schema_version; more keys are the caller's. */
json_t *output_document(void);
/* Prints the document and drops the reference. */
void output_json(const struct output *output, json_t *document);

enum output_tone {
	OUTPUT_PLAIN,
	OUTPUT_GOOD,
	OUTPUT_WARNING,
	OUTPUT_BAD,
	OUTPUT_DIM
};

/* Escape sequences to start a tone and to end any; "" where there is no colour. */
const char *output_tone(const struct output *output, enum output_tone tone);
const char *output_plain(const struct output *output);

/* A table whose columns are as wide as their widest cell. */
struct table;

/* Columns are named in one string, parted by '|'; a '>' before a name aligns it right. */
struct table *table_new(const char *columns);
/* One cell for each column, parted by '|' after formatting. */
__attribute__((format(printf, 2, 3))) void table_row(struct table *table, const char *fmt, ...);
/* Prints, each line indented by `indent`, and frees. Nothing is printed if there are no rows. */
void table_print(struct table *table, const struct output *output, int indent);

#endif
