/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options from tables.  One entry describes an option to the command line, to the daemon's file, to
 * --help, to the man pages and to shell completion, so that these cannot disagree.  getopt_long(3)
 * reads the command line; what it lacks is an error that suggests the nearest right word.
 */
#ifndef SLUICE_BASE_OPT_H
#define SLUICE_BASE_OPT_H

#include "base/err.h"

#include <linux/types.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Where an option is known.  In the file, its name is the key. */
enum opt_side {
	OPT_BOTH,
	OPT_LINE,
	OPT_FILE,
};

struct opt;

/* A value, on its way into its field. */
struct opt_value {
	const struct opt *opt;
	const char
		*what; /* "--name", for messages; NULL: the file's reader names section and key */
	const char *text; /* NULL for a switch */
	void *field;
};

struct opt {
	const char *name; /* the long option and the key; NULL ends a table */
	char letter;	  /* the short option, or 0 */
	/*
	 * The argument's name in the help, or NULL for a switch.  In brackets it may be left out:
	 * the next word is taken for it unless that begins with '-', else it is `bare`.
	 */
	const char *arg;
	/* Parses v->text into *v->field. Returns 0, or -errno with *err set. */
	int (*parse)(const struct opt_value *v, struct err *err);
	size_t offset; /* of the field in the struct that belongs to the table */
	const char *help;
	enum opt_side side;
	uint64_t min, max;
	const char *const *words; /* the values of opt_word() and opt_word_set(), up to NULL */
	const char *noun;	  /* what messages call a word; NULL: "value" */
	const char *preset;	  /* the default, as a value; NULL: none, or the help has it */
	const char *bare;
};

struct opt_table {
	const struct opt *opts; /* NULL ends a list of tables */
	void *into;		/* the struct that the offsets are of */
	const char **given;	/* set to the name of the last option of the table; or NULL */
	const char *title;	/* above the table in the help; NULL: "options" */
};

/* The text of a number that a macro has, for `preset`. */
#define OPT_TEXT_(number) #number
#define OPT_TEXT(number)  OPT_TEXT_(number)

/*
 * Parses all options in argv[1..], moving other words behind them; with `stop_at_word`, stops at
 * the first of these.  Returns the index of the first word that is no option, or -errno with *err
 * set.
 */
int opt_parse(const struct opt_table *tables, int argc, char **argv, int stop_at_word,
	      struct err *err);
/* Parses the value of one option into the struct `into`. 0, or -errno with *err set. */
int opt_set(const struct opt *opt, const char *what, const char *value, void *into,
	    struct err *err);
/* Sets each option that has a preset to it. */
void opt_defaults(const struct opt *opts, void *into);
/* Prints the options of the command line. */
void opt_help(FILE *file, const struct opt *opts);
/* Prints a man page's list: of OPT_LINE the options, of OPT_FILE the keys. */
void opt_man(FILE *file, const struct opt *opts, enum opt_side side);

/* Returns a word by its index in a list up to NULL; "?" for an index that is none. */
const char *opt_word_name(const char *const *words, unsigned int index);
/* A decimal number between min and max; *number untouched on failure. `what` names it. */
int opt_number(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *number,
	       struct err *err);
/* Appends each of "eth0,eth1" that is not among the `count` names. The new count, or -errno. */
int opt_interfaces(const char *what, const char *list, char (*name)[IFNAMSIZ], int count, int max,
		   struct err *err);

/* --- parsers for tables, and the types of their fields */

/* bool */
int opt_switch(const struct opt_value *v, struct err *err);
/* const char *, which points to v->text */
int opt_text(const struct opt_value *v, struct err *err);
/* The same; absolute in the file, which should not depend on the daemon's working directory. */
int opt_path(const struct opt_value *v, struct err *err);
/* __u32 and __u64, from min to max */
int opt_u32(const struct opt_value *v, struct err *err);
int opt_u64(const struct opt_value *v, struct err *err);
/* An enum or unsigned int: min + the index of the word. */
int opt_word(const struct opt_value *v, struct err *err);
/* unsigned int: a bit for each word of a list */
int opt_word_set(const struct opt_value *v, struct err *err);
/* struct ports */
int opt_ports(const struct opt_value *v, struct err *err);

#endif
