/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options from tables. One entry describes an option for the command line, the daemon's file,
 * --help, the man pages and shell completion, so that they cannot disagree. getopt_long(3) parses
 * the command line, but the errors are sluice's own, since they suggest the nearest valid word.
 */
#ifndef SLUICE_CLI_OPT_H
#define SLUICE_CLI_OPT_H

#include "base/err.h"

#include <linux/types.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Where an option is valid. Its name is also its key in the file. */
enum opt_side {
	OPT_BOTH,
	OPT_LINE,
	OPT_FILE,
};

struct opt;

/* The argument of a parser: a value and its destination. */
struct opt_value {
	const struct opt *opt;
	const char *what; /* "--name", for messages; NULL in the file */
	const char *text; /* NULL for a switch */
	void *field;
};

struct opt {
	const char *name; /* the long option and the key; NULL ends a table */
	char letter;	  /* the short option, or 0 */
	/*
	 * The name of the argument in the help, or NULL for a switch. Brackets mark an optional
	 * argument. Its value is the next word, or `bare` if there is no next word or the next word
	 * begins with '-'.
	 */
	const char *arg;
	/* Parses v->text into *v->field. Returns 0, or -errno with *err set. */
	int (*parse)(const struct opt_value *v, struct err *err);
	size_t offset; /* offset of the field in the struct of the table */
	const char *help;
	enum opt_side side;
	uint64_t min, max;
	const char *const *words; /* NULL-terminated values of opt_word() and opt_word_set() */
	const char *noun;	  /* what messages call a word; NULL: "value" */
	const char *preset;	  /* the default, as text; NULL: none, or part of `help` */
	const char *bare;
	bool list; /* may have several values, with commas between them; the parser copies each */
};

struct opt_table {
	const struct opt *opts; /* NULL ends a list of tables */
	void *into;		/* the struct that the offsets refer to */
	const char **given;	/* set to the name of the last option from the table; may be NULL */
	const char *title;	/* heading in the help; NULL: "options" */
};

/* The value of a numeric macro as text, for `preset`. */
#define OPT_TEXT_(number) #number
#define OPT_TEXT(number)  OPT_TEXT_(number)

/*
 * Parses all options in argv[1..] and moves operands behind them. With @stop_at_word, stops at the
 * first operand. Returns the index of the first operand, or -errno with *err set.
 */
int opt_parse(const struct opt_table *tables, int argc, char **argv, int stop_at_word,
	      struct err *err);
/* Parses the value of an option into the struct `into`. Returns 0, or -errno with *err set. */
int opt_set(const struct opt *opt, const char *what, const char *value, void *into,
	    struct err *err);
/* Sets each option that has a preset to its preset. */
void opt_defaults(const struct opt *opts, void *into);
/* Prints the options of the command line. */
void opt_help(FILE *file, const struct opt *opts);
/* Returns the key of an option, which has underscores for the hyphens of its name. */
#define OPT_KEY_MAX 32
const char *opt_key(const struct opt *opt, char key[OPT_KEY_MAX]);
/* Prints the options (OPT_LINE) or the keys (OPT_FILE) as a list in a man page. */
void opt_man(FILE *file, const struct opt *opts, enum opt_side side);

/* Returns the word at @index of a NULL-terminated list, or "?" if the index is out of range. */
const char *opt_word_name(const char *const *words, unsigned int index);
/*
 * The arguments for a "%s%s" that names the option. Both are empty for a key, since config_parse()
 * names it.
 */
#define OPT_WHAT(what) (what) ? (what) : "", (what) ? ": " : ""

/*
 * Parses a decimal number from @min to @max. Errors begin with @what, unless it is NULL. Returns 0,
 * or -errno with *err set and *number untouched.
 */
int opt_number(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *number,
	       struct err *err);
/*
 * Appends the names of a list such as "eth0,eth1" to the @count names in @name, without duplicates.
 * Returns the new count, or -errno with *err set.
 */
int opt_interfaces(const char *what, const char *list, char (*name)[IFNAMSIZ], int count, int max,
		   struct err *err);

/* An optional address; IPv4 as ::ffff:a.b.c.d. */
struct opt_addr {
	bool given;
	struct in6_addr addr;
};

/* --- parsers, with the type of the field */

/* bool: true for a switch, in the file no or yes */
int opt_switch(const struct opt_value *v, struct err *err);
/* const char *, which points to v->text */
int opt_text(const struct opt_value *v, struct err *err);
/*
 * As opt_text(). A path in the file must be absolute, so that it does not depend on the daemon's
 * working directory.
 */
int opt_path(const struct opt_value *v, struct err *err);
/* __u32 and __u64, from min to max */
int opt_u32(const struct opt_value *v, struct err *err);
int opt_u64(const struct opt_value *v, struct err *err);
/* enum or unsigned int: min + the index of the word */
int opt_word(const struct opt_value *v, struct err *err);
/* unsigned int: a bit for each word of a list */
int opt_word_set(const struct opt_value *v, struct err *err);
/* struct opt_addr */
int opt_addr(const struct opt_value *v, struct err *err);
/* struct ports */
int opt_ports(const struct opt_value *v, struct err *err);

#endif
