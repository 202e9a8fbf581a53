/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of a sweep that works on one group: which of its sockets have a slot, and what each slot
 * takes.  `members` are the group's sockets, in the kernel's order.
 */
#ifndef SLUICE_STEER_SWEEP_GROUP_H
#define SLUICE_STEER_SWEEP_GROUP_H

#include "kernel/sockets.h"
#include "steer/group/group.h"
#include "steer/group/groups.h"
#include "steer/group/program.h"
#include "steer/group/quota.h"

#include <limits.h>
#include <sluice/steer.h>
#include <stdbool.h>

enum steer_event_type {
	STEER_GROUP_FOUND,    /* of a dry run: would be attached to */
	STEER_GROUP_ATTACHED, /* the program is on, `count` sockets have joined */
	STEER_GROUP_KEPT,     /* it was on already */
	STEER_GROUP_CHANGED,  /* it was, and has got another policy or timeout */
	STEER_GROUP_FOREIGN,  /* left alone: it has a program of its own */
	STEER_GROUP_GONE,     /* its last socket is closed */
	STEER_GROUP_RELEASED, /* given back to the kernel's choice */
	STEER_GROUP_FAILED,   /* see why */
	STEER_SOCKET_JOINED,
	STEER_SOCKET_LEFT,
	STEER_SOCKET_FAILED,   /* see why */
	STEER_GENERATION,      /* a newer one has taken over */
	STEER_DRAIN_LAPSED,    /* whoever drained the slot's process was killed */
	STEER_GROUPS_LEFT_OUT, /* `count` groups like this: their namespace has its share */
};

struct steer_event {
	enum steer_event_type type;
	const char *name; /* of the group's folder; NULL: it has none */
	const struct sluice_steer_group *group;
	const struct sluice_steer_slot *slot; /* or NULL */
	int count;			      /* sockets of the group, or groups */
	__u32 prog_id;			      /* STEER_GROUP_FOREIGN; 0: a classic BPF program */
	const char *why;
};

/* Called for each thing that a function below finds or does. */
typedef void (*steer_event_fn)(const struct steer_event *news, void *arg);

struct steer_sweep {
	struct steer_loader *loader; /* NULL, where nothing is loaded: a dry run, an unload */
	const char *bpffs;
	char dir[PATH_MAX];
	struct sluice_steer_meta meta;
	struct steer_setting setting;
	struct sockets *sockets;
	struct steer_groups_open pinned;
	steer_event_fn fn;
	void *arg;
	int groups;  /* steered, at the end */
	int refused; /* sockets that could not be taken, though they are there */
	struct quotas shares;
	int consumers_fd; /* policy cpu: of their map; -1: not open */
	bool renew;	  /* and their programs are to be replaced by this build's */
	bool dry_run;
	bool regroup; /* instances are told by another rule than before */
};

void sweep_tell(const struct steer_sweep *sweep, const struct steer_event *news);
void sweep_tell_group(const struct steer_sweep *sweep, enum steer_event_type event,
		      const struct steer_group *group, const struct sluice_steer_slot *slot,
		      int count, const char *why);
/* Of a group that has no pins. */
void sweep_tell_found(const struct steer_sweep *sweep, enum steer_event_type event,
		      const struct sluice_socket_record *of, int count, const char *why);

/* Why a socket could not be taken, by its errno. */
const char *sweep_join_reason(int error);
/* A connected socket hears one peer alone, and is not to be chosen for others. */
bool sweep_may_join(const struct sluice_socket_record *record);
/*
 * Is the socket open, though no process has it?  It is on its way from one to another (SCM_RIGHTS),
 * was so while the walk passed both, or is known to an io_uring alone.
 */
bool sweep_out_of_sight(const struct steer_sweep *sweep, const struct steer_group *group, int slot);
/* Frees the slots of sockets that are closed or connected. */
void sweep_sockets_leave(struct steer_sweep *sweep, struct steer_group *group,
			 const struct sluice_socket_record *const *members, int count);
/* Gives slots to sockets that have none; keeps a descriptor of one in *keep_fd, unless NULL. */
void sweep_sockets_join(struct steer_sweep *sweep, struct steer_group *group,
			const struct sluice_socket_record *const *members, int count, int *keep_fd);
/* Sets the slots' states, and the order of the kernel for those that take new flows. */
void sweep_slots_assign(struct steer_sweep *sweep, struct steer_group *group,
			const struct sluice_socket_record *const *members, int count);
int sweep_slots_used(const struct steer_group *group);
/* Policy cpu: detaches what watches the consumers when no group needs it any more. */
void sweep_consumers_end(struct steer_sweep *sweep);
/* Policy cpu: stops watching all sockets of a group. */
void sweep_consumers_forget(struct steer_sweep *sweep, const struct steer_group *group);

#endif
