/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The groups that are open for steer/metrics.h. */
#ifndef SLUICE_STEER_POLL_H
#define SLUICE_STEER_POLL_H

#include "steer/group/group.h"
#include "steer/group/stats.h"
#include "steer/view.h"

#include <limits.h>

#define POLL_STATES (SLUICE_STEER_DRAINED + 1)

struct poll_group {
	char name[NAME_MAX];	  /* of its pin directory */
	unsigned long long inode; /* of that: a later group of this name has another */
	char netns[NAME_MAX + 1]; /* the name of its namespace */
	struct sluice_steer_group info;
	char program[BPF_OBJ_NAME_LEN];
	int group_fd, slots_fd, counters_fd, table_fd, prog_fd;
	__u32 slots; /* the last read has found no used slot from here on */
	const struct sluice_steer_set *table; /* the first sets of the flow table, mapped */
	__u32 mapped;			      /* how many */
	bool seen;
	/* what the last read has found */
	__u64 counters[STEER_COUNTERS];
	__u64 workers[POLL_STATES]; /* by enum sluice_steer_state */
	__u64 live;		    /* flows, estimated from a part of the table */
	__u64 run_ns, runs;
};

struct steer_poll {
	struct poll_group *group;
	size_t count, room;
	__u64 *values;		    /* of a map, for each CPU */
	struct steer_usage usage;   /* of the group that is read */
	struct steer_group scratch; /* the same */
	__u32 slots;		    /* of scratch.slots, the others are 0 */
	struct sluice_steer_meta meta;
	__u32 now; /* ticks_clock() */
};

/* Returns a poll without open groups, or NULL on ENOMEM. */
struct steer_poll *steer_poll_new(void);
void steer_poll_free(struct steer_poll *poll);
/*
 * Opens new groups, closes those that are gone, and reads all. A group that is released meanwhile
 * is left out. Returns 0, or -errno; -ENOENT if steering is not loaded.
 */
int steer_poll_read(struct steer_poll *poll, const char *bpffs);
/* Closes all groups, so that what another process unloads is freed. @poll may be NULL. */
void steer_poll_clear(struct steer_poll *poll);
/*
 * Sets *datagrams to those of all groups, also of ended ones; 0 if steering is not loaded. No map
 * stays open.
 */
void steer_poll_datagrams(const char *bpffs, __u64 *datagrams);

#endif
