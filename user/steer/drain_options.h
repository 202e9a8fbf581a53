/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_STEER_DRAIN_OPTIONS_H
#define SLUICE_STEER_DRAIN_OPTIONS_H

#include "steer/sweep_group.h"

#include <linux/types.h>
#include <signal.h>
#include <stdbool.h>

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

#endif
