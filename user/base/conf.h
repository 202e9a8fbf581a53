/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration file as inih reads it: sections, and in them `key = value`, with the line of
 * each, which inih does not tell.  What is wrong with a file is collected, so that all of it can
 * be shown at once; what the keys mean is for others to say, into the same collection.
 *
 * Comments start with ';' or '#', and behind a value with ' ;'.  A value that ends with a comma
 * goes on in the next line if that is indented; indentation means nothing elsewhere.
 */
#ifndef SLUICE_BASE_CONF_H
#define SLUICE_BASE_CONF_H

#include "base/err.h"

#include <stddef.h>
#include <stdio.h>

struct conf_entry {
	char *section;
	char *key; /* NULL: the section itself */
	char *value;
	unsigned int line;
};

struct conf_problem {
	unsigned int line; /* 0: of the file as a whole */
	char *text;
};

struct conf {
	struct conf_entry *entry;
	size_t entries, entry_room;
	struct conf_problem *problem;
	size_t problems, problem_room;
};

/*
 * Reads the file into an empty *conf, its problems among it; the caller frees.  0, or -errno if it
 * could not be read.
 */
int conf_read(FILE *file, struct conf *conf);
void conf_free(struct conf *conf);
/* One problem more. 0 or -ENOMEM. */
__attribute__((format(printf, 3, 4))) int conf_add_problem(struct conf *conf, unsigned int line,
							   const char *fmt, ...);
/* The same in the words of an error and its mend. */
int conf_add_err(struct conf *conf, unsigned int line, const char *what, const struct err *err);
/* In the order of the lines. */
void conf_sort_problems(struct conf *conf);

#endif
