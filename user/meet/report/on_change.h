/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command of --on-change, which a shell executes when a path comes up, moves or goes down. Its
 * only arguments are variables of its environment, so that no value is ever parsed by the shell.
 *
 * At most one command runs for each peer. What changes meanwhile is reported when it has ended, as
 * one change to the state at that time; so a slow command sees no path that is gone already, and an
 * "up" for each "down".
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
	char reason[192]; /* why it is down; may be empty */
};

struct on_change;

/* @command and @id, the name of this peer, stay the caller's. Returns 0, or -errno with *err set.
 */
int on_change_new(struct on_change **on_change, struct loop *loop, const char *command,
		  const char *id, struct err *err);
/* The path to @peer is this one now. Does nothing if that is known. @on_change may be NULL. */
void on_change_set(struct on_change *on_change, const char *peer, const struct change *change);
/*
 * All paths go down. Waits some seconds for the commands, and frees it. Call it when the loop does
 * not run any more, and before it is freed.
 */
void on_change_end(struct on_change *on_change);

#endif
