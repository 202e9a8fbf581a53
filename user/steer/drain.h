/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes a process out of its groups without a loss: no new flows, then a wait until its flows are
 * idle, then no datagrams at all, then a wait until its queues are empty.
 */
#ifndef SLUICE_STEER_DRAIN_H
#define SLUICE_STEER_DRAIN_H

#include "base/err.h"
#include "steer/steer.h"

#include <linux/types.h>
#include <signal.h>
#include <stdbool.h>

#define STEER_DRAIN_IDLE_DEFAULT  5
#define STEER_DRAIN_LIMIT_DEFAULT 60

struct steer_drain_options {
	const char *bpffs;
	__u32 pid;	/* of the server, or of any of its workers */
	__u32 idle_ms;	/* a flow is idle when nothing came for so long */
	__u32 limit_ms; /* no longer wait than this */
	bool dry_run;	/* only count */
	const volatile sig_atomic_t
		*interrupted; /* when it is set, all is as before; may be NULL */
	steer_event_fn fn;    /* of the sweep that comes first; may be NULL */
	void *arg;
};

struct steer_drain_result {
	int sockets;
	__u32 flows;	  /* at the beginning */
	__u32 flows_left; /* not yet idle at the end of the limit: they go on at another worker */
	__u64 moved;	  /* datagrams taken from a queue that was no longer read, and sent anew */
	__u64 lost;  /* datagrams that the sockets dropped meanwhile, or that could not be moved */
	bool exited; /* the processes ended, or closed their sockets, before the drain did */
	bool limit;  /* the limit was reached */
	__u32 took_ms;
};

/*
 * 0, also if datagrams were lost: see *result.  -ESRCH with *err set if the process has no steered
 * socket; -EBUSY (EXIT_CONFLICT) if nobody else is there to take its flows; -EINTR.
 */
int steer_drain(const struct steer_drain_options *options, struct steer_drain_result *result,
		struct err *err);

#endif
