/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes a process out of its groups without loss: stops new flows, waits until its flows are idle,
 * stops all datagrams, and waits until its queues are empty.
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
	__u32 idle_ms;	/* a flow without a datagram for this long is idle */
	__u32 limit_ms; /* the longest wait for idle flows */
	bool dry_run;	/* only count */
	const volatile sig_atomic_t *interrupted; /* once set, undoes the drain; may be NULL */
	steer_event_fn fn;			  /* for the first sweep; may be NULL */
	void *arg;
};

struct steer_drain_result {
	int sockets;
	__u32 flows;	  /* at the start */
	__u32 flows_left; /* still busy at the limit; another worker gets them */
	__u64 moved;	  /* datagrams taken from an unread queue and sent again */
	__u64 lost;	  /* datagrams that the sockets dropped meanwhile, or that failed to move */
	bool exited;	  /* the processes exited or closed their sockets before the end */
	bool limit;	  /* the limit was reached */
	__u32 took_ms;
};

/*
 * Returns 0 even if datagrams were lost: see *result.  Returns -ESRCH if the process has no steered
 * socket, -EBUSY (EXIT_CONFLICT) if no other process can take its flows, -EINTR if interrupted,
 * each with *err set.
 */
int steer_drain(const struct steer_drain_options *options, struct steer_drain_result *result,
		struct err *err);

#endif
