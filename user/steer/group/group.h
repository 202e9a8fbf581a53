/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One steered group: its folder of pins below DIR/steer, the program that is attached to it, and
 * its sockets in their slots.
 */
#ifndef SLUICE_STEER_GROUP_GROUP_H
#define SLUICE_STEER_GROUP_GROUP_H

#include "base/err.h"
#include "kernel/sockets.h"

#include <limits.h>
#include <linux/bpf.h>
#include <sluice/counters.h>
#include <sluice/steer.h>
#include <stdbool.h>

struct steer_group {
	char dir[PATH_MAX];  /* DIR/steer */
	char name[NAME_MAX]; /* of its folder */
	struct sluice_steer_group info;
	/* of the program that is pinned: a loader may have died before it was told */
	__u32 pinned_id;
	__u8 pinned_tag[BPF_TAG_SIZE];
	struct sluice_steer_slot slots[SLUICE_STEER_SLOTS];
	int group_fd, sockets_fd, slots_fd, choices_fd, current_fd, cpus_fd, placed_fd, table_fd,
		stats_fd, counters_fd;
	int drainer_fd; /* of the folder, for steer/group/drain_lock.h; -1: not opened yet */
};

/* What the program of a group is loaded with. */
struct steer_setting {
	enum sluice_steer_policy policy;
	__u32 flows;
	__u64 idle_ns;
	__u64 settled_ns; /* CLOCK_MONOTONIC; until then, flows may have been there before us */
};

/*
 * Opens the pinned group of that name.  -EUCLEAN: remains of a loader that died; another ABI
 * version is refused with *err set.
 */
int steer_group_open(const char *dir, const char *name, struct steer_group **group,
		     struct err *err);
void steer_group_close(struct steer_group *group);
/* Reads the slots anew. */
int steer_group_reload(struct steer_group *group);

/*
 * Makes maps and a program for the group that these sockets are in, and pins them.  Nothing is
 * attached yet.
 */
int steer_group_create(const char *dir, const struct steer_setting *setting,
		       const struct sluice_socket_record *of, struct steer_group **group,
		       struct err *err);
/*
 * Makes maps and a program for the next such group ready in this process, since the verifier takes
 * most of the time that a new group waits.  NULL: none is wanted any more.
 */
int steer_group_prepare(const struct steer_setting *setting, struct err *err);
/* Verifies the program for such a group, once in a process, and changes nothing. */
int steer_group_verify(const struct steer_setting *setting, struct err *err);
/* The same for who will create such a group next: its table, which may be large, can be had, too.
 */
int steer_group_verify_first(const struct steer_setting *setting, struct err *err);
/* Is its program that of this build, as far as this process knows?  Loading anew puts that right.
 */
bool steer_group_is_current(const struct steer_group *group);
/* A program with another setting, on the same maps; nothing is attached yet. */
int steer_group_change(struct steer_group *group, const struct steer_setting *setting,
		       struct err *err);

/*
 * Attaches the pinned program to the group that the socket is in, in place of any other.  Its id is
 * known by its pin beforehand, so that at no time a loader's death leaves it without an owner.
 */
int steer_group_attach(struct steer_group *group, int socket_fd, struct err *err);
/* Gives the group back to the kernel's choice. */
int steer_group_detach(int socket_fd);
/* Removes the pins. The program, and with it the maps, live on while it is attached. */
int steer_group_remove(const char *dir, const char *name, struct err *err);

/* The slot of a socket, or -1. */
int steer_group_slot(const struct steer_group *group, __u64 cookie);
/* Gives a socket a slot: its number, -ENOSPC, or -EBUSY if it is in another such array. */
int steer_group_join(struct steer_group *group, int socket_fd, __u64 cookie,
		     const struct sluice_socket_record *record, __u64 instance);
/* Frees a slot; the kernel has taken out a closed socket already. */
int steer_group_leave(struct steer_group *group, int slot);
/*
 * Takes all sockets out of a group that has no program any more: a socket can be in one such map
 * only, and the kernel frees this one some time after it is gone.
 */
void steer_group_forget(const struct steer_group *group);
/* Is the slot's socket open, and in the group? */
bool steer_group_holds(const struct steer_group *group, int slot);
/* Writes group->info. */
int steer_group_write_info(const struct steer_group *group, struct err *err);
/* Writes the slot as it stands in group->slots. */
int steer_group_write(const struct steer_group *group, int slot);
/* From now on no flow is this slot's; those that it has move with their next datagram. */
int steer_group_expel(struct steer_group *group, int slot);
/*
 * Makes the active slots those that new flows go to, in the order given by rank (the kernel's, of
 * each slot).  A choice that is in force already is left alone.
 */
int steer_group_choose(struct steer_group *group, const __u32 rank[SLUICE_STEER_SLOTS]);

/* Policy cpu: gives a slot its reader. */
int steer_group_place(const struct steer_group *group, int slot,
		      const struct sluice_steer_reader *reader);
/* Has the active slots take what arrives on their readers' CPUs; left alone if it is so already. */
int steer_group_place_all(const struct steer_group *group);

/* --- what there is to see */

/* The reader of a slot in use; unknown where the slot has another socket since. */
int steer_group_reader(const struct steer_group *group, int slot,
		       struct sluice_steer_reader *reader);
/* Of all slots; unknown where the slot has another socket since, or none. */
int steer_group_readers(const struct steer_group *group,
			struct sluice_steer_reader readers[SLUICE_STEER_SLOTS]);

struct steer_fill {
	__u32 live;	 /* flows with two datagrams or more, within the idle timeout */
	__u32 half_open; /* with one */
	__u32 expired;
	__u32 size;
	__u32 of_slot[SLUICE_STEER_SLOTS]; /* live and half-open ones */
	__u32 busy[SLUICE_STEER_SLOTS];	   /* of these, heard within busy_ms */
};

int steer_group_fill(const struct steer_group *group, __u32 busy_ms, struct steer_fill *fill);
int steer_group_counters(const struct steer_group *group, struct sluice_steer_counters *sum);
/* Summed over the CPUs, for all slots. */
int steer_group_stats(const struct steer_group *group,
		      struct sluice_steer_stats sum[SLUICE_STEER_SLOTS]);

#endif
