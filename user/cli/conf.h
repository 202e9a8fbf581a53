/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration file: sections of lines `key = value`. inih parses the lines, but does not report
 * line numbers; conf_read() adds them. conf_read() also collects syntax errors, so that the caller
 * can report all problems at once. The parser of the keys adds its own with conf_add_problem().
 *
 * A comment starts with ';' or '#', or after a value with ' ;'. A value that ends with a comma
 * continues on the next line if that line is indented; elsewhere indentation has no meaning.
 */
#ifndef SLUICE_CLI_CONF_H
#define SLUICE_CLI_CONF_H

#include "base/err.h"

#include <stddef.h>
#include <stdio.h>

struct conf_entry {
	char *section;
	char *key; /* NULL: the entry is a section header */
	char *value;
	unsigned int line;
};

struct conf_problem {
	unsigned int line; /* 0: the whole file */
	char *text;
};

struct conf {
	struct conf_entry *entry;
	size_t entries, entry_room;
	struct conf_problem *problem;
	size_t problems, problem_room;
};

/* conf_read() stops after this many problems: the file is probably not a configuration. */
#define CONF_PROBLEMS_MAX 20

/*
 * Size limit in bytes, larger than any configuration. Without a limit, /dev/zero would use up all
 * memory.
 */
#define CONF_SIZE_MAX (1 << 20)

/*
 * Reads the file and its problems into *conf, which the caller frees. Returns 0, or -errno if the
 * file could not be read; -EFBIG if it is larger than CONF_SIZE_MAX.
 */
int conf_read(FILE *file, struct conf *conf);
void conf_free(struct conf *conf);
/* Adds a problem. Returns 0 or -ENOMEM. */
__attribute__((format(printf, 3, 4))) int conf_add_problem(struct conf *conf, unsigned int line,
							   const char *fmt, ...);
/* Adds *err and its hint as a problem. @what, which may be empty, names the subject. */
int conf_add_err(struct conf *conf, unsigned int line, const char *what, const struct err *err);
/* Sorts the problems by line. */
void conf_sort_problems(struct conf *conf);

#endif
