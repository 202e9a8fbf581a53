/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the sockets of a server the current generation of their groups, whatever the rule of
 * steer/group/generation.h says. The other sockets keep their flows, and take new ones again once
 * they are promoted, or have become the newest generation that is left.
 */
#ifndef SLUICE_STEER_PROMOTE_H
#define SLUICE_STEER_PROMOTE_H

#include "base/err.h"
#include "steer/sweep_group.h"

#include <stdbool.h>

struct steer_promote_options {
	const char *bpffs;
	__u32 pid;	   /* any process that holds a socket of the server */
	steer_event_fn fn; /* for the first sweep; may be NULL */
	void *arg;
};

struct steer_promote_result {
	int groups;
	int sockets;  /* of the server */
	int retired;  /* other sockets that keep only their flows */
	bool current; /* it took the new flows already, alone */
};

/*
 * Returns -ESRCH if the process has no steered socket, or -EBUSY (EXIT_CONFLICT) if it is being
 * drained, with *err set and nothing changed.
 */
int steer_promote(const struct steer_promote_options *options, struct steer_promote_result *result,
		  struct err *err);

#endif
