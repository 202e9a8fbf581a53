/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits for the end of any of a set of processes. */
#ifndef SLUICE_STEER_PID_WATCH_H
#define SLUICE_STEER_PID_WATCH_H

#include <linux/types.h>
#include <poll.h>
#include <stdbool.h>

/* All zero is an empty set. */
struct pid_watch {
	struct pollfd *pidfds;
	__u32 *pids;
	int count;
	bool missed; /* a process had ended before it could be added */
};

/* Adds a process unless it is in the set.  If it has ended, the next wait returns at once. */
int pid_watch_add(struct pid_watch *watch, __u32 pid);
/* Waits up to @ms.  Returns true if a process has ended, and removes it from the set. */
bool pid_watch_wait(struct pid_watch *watch, __u32 ms);
void pid_watch_free(struct pid_watch *watch);

#endif
