/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the sockets of a server the current generation of their groups, which overrides the rule of
 * steer/group/generation.h. Other sockets keep their flows. They take new flows again when they are
 * promoted, or when no newer generation is left.
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
	bool current; /* the server already was the only one to take new flows */
};

/*
 * Promotes the server of options->pid. Returns 0, or -errno with *err set: -ESRCH if the process
 * has no steered socket, -EBUSY (EXIT_CONFLICT) if it is being drained; neither changes anything.
 */
int steer_promote(const struct steer_promote_options *options, struct steer_promote_result *result,
		  struct err *err);

#endif
