/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notifications of changes, by inotify(7). Every process of sluice that changes something holds the
 * lock on the pin directory meanwhile (kernel/pins_lock.h), so that the directory is closed after
 * each change; this also reports what no pin shows, such as a slot of a group. The daemon sets the
 * times of its status socket when the state of a section changes. The removal of a cgroup, which
 * detaches its programs, is notified by the directory that it was in.
 *
 * Rejected: fanotify(7), which needs CAP_SYS_ADMIN; to take the lock for a read, which would delay
 * loads; events from the daemon, which does not know what commands change.
 */
#ifndef SLUICE_CMD_MONITOR_NOTIFY_H
#define SLUICE_CMD_MONITOR_NOTIFY_H

#include "cmd/monitor/state.h"

#include <linux/types.h>
#include <stdbool.h>

/* The cgroup of an object. Not all kernels notify its removal to a watch of the cgroup itself. */
struct monitor_cgroup {
	__u64 id; /* 0: none */
	int parent_wd;
	char *name;	 /* in the parent */
	bool is_removed; /* the kernel detaches its programs later */
};

struct monitor_notify {
	int fd; /* -1: there are no notifications */
	const char *dir;
	int parent_wd, dir_wd, socket_wd; /* -1: not watched */
	struct monitor_cgroup cgroup[MONITOR_OBJECTS];
	/* since the start */
	__u64 made[MONITOR_OBJECTS]; /* how often an object's directory was made */
	/* since the caller has cleared them */
	bool changed;  /* the state may have changed */
	bool overflow; /* some were lost */
	bool daemon;   /* the daemon has notified, started or ended */
	bool remade;   /* the last unload has removed the pin directory, and a load made it again */
};

/* Returns 0, or -errno and a notify that never reports a change. @dir may be missing. */
int monitor_notify_open(struct monitor_notify *notify, const char *dir);
void monitor_notify_close(struct monitor_notify *notify);
/* Watches what has been made meanwhile: the pin directory, and the daemon's socket. */
void monitor_notify_follow(struct monitor_notify *notify);
/* Watches the cgroups of the objects that a state shows. */
void monitor_notify_cgroups(struct monitor_notify *notify, const struct monitor_state *state);
/* Reads the notifications. Returns true if the state may have changed. */
bool monitor_notify_read(struct monitor_notify *notify);

#endif
