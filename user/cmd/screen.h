/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A report that is refreshed until the user quits; in place on a terminal. */
#ifndef SLUICE_CMD_SCREEN_H
#define SLUICE_CMD_SCREEN_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <termios.h>

struct screen {
	FILE *file;
	bool in_place; /* the file is a terminal */
	bool has_keys; /* standard input is this terminal: keys are read */
	int signals_fd;
	sigset_t blocked_before;
	struct termios keys_before;
};

/*
 * Blocks the signals that screen_wait() handles, so that the terminal is always restored. Prepares
 * the terminal if @in_place. Returns 0 or -errno.
 */
int screen_start(struct screen *screen, FILE *file, bool in_place);
void screen_end(struct screen *screen);
/* Overwrites the screen. Drops lines beyond its height, which would scroll it. */
void screen_write(const struct screen *screen, const char *text);
/*
 * Waits until the next report is due. Returns false to end the report: on 'q', at the end of input,
 * or on SIGINT, SIGTERM or SIGHUP. On SIGTSTP, restores the terminal and stops the process.
 */
bool screen_wait(struct screen *screen, unsigned int seconds);

#endif
