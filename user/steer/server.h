/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the sockets of a server, given any of its processes. */
#ifndef SLUICE_STEER_SERVER_H
#define SLUICE_STEER_SERVER_H

#include "process/sockets.h"
#include "steer/group/group.h"

#include <stdbool.h>

struct steer_server {
	__u32 pid;
	__u64 instance; /* instance of `pid`, by process */
	enum sluice_steer_generations by;
	const struct sockets *sockets;
};

/*
 * Marks the slots of the server in @selected (SLUICE_STEER_SLOTS elements). Returns their number.
 */
int server_select(const struct steer_server *server, const struct steer_group *group,
		  bool *selected);
/* Checks that the process exists. Returns 0, or -ESRCH with *err set. */
int server_check(__u32 pid, struct err *err);
/* Sets *err to "process %u has no steered socket". Returns -ESRCH. */
int server_has_none(__u32 pid, struct err *err);

#endif
