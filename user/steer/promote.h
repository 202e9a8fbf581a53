/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the sockets of a server the current generation of their groups, and overrides the rule of
 * steer/group/generation.h. The other sockets keep their flows. They take new flows again when they
 * are promoted, or when they are the newest generation that is left.
 */
#ifndef SLUICE_STEER_PROMOTE_H
#define SLUICE_STEER_PROMOTE_H

#include "base/err.h"
#include "steer/sweep_group.h"

#include <stdbool.h>

struct steer_promote_options {
	const char *bpffs;
	__u32 pid;	   /* any process of the server */
	steer_event_fn fn; /* called by the first sweep; may be NULL */
	void *arg;
};

struct steer_promote_result {
	int groups;
	int sockets;  /* sockets of the server */
	int retired;  /* other sockets that keep only their flows */
	bool current; /* the server alone took the new flows already */
};

/*
 * Returns -ESRCH if the process has no steered socket, or -EBUSY (EXIT_CONFLICT) if it is being
 * drained, with *err set and nothing changed.
 */
int steer_promote(const struct steer_promote_options *options, struct steer_promote_result *result,
		  struct err *err);

#endif
