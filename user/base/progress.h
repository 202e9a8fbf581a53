/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logs the progress of a long operation every few seconds. */
#ifndef SLUICE_BASE_PROGRESS_H
#define SLUICE_BASE_PROGRESS_H

#include <linux/types.h>

struct progress {
	const char *what; /* such as "wire: interfaces attached" */
	__u64 due_us;	  /* time of the next line */
};

struct progress progress_begin(const char *what);
/* Sets a function that progress_report() calls, for work that cannot wait for the event loop. */
void progress_set_tick(void (*tick)(void *arg), void *arg);
/* Logs "WHAT: DONE of TOTAL" if a line is due; call it after each step. */
void progress_report(struct progress *progress, int done, int total);

#endif
