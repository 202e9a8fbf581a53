/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The section [rendezvous]: the daemon runs 'sluice rendezvous serve' with the options of the file,
 * in a separate process without the daemon's privileges. The server exits with the daemon. If the
 * server exits earlier, the daemon restarts it. The standard input of the server is a socket,
 * through which the server also reports every few seconds whether it is ready.
 */
#ifndef SLUICE_DAEMON_RENDEZVOUS_H
#define SLUICE_DAEMON_RENDEZVOUS_H

#include "base/log.h"
#include "base/loop.h"
#include "daemon/config.h"

#include <stdbool.h>
#include <sys/types.h>

/* Capacity: the command, the keys of the section, and NULL. */
#define RENDEZVOUS_ARGS_MAX 24

struct rendezvous_section {
	struct loop *loop;
	struct loop_timer *timer;	 /* for the next start */
	char *args[RENDEZVOUS_ARGS_MAX]; /* args[0] is NULL if the file has no such section */
	pid_t pid;			 /* 0: not running */
	int pidfd, input_fd; /* of this process; the socket that is its standard input */
	bool replaces;	     /* it is being stopped, to start a new server */
	unsigned int delay_s;
	uint64_t started_us, reported_us; /* reported_us: the last report; 0: none yet */
	struct log_condition failure;	  /* why it is not running */
	struct log_condition unwell;	  /* why it is not ready, as it reports */
	loop_fn changed;		  /* called after each start and exit */
	void *arg;
};

/* Sets up the timer. Returns 0 or -ENOMEM. */
int rendezvous_section_init(struct rendezvous_section *section, struct loop *loop, loop_fn changed,
			    void *arg);
/*
 * Runs the server with the options of the file. Stops it if the file has no section. If the options
 * are unchanged, the running server reloads its peers.
 */
void rendezvous_section_apply(struct rendezvous_section *section, const struct config *config);
/*
 * Returns true if the server runs and reports that it is ready. Otherwise, sets @why. The decision
 * is as of the call.
 */
bool rendezvous_section_works(const struct rendezvous_section *section, char *why, size_t size);
/* Stops the server, and waits for its exit. */
void rendezvous_section_end(struct rendezvous_section *section);

#endif
