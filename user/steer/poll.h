/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps groups open, and reads them for steer/metrics.h. */
#ifndef SLUICE_STEER_POLL_H
#define SLUICE_STEER_POLL_H

#include "steer/group/group.h"
#include "steer/group/stats.h"
#include "steer/view.h"

#include <limits.h>

#define POLL_STATES (SLUICE_STEER_DRAINED + 1)

struct poll_group {
	char name[NAME_MAX];	  /* name of the pin directory */
	unsigned long long inode; /* inode of the pin directory; a later group has another */
	char netns[NAME_MAX + 1]; /* name of its namespace */
	struct sluice_steer_group info;
	char program[BPF_OBJ_NAME_LEN];
	int group_fd, slots_fd, counters_fd, table_fd, prog_fd;
	__u32 slots;			      /* end of the used slots at the last read */
	const struct sluice_steer_set *table; /* the first sets of the flow table, mapped */
	__u32 mapped;			      /* number of mapped sets */
	bool seen;
	bool read;
	/* results of the last read */
	__u64 counters[STEER_COUNTERS];
	__u64 workers[POLL_STATES]; /* number of workers by enum sluice_steer_state */
	__u64 live;		    /* flows, estimated from a part of the table */
	__u64 run_ns, runs;
};

struct steer_poll {
	struct poll_group *group;
	size_t count, room;
	__u64 *values;		    /* a map value, for each CPU */
	struct steer_usage usage;   /* usage of the group being read */
	struct steer_group scratch; /* the group being read */
	__u32 slots;		    /* number of scratch.slots in use; the rest are 0 */
	struct sluice_steer_meta meta;
	__u32 now; /* ticks_clock() */
};

/* Returns a poll without open groups, or NULL on ENOMEM. */
struct steer_poll *steer_poll_new(void);
void steer_poll_free(struct steer_poll *poll);
/*
 * Opens new groups, and closes groups that are gone. Reads the new groups once: the first read of a
 * group takes ten times as long as later reads, since it reads all slots and maps the flow table.
 * Returns as steer_poll_read().
 */
int steer_poll_follow(struct steer_poll *poll, const char *bpffs);
/*
 * Does the same, and reads all groups. Skips a group that is released during the read. Returns 0,
 * or -errno with all groups closed; -ENOENT if steering is not loaded.
 */
int steer_poll_read(struct steer_poll *poll, const char *bpffs);
/*
 * Closes all groups, so that the kernel can free maps that another process unloads. @poll may be
 * NULL.
 */
void steer_poll_clear(struct steer_poll *poll);
/*
 * Sets *datagrams to the number of datagrams seen by all groups, including ended groups; 0 if
 * steering is not loaded. Keeps no map open.
 */
void steer_poll_datagrams(const char *bpffs, __u64 *datagrams);

#endif
