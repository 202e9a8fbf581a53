/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command of --on-change, which a shell executes when a path comes up, moves or goes down.
 * Values are passed only in environment variables, so the shell never parses them.
 *
 * At most one command runs for each peer. Changes that occur while it runs are merged, and reported
 * when it has exited as one change to the current state. So a slow command is never run for a path
 * that is already gone, and each "up" has a "down".
 */
#ifndef SLUICE_MEET_REPORT_ON_CHANGE_H
#define SLUICE_MEET_REPORT_ON_CHANGE_H

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"

/* The path to a peer. */
struct change {
	bool up;
	bool relayed;
	char kind[24], transport[8], trust[8];
	char local[ADDR_TEXT_MAX], remote[ADDR_TEXT_MAX];
	char reason[192]; /* reason why the path is down; may be empty */
};

struct on_change;

/* @id: name of this peer. The caller owns @command and @id. Returns 0, or -errno with *err set. */
int on_change_new(struct on_change **on_change, struct loop *loop, const char *command,
		  const char *id, struct err *err);
/* Sets the current path to @peer, and reports it if it has changed. @on_change may be NULL. */
void on_change_set(struct on_change *on_change, const char *peer, const struct change *change);
/*
 * Reports all paths as down, waits some seconds for the commands, and frees @on_change. Call it
 * after the loop has stopped, and before it is freed.
 */
void on_change_end(struct on_change *on_change);

#endif
