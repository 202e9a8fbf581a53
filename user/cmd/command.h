/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a verb is to main.c: each file of user/cmd but main.c provides one or more. */
#ifndef SLUICE_CMD_COMMAND_H
#define SLUICE_CMD_COMMAND_H

#include "base/context.h"
#include "base/err.h"
#include "base/opt.h"

#define COMMAND_TABLES_MAX 4

struct command {
	const char *object;
	const char *name; /* NULL: the object stands alone, as in "sluice status" */
	const char *summary;
	const char *words; /* the words that may follow the options, for the usage line; or NULL */
	const char *help;  /* further lines for --help; or NULL */
	/* Its options; the last table's `opts` is NULL. */
	struct opt_table tables[COMMAND_TABLES_MAX];
	void *options;	/* for run() */
	int max_words;	/* words allowed behind the options */
	bool all_netns; /* takes "--netns all" */
	/* 0, or -errno with *err set: main.c prints it and takes the exit code from it. */
	int (*run)(const struct context *context, void *options, int words, char **word,
		   struct err *err);
};

extern const struct command check_command;
extern const struct command status_command;
extern const struct command reply_load_command;
extern const struct command reply_show_command;
extern const struct command reply_flows_command;
extern const struct command reply_audit_command;
extern const struct command reply_unload_command;
extern const struct command steer_load_command;
extern const struct command steer_show_command;
extern const struct command steer_drain_command;
extern const struct command steer_unload_command;
extern const struct command conntrack_show_command;
extern const struct command conntrack_audit_command;
extern const struct command conntrack_repair_command;
extern const struct command run_command;
extern const struct command cleanup_command;
extern const struct command completion_command;
extern const struct command help_command;

#endif
