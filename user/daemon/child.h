/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A section that is a server: the daemon runs 'sluice rendezvous serve' or 'sluice peer run' with
 * the options of the file, in a process of its own, which drops the privileges that the daemon
 * needs. The server ends with the daemon, and the daemon starts it again if it ends by itself. The
 * standard input of the server is a socket, at which the server also reports why it does not work.
 */
#ifndef SLUICE_DAEMON_CHILD_H
#define SLUICE_DAEMON_CHILD_H

#include "base/log.h"
#include "base/loop.h"
#include "daemon/config.h"

#include <stdbool.h>
#include <sys/types.h>

/* The keys of the section, the command before them, and NULL. */
#define CHILD_ARGS_MAX 32

struct child {
	enum config_section section;
	struct loop *loop;
	struct loop_timer *timer;   /* of the next start */
	char *args[CHILD_ARGS_MAX]; /* args[0] is NULL: the file has no such section */
	pid_t pid;		    /* 0: it does not run */
	int pidfd, input_fd;	    /* of that process; the socket that is its standard input */
	bool replaces;		    /* it was told to end, for another one to start */
	unsigned int delay_s;
	uint64_t started_us;
	struct log_condition failure; /* why it does not run */
	struct log_condition unwell;  /* why it does not work, as it reports */
	loop_fn changed;	      /* called when it has started or ended */
	void *arg;
};

/* Sets up the timer. Returns 0 or -ENOMEM. */
int child_init(struct child *child, enum config_section section, struct loop *loop, loop_fn changed,
	       void *arg);
/*
 * Runs the server as the file has it; ends it if the file has no section. A server that runs with
 * the same options reads its peers again.
 */
void child_apply(struct child *child, const struct config *config);
/* Ends the server, and waits for it. */
void child_end(struct child *child);

#endif
