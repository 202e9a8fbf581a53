/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of a sweep that handles one group: assigns slots to its sockets, and chooses the slots
 * that take new flows.
 */
#ifndef SLUICE_STEER_SWEEP_GROUP_H
#define SLUICE_STEER_SWEEP_GROUP_H

#include "process/sockets.h"
#include "steer/group/group.h"
#include "steer/group/groups.h"
#include "steer/group/program.h"
#include "steer/group/quota.h"

#include <limits.h>
#include <sluice/steer.h>
#include <stdbool.h>

enum steer_event_type {
	STEER_GROUP_FOUND,    /* dry run: the program would be attached */
	STEER_GROUP_ATTACHED, /* the program was attached, and `count` sockets joined */
	STEER_GROUP_KEPT,     /* the program was already attached */
	STEER_GROUP_CHANGED,  /* the program was replaced: other settings, or another build */
	STEER_GROUP_FOREIGN,  /* the group has another program and is left alone */
	STEER_GROUP_GONE,     /* the last socket was closed */
	STEER_GROUP_RELEASED, /* the group was returned to the kernel's choice */
	STEER_GROUP_FAILED,   /* see `why` */
	STEER_SOCKET_JOINED,
	STEER_SOCKET_LEFT,
	STEER_SOCKET_FAILED,   /* see `why` */
	STEER_GENERATION,      /* a newer generation has taken over */
	STEER_DRAIN_LAPSED,    /* the drain of the slot's process was killed */
	STEER_GROUPS_LEFT_OUT, /* `count` groups, with `group`, exceed the namespace's quota */
};

struct steer_event {
	enum steer_event_type type;
	const char *name; /* name of the pin directory, or NULL */
	const struct sluice_steer_group *group;
	const struct sluice_steer_slot *slot; /* or NULL */
	int count;			      /* number of sockets of the group, or of groups */
	int added;			      /* number of sockets that have joined in this sweep */
	__u32 prog_id;			      /* STEER_GROUP_FOREIGN; 0: a classic BPF program */
	const char *why;
};

typedef void (*steer_event_fn)(const struct steer_event *event, void *arg);

struct steer_sweep {
	struct steer_loader *loader; /* NULL if the sweep loads nothing: dry run, unload */
	const char *bpffs;
	struct pins *pins; /* the lock, yielded between two groups; NULL: never yielded */
	char dir[PATH_MAX];
	struct sluice_steer_meta meta;
	struct steer_setting setting;
	struct sockets *sockets;
	const struct sluice_socket_record **managed; /* sockets on the managed ports, by group */
	size_t managed_count;
	struct steer_groups_open pinned;
	/* sockets of the current group, in the kernel's order */
	const struct sluice_socket_record *const *members;
	int count;
	steer_event_fn fn; /* may be NULL */
	void *arg;
	int groups;  /* groups that are steered after the sweep */
	int refused; /* open sockets that failed to join */
	int joined;  /* sockets that got a slot */
	struct quotas quotas;
	int left_out, left_out_netns; /* groups above the quota, and their namespaces */
	int consumers_fd;	      /* map of consumers (policy cpu), or -1 */
	bool consumers_tried;	      /* consumers_fd was set by consumers_ensure() */
	bool renew;		      /* replace the programs of policy cpu with this build's */
	bool dry_run;
	bool regroup; /* the rule that distinguishes instances has changed */
};

void sweep_report_group(const struct steer_sweep *sweep, enum steer_event_type type,
			const struct steer_group *group, const struct sluice_steer_slot *slot,
			int count, const char *why);
/* Reports a group without pins; @of is any socket of the group. */
void sweep_report_found(const struct steer_sweep *sweep, enum steer_event_type type,
			const struct sluice_socket_record *of, int count, const char *why);

/* Returns the reason why a socket failed to join. */
const char *sweep_join_reason(int error);
/*
 * Returns true if the slot's socket is open although the walk has found no holder. It may be in
 * flight between processes (SCM_RIGHTS), may have been passed during the walk, or may be registered
 * only with io_uring.
 */
bool sweep_out_of_sight(const struct steer_sweep *sweep, const struct steer_group *group, int slot);
/* Frees the slots of sockets that have been closed or connected. */
void sweep_sockets_leave(struct steer_sweep *sweep, struct steer_group *group);
/* Assigns slots to new sockets. Keeps one socket open in *keep, unless @keep is NULL. */
void sweep_sockets_join(struct steer_sweep *sweep, struct steer_group *group,
			struct steer_member *keep);
/* Sets the states of the slots, and chooses the slots that take new flows. */
void sweep_slots_assign(struct steer_sweep *sweep, struct steer_group *group);
int sweep_slots_used(const struct steer_group *group);
/* Policy cpu: removes all sockets of a group from the map of consumers. */
void sweep_consumers_remove(struct steer_sweep *sweep, const struct steer_group *group);

#endif
