/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal of 'sluice top', using ncurses. The library is loaded when a terminal is opened;
 * linking it would delay every start of sluice. Only terminal.c includes its header.
 */
#ifndef SLUICE_CMD_TOP_TERMINAL_H
#define SLUICE_CMD_TOP_TERMINAL_H

#include "base/err.h"
#include "cmd/top/view.h"

#include <linux/types.h>

struct terminal;

/*
 * Returns 0 if standard input and output are a terminal that ncurses can draw on, or -errno with
 * *err set. Call it before terminal_open().
 */
int terminal_check(struct err *err);
/*
 * Opens standard input and output as a terminal, and blocks the signals that terminal_wait()
 * handles, so that terminal_close() always runs. Returns 0, or -errno with *err set and the
 * terminal unchanged.
 */
int terminal_open(struct terminal **terminal, struct err *err);
/* @terminal may be NULL. */
void terminal_close(struct terminal *terminal);

int terminal_width(const struct terminal *terminal);
int terminal_height(const struct terminal *terminal);
/* Clears the screen for new lines; terminal_show() displays it. */
void terminal_clear(struct terminal *terminal);
/* A top_line_fn. */
void terminal_line(void *terminal, int y, enum top_tone tone, const char *text);
void terminal_show(struct terminal *terminal);

enum terminal_event {
	TERMINAL_TIMEOUT,
	TERMINAL_KEY,
	TERMINAL_REDRAW, /* the size has changed, or the process was stopped */
	TERMINAL_END,	 /* SIGINT, SIGTERM, SIGHUP, or the end of input */
};

/*
 * Waits for an event, at the latest until clock_now_us() reaches @until_us. For TERMINAL_KEY, sets
 * *key to a character or an enum top_key.
 */
enum terminal_event terminal_wait(struct terminal *terminal, __u64 until_us, int *key);

#endif
