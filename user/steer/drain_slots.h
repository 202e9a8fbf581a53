/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets that are drained, and the state of their slots; for steer/drain.c alone. */
#ifndef SLUICE_STEER_DRAIN_SLOTS_H
#define SLUICE_STEER_DRAIN_SLOTS_H

#include "kernel/sockets.h"
#include "steer/pid_watch.h"
#include "steer/steer.h"

#include <stdbool.h>

#define DRAIN_SOCKETS_MAX SLUICE_STEER_SLOTS

struct steer_drain_options;
struct steer_drain_result;

struct drained {
	struct steer_group *group; /* shared by the sockets of a group */
	__u64 cookie;
	int slot;
	int fd;	      /* -1: nobody else holds it any more, and it has been emptied */
	__u32 drops;  /* of the socket, at the beginning */
	bool missing; /* nobody else was seen to hold it at the last look */
	bool left;    /* nor at the one before */
};

struct drain {
	const struct steer_drain_options *options; /* of which what follows is copied */
	const char *bpffs;
	__u32 pid;
	steer_event_fn fn;
	void *arg;
	struct steer_loader loader; /* for the sweeps */
	struct steer_drain_result *result;
	__u64 instance;
	struct sockets *sockets;
	struct steer_group **groups;
	int group_count;
	struct drained all[DRAIN_SOCKETS_MAX];
	int count;
	int held; /* of these, with a descriptor */
	struct holders holders;
	__u32 looked_ms; /* at who holds them, after the start */
	__u64 start_ns;
	struct err *err;
};

/* Finds and holds the sockets of the process. 0, or -errno with *err of the drain set. */
int drain_collect(struct drain *drain);
__u32 drain_socket_drops(int fd);
/* A socket that is closed gives its slot to another. */
bool drain_has_slot(const struct drained *drained);

/*
 * What is done to each socket's slot, under the lock on the pins.  With needs_others it is refused
 * where nobody else takes the flows: the others may have gone, or be drained themselves by now.
 */
int drain_slot_draining(struct drained *drained);
int drain_slot_expel(struct drained *drained);
int drain_slot_left(struct drained *drained);
int drain_slot_emptied(struct drained *drained);
int drain_slots_set(struct drain *drain, bool needs_others, int (*fn)(struct drained *drained));
/* Does so for what makes flows move, between two sweeps. */
int drain_slots_give(struct drain *drain, int (*fn)(struct drained *drained));
/* Goes back to what was; what the generations make of it, the sweep decides. */
void drain_slots_restore(struct drain *drain);

#endif
