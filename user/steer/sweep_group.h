/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of a sweep that works on one group: assigns slots to its sockets, and decides which
 * datagrams each slot takes.
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
	STEER_GROUP_FOUND,    /* dry run: the group would be attached to */
	STEER_GROUP_ATTACHED, /* the program was attached, `count` sockets joined */
	STEER_GROUP_KEPT,     /* the program was attached before */
	STEER_GROUP_CHANGED,  /* the program was replaced: another policy or timeout */
	STEER_GROUP_FOREIGN,  /* left alone: it has another program */
	STEER_GROUP_GONE,     /* its last socket was closed */
	STEER_GROUP_RELEASED, /* given back to the kernel's choice */
	STEER_GROUP_FAILED,   /* see why */
	STEER_SOCKET_JOINED,
	STEER_SOCKET_LEFT,
	STEER_SOCKET_FAILED,   /* see why */
	STEER_GENERATION,      /* a newer generation has taken over */
	STEER_DRAIN_LAPSED,    /* the drain of the slot's process was killed */
	STEER_GROUPS_LEFT_OUT, /* `count` groups like this one exceed their namespace's quota */
};

struct steer_event {
	enum steer_event_type type;
	const char *name; /* of the group's pin directory, or NULL */
	const struct sluice_steer_group *group;
	const struct sluice_steer_slot *slot; /* or NULL */
	int count;			      /* sockets of the group, or groups */
	int added;			      /* of these sockets, those that joined now */
	__u32 prog_id;			      /* STEER_GROUP_FOREIGN; 0: a classic BPF program */
	const char *why;
};

typedef void (*steer_event_fn)(const struct steer_event *event, void *arg);

struct steer_sweep {
	struct steer_loader *loader; /* NULL for a sweep that loads nothing: dry run, unload */
	const char *bpffs;
	struct pins *pins; /* the lock, which others may take between two groups; NULL: not so */
	char dir[PATH_MAX];
	struct sluice_steer_meta meta;
	struct steer_setting setting;
	struct sockets *sockets;
	const struct sluice_socket_record **managed; /* those on the managed ports, by group */
	size_t managed_count;
	struct steer_groups_open pinned;
	/* sockets of the group that the sweep is working on, in the kernel's order */
	const struct sluice_socket_record *const *members;
	int count;
	steer_event_fn fn; /* may be NULL */
	void *arg;
	int groups;  /* steered at the end */
	int refused; /* sockets that are open, but failed to join */
	int joined;  /* sockets that were given a slot */
	struct quotas quotas;
	int left_out, left_out_netns; /* groups above their quota, and their namespaces */
	int consumers_fd;	      /* map of policy cpu, or -1 */
	bool consumers_tried;	      /* consumers_fd is final */
	bool renew;		      /* replace the programs of policy cpu by this build's */
	bool dry_run;
	bool regroup; /* the rule that sets instances apart has changed */
};

void sweep_report_group(const struct steer_sweep *sweep, enum steer_event_type type,
			const struct steer_group *group, const struct sluice_steer_slot *slot,
			int count, const char *why);
/* Reports a group that has no pins, by one of its sockets. */
void sweep_report_found(const struct steer_sweep *sweep, enum steer_event_type type,
			const struct sluice_socket_record *of, int count, const char *why);

/* Returns why a socket failed to join. */
const char *sweep_join_reason(int error);
/*
 * Is the socket open, though no process was seen to hold it? It is being passed between processes
 * (SCM_RIGHTS), was passed during the walk, or is registered only with io_uring.
 */
bool sweep_out_of_sight(const struct steer_sweep *sweep, const struct steer_group *group, int slot);
/* Frees the slots of sockets that were closed or connected. */
void sweep_sockets_leave(struct steer_sweep *sweep, struct steer_group *group);
/* Assigns slots to new sockets. Keeps one of them in *keep, unless NULL. */
void sweep_sockets_join(struct steer_sweep *sweep, struct steer_group *group,
			struct steer_member *keep);
/* Sets the states of the slots, and the order of those that take new flows. */
void sweep_slots_assign(struct steer_sweep *sweep, struct steer_group *group);
int sweep_slots_used(const struct steer_group *group);
/* Policy cpu: removes all sockets of a group from the map of consumers. */
void sweep_consumers_remove(struct steer_sweep *sweep, const struct steer_group *group);

#endif
