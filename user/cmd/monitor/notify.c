// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/monitor/notify.h"

#include "host/daemon_lock.h"
#include "host/daemon_status.h"
#include "kernel/mounts.h"
#include "kernel/pins.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARENT_CHANGES (IN_CREATE | IN_DELETE | IN_ONLYDIR)
#define DIR_CHANGES    (IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_CLOSE_NOWRITE | IN_ONLYDIR)

int monitor_notify_open(struct monitor_notify *notify, const char *dir)
{
	*notify = (struct monitor_notify){ .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC),
					   .dir = dir,
					   .parent_wd = -1,
					   .dir_wd = -1,
					   .socket_wd = -1 };
	return notify->fd < 0 ? -errno : 0;
}

void monitor_notify_close(struct monitor_notify *notify)
{
	int object;

	if (notify->fd >= 0)
		close(notify->fd);
	notify->fd = -1;
	for (object = 0; object < MONITOR_OBJECTS; object++) {
		free(notify->cgroup[object].name);
		notify->cgroup[object].name = NULL;
	}
}

/* Watches a path. The kernel has one watch per inode, and returns the existing watch. */
static void watch(struct monitor_notify *notify, int *wd, const char *path, uint32_t changes)
{
	int before = *wd;

	*wd = inotify_add_watch(notify->fd, path, changes);
	/* earlier changes are not notified */
	notify->daemon |= *wd != before;
	notify->changed |= *wd != before;
}

void monitor_notify_follow(struct monitor_notify *notify)
{
	struct sockaddr_un address = { .sun_path = "" };
	int dir_before = notify->dir_wd;
	struct stat lock_dir;
	char path[PATH_MAX];

	if (notify->fd < 0)
		return;
	if (snprintf(path, sizeof(path), "%s", notify->dir) < PATH_MAX)
		watch(notify, &notify->parent_wd, dirname(path), PARENT_CHANGES);
	watch(notify, &notify->dir_wd, notify->dir, DIR_CHANGES);
	notify->remade |= dir_before >= 0 && notify->dir_wd >= 0 && notify->dir_wd != dir_before;
	if (!stat(pins_path(notify->dir, DAEMON_LOCK_DIR, NULL, path), &lock_dir))
		daemon_status_address(&lock_dir, &address);
	watch(notify, &notify->socket_wd, address.sun_path, IN_ATTRIB);
}

void monitor_notify_cgroups(struct monitor_notify *notify, const struct monitor_state *state)
{
	char path[PATH_MAX], *name;
	int object;

	for (object = 0; notify->fd >= 0 && object < MONITOR_OBJECTS; object++) {
		struct monitor_cgroup *cgroup = &notify->cgroup[object];
		__u64 id = state->load[object].cgroup_id;

		if (id == cgroup->id)
			continue;
		free(cgroup->name);
		*cgroup = (struct monitor_cgroup){ .id = id, .parent_wd = -1 };
		name = id && !mounts_cgroup2_path(id, path) ? strrchr(path, '/') : NULL;
		if (!name)
			continue;
		*name++ = '\0';
		cgroup->name = strdup(name);
		cgroup->parent_wd = inotify_add_watch(notify->fd, path,
						      IN_DELETE | IN_ONLYDIR | IN_MASK_ADD);
	}
}

/* Returns true if the cgroup of an object was removed. */
static bool note_cgroup(struct monitor_notify *notify, const struct inotify_event *event,
			const char *name)
{
	bool removed = false;
	int object;

	for (object = 0; object < MONITOR_OBJECTS; object++) {
		struct monitor_cgroup *cgroup = &notify->cgroup[object];

		if (!cgroup->name || event->wd != cgroup->parent_wd || strcmp(name, cgroup->name))
			continue;
		cgroup->is_removed = removed = true;
	}
	return removed;
}

/* Returns true if the event may report a change. */
static bool note(struct monitor_notify *notify, const struct inotify_event *event)
{
	const char *name = event->len ? event->name : "";
	int object;

	if (event->mask & IN_Q_OVERFLOW) {
		notify->overflow = true;
		return true;
	}
	if (event->wd == notify->socket_wd) {
		notify->daemon = true;
		return true;
	}
	if (event->wd == notify->parent_wd)
		return true;
	if (event->wd != notify->dir_wd)
		return note_cgroup(notify, event, name);
	/* a directory inside was read, perhaps by this process */
	if (event->mask & IN_CLOSE_NOWRITE && *name)
		return false;
	if (!strcmp(name, DAEMON_LOCK_DIR))
		notify->daemon = true;
	for (object = 0; event->mask & IN_CREATE && object < MONITOR_OBJECTS; object++)
		if (object != MONITOR_DAEMON && !strcmp(name, monitor_object_names[object]))
			notify->made[object]++;
	return true;
}

bool monitor_notify_read(struct monitor_notify *notify)
{
	char buffer[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool changed = false;
	ssize_t length;
	char *at;

	while (notify->fd >= 0 && (length = read(notify->fd, buffer, sizeof(buffer))) > 0)
		for (at = buffer; at < buffer + length;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			changed |= note(notify, event);
			at += sizeof(*event) + event->len;
		}
	notify->changed |= changed;
	return changed;
}
