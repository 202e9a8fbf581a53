/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the server of a section: the daemon starts 'sluice rendezvous serve', 'sluice peer run' or
 * 'sluice peer connect' with the options of the file, in a separate process without the daemon's
 * privileges. The server exits with the daemon. If the server exits earlier, the daemon restarts
 * it. The standard input of the server is a socket, through which the server also reports every few
 * seconds whether it works.
 */
#ifndef SLUICE_DAEMON_CHILD_H
#define SLUICE_DAEMON_CHILD_H

#include "base/log.h"
#include "base/loop.h"
#include "daemon/config.h"

#include <stdbool.h>
#include <sys/types.h>

/* Capacity: the command, the keys of the section, and NULL. */
#define CHILD_ARGS_MAX 32

struct child {
	enum config_section section;
	struct loop *loop;
	struct loop_timer *timer;   /* timer for the next start */
	char *args[CHILD_ARGS_MAX]; /* args[0] is NULL if the file has no such section */
	pid_t pid;		    /* 0: not running */
	int pidfd, input_fd; /* pidfd of the server; the daemon's end of its standard input */
	bool replaces;	     /* the server is being stopped, so that a new server can start */
	unsigned int delay_s;
	uint64_t started_us, reported_us; /* reported_us: the last report; 0: none yet */
	struct log_condition failure;	  /* reason why the server is not running */
	struct log_condition unwell;	  /* failure that the server reports */
	loop_fn changed;		  /* called after each start and exit */
	void *arg;
};

/* Initializes @child. Returns 0 or -ENOMEM. */
int child_init(struct child *child, enum config_section section, struct loop *loop, loop_fn changed,
	       void *arg);
/*
 * Runs the server with the options of the file. Stops it if the file has no section. If the options
 * are unchanged, the running server reloads its peers.
 */
void child_apply(struct child *child, const struct config *config);
/*
 * Returns true if the server is running, and has lately reported that it works. Otherwise sets
 * @why.
 */
bool child_works(const struct child *child, char *why, size_t size);
/* Stops the server, and waits for its exit. */
void child_end(struct child *child);

#endif
