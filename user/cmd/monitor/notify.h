/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Change notifications by inotify(7). Every sluice process that changes an object locks the pin
 * directory (kernel/pins_lock.h) and closes it after the change. The close event also covers
 * changes that no pin shows, such as a slot of a group. The daemon sets the times of its status
 * socket when the state of a section changes. The removal of a cgroup detaches its programs; its
 * parent directory notifies the removal.
 *
 * Rejected: fanotify(7), which needs CAP_SYS_ADMIN; locking for each read, which would delay loads;
 * events from the daemon, which does not know the changes made by commands.
 */
#ifndef SLUICE_CMD_MONITOR_NOTIFY_H
#define SLUICE_CMD_MONITOR_NOTIFY_H

#include "cmd/monitor/state.h"

#include <linux/types.h>
#include <stdbool.h>

/*
 * The cgroup of an object. Not all kernels notify a watch on the cgroup itself when it is removed.
 */
struct monitor_cgroup {
	__u64 id; /* 0: none */
	int parent_wd;
	char *name;	 /* name in the parent */
	bool is_removed; /* the kernel detaches its programs later */
};

struct monitor_notify {
	int fd; /* -1: notifications are unavailable */
	const char *dir;
	int parent_wd, dir_wd, socket_wd; /* -1: not watched */
	struct monitor_cgroup cgroup[MONITOR_OBJECTS];
	/* since the start */
	__u64 made[MONITOR_OBJECTS]; /* number of times an object's directory was created */
	/* since the caller cleared them */
	bool changed;  /* the state may have changed */
	bool overflow; /* some notifications were lost */
	bool daemon;   /* the daemon has notified, started or exited */
	bool remade;   /* the last unload removed the pin directory, and a load created it again */
};

/* Returns 0, or -errno; after an error, @notify never reports a change. @dir may be missing. */
int monitor_notify_open(struct monitor_notify *notify, const char *dir);
void monitor_notify_close(struct monitor_notify *notify);
/* Adds watches for the pin directory and the daemon's socket if they were created meanwhile. */
void monitor_notify_follow(struct monitor_notify *notify);
/* Watches the cgroups of the objects in a state. */
void monitor_notify_cgroups(struct monitor_notify *notify, const struct monitor_state *state);
/* Reads the notifications. Returns true if the state may have changed. */
bool monitor_notify_read(struct monitor_notify *notify);

#endif
