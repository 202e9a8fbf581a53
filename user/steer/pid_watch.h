/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that are waited for: tells when one of them has ended. */
#ifndef SLUICE_STEER_PID_WATCH_H
#define SLUICE_STEER_PID_WATCH_H

#include <linux/types.h>
#include <poll.h>
#include <stdbool.h>

/* All zero is none. */
struct holders {
	struct pollfd *ends; /* descriptors of processes */
	__u32 *pids;
	int count;
	bool missed; /* one had ended before it could be watched */
};

/* Watches the process, if it is not watched yet.  One that has ended is told by the next wait. */
int pid_watch_add(struct holders *holders, __u32 pid);
/* Sleeps so long, or until one has ended: true then, and it is watched no more. */
bool pid_watch_wait(struct holders *holders, __u32 ms);
void pid_watch_free(struct holders *holders);

#endif
