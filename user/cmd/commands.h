/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command table, for main.c, the help and the completion. */
#ifndef SLUICE_CMD_COMMANDS_H
#define SLUICE_CMD_COMMANDS_H

#include "cmd/command.h"

#define COMMANDS_MAX 32

extern const struct command *const commands[]; /* ends with NULL */

/* The parsed global options. */
struct globals {
	char **argv; /* of this process */
	struct output output;
	struct location location;
	const char *netns;
	bool json, pretty, verbose, help, version;
};

#define LINE_TABLES_MAX (COMMAND_TABLES_MAX + 2)
/*
 * Lists the option tables of a command line: first the options of the command (which may be NULL),
 * then the global options, which write into *globals. An entry without opts ends the list.
 */
void command_tables(const struct command *command, struct globals *globals,
		    struct opt_table tables[LINE_TABLES_MAX]);

/* Lists all objects or, with `object`, the commands of one object. Returns their number. */
size_t command_words(const char *object, const char *known[COMMANDS_MAX]);
/*
 * Finds the command that word[0] names, or word[0] and word[1] if the object has several commands.
 * Sets *used to the number of words in the name. Returns NULL with *err set if the command does not
 * exist.
 */
const struct command *command_find(int words, char **word, int *used, struct err *err);

#endif
