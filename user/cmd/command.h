/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command: its options, documentation and function, for main.c. */
#ifndef SLUICE_CMD_COMMAND_H
#define SLUICE_CMD_COMMAND_H

#include "base/err.h"
#include "cli/context.h"
#include "cli/opt.h"

#define COMMAND_TABLES_MAX 4

struct command {
	const char *object;
	const char *name; /* NULL: the object is the whole command, as in "sluice status" */
	const char *summary;
	const char *words;	     /* operands for the usage line; NULL: none */
	const char *help;	     /* further lines for --help; NULL: none */
	const char *const *operands; /* valid operands, up to NULL; NULL: any word */
	/* The options of the command; the last table's `opts` is NULL. */
	struct opt_table tables[COMMAND_TABLES_MAX];
	void *options;	/* passed to run() */
	int max_words;	/* maximum number of operands */
	bool all_netns; /* accepts "--netns all" */
	bool changes;	/* modifies kernel state */
	/* Returns 0, or -errno with *err set, which main.c prints; the exit status is err->code. */
	int (*run)(const struct context *context, void *options, int words, char **word,
		   struct err *err);
};

/* All commands, in the order of the help; the commands of an object are adjacent. */
#define COMMANDS(X)         \
	X(check)            \
	X(status)           \
	X(top)              \
	X(monitor)          \
	X(reply_load)       \
	X(reply_show)       \
	X(reply_flows)      \
	X(reply_audit)      \
	X(reply_unload)     \
	X(steer_load)       \
	X(steer_show)       \
	X(steer_drain)      \
	X(steer_promote)    \
	X(steer_unload)     \
	X(conntrack_show)   \
	X(conntrack_audit)  \
	X(conntrack_repair) \
	X(hold_load)        \
	X(hold_show)        \
	X(hold_flows)       \
	X(hold_unload)      \
	X(nat_probe)        \
	X(peer_run)         \
	X(peer_connect)     \
	X(peer_list)        \
	X(peer_key)         \
	X(rendezvous_serve) \
	X(rendezvous_show)  \
	X(run)              \
	X(cleanup)          \
	X(completion)       \
	X(help)

#define COMMAND_DECLARE(name) extern const struct command name##_command;
COMMANDS(COMMAND_DECLARE)

#endif
