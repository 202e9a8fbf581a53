/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command line options from a table: the same entry parses the option and prints its help.
 * getopt_long(3) does the work; what it lacks is an error that names the nearest right word.
 */
#ifndef SLUICE_BASE_OPT_H
#define SLUICE_BASE_OPT_H

#include "base/err.h"

#include <stdint.h>
#include <stdio.h>

struct opt {
	const char *name; /* the long option; NULL ends a table */
	char letter;	  /* the short one, or 0 */
	/*
	 * The argument's name in the help, or NULL for a switch.  In brackets it may be left out;
	 * what follows is taken for it unless it begins with '-'.
	 */
	const char *arg;
	const char *help;
	/* Takes the value (NULL where none was given); 0, or -errno with *err set. */
	int (*set)(void *into, const char *value, struct err *err);
};

struct opt_table {
	const struct opt *opts;
	void *into; /* passed to set() */
};

/*
 * Parses all options in argv[1..], moving other words behind them; with `stop_at_word`, stops at
 * the first of these.  Returns the index of the first word that is no option, or -errno with *err
 * set.
 */
int opt_parse(const struct opt_table *tables, int count, int argc, char **argv, int stop_at_word,
	      struct err *err);
void opt_help(FILE *file, const struct opt *opts);
/* A decimal number between min and max; *number untouched on failure. `what` names it. */
int opt_number(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *number,
	       struct err *err);

#endif
