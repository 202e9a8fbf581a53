/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_STEER_DRAIN_OPTIONS_H
#define SLUICE_STEER_DRAIN_OPTIONS_H

#include "steer/sweep_group.h"

#include <linux/types.h>
#include <signal.h>
#include <stdbool.h>

struct steer_drain_options {
	const char *bpffs;
	const char *cgroup; /* cgroup of the servers, for steer/unread.h; may be NULL */
	__u32 pid;	    /* any process of the server */
	__u32 idle_ms;	    /* a flow without a datagram for this time is idle */
	__u32 limit_ms;	    /* maximum wait until all flows are idle */
	__u32 wait_ms;	    /* maximum wait for another process that can take the flows */
	bool dry_run;	    /* only count the flows */
	const volatile sig_atomic_t *interrupted; /* nonzero: undo the drain; may be NULL */
	steer_event_fn fn;			  /* called by the first sweep; may be NULL */
	void *arg;
};

struct steer_drain_result {
	int sockets;
	__u32 flows;	  /* flows at the start */
	__u32 flows_left; /* flows still busy at the limit, which another worker gets */
	__u64 unread;	  /* datagrams left unread in the process's queues */
	__u64 dropped;	  /* datagrams dropped by full queues during the drain */
	int early;	  /* sockets that were closed before their flows were handed over */
	bool exited;	  /* the process closed all its sockets before the end of the drain */
	bool limit;	  /* the limit was reached */
	bool stalled;	  /* the process has stopped reading */
	__u32 took_ms;
};

#endif
