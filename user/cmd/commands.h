/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All commands, as main.c, the help and the completion look them up. */
#ifndef SLUICE_CMD_COMMANDS_H
#define SLUICE_CMD_COMMANDS_H

#include "cmd/command.h"

#define COMMANDS_MAX 32

extern const struct command *const commands[]; /* up to NULL; those of one object are adjacent */

/* The global options. */
struct globals {
	struct output output;
	struct location location;
	const char *netns;
	bool json, pretty, verbose, help, version;
};

#define LINE_TABLES_MAX (COMMAND_TABLES_MAX + 2)
/*
 * Lists the tables of a command line: the command's (`command` may be NULL), then the global ones,
 * into *globals.  An entry without opts ends the list.
 */
void command_tables(const struct command *command, struct globals *globals,
		    struct opt_table tables[LINE_TABLES_MAX]);

/*
 * Finds the words that may stand at a place: all objects, or (`object` given) the commands of one.
 * Returns their number.
 */
size_t command_words(const char *object, const char *known[COMMANDS_MAX]);
/*
 * Returns the command that word[0] and perhaps word[1] name, and in *used how many did; NULL with
 * *err set: there is none.
 */
const struct command *command_find(int words, char **word, int *used, struct err *err);

#endif
