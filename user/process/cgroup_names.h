/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cgroup of a process, and the container that the path of the cgroup names, with a cache for
 * long listings. Container runtimes put the id of a container into the path, so there is no need to
 * query a daemon.
 */
#ifndef SLUICE_PROCESS_CGROUP_NAMES_H
#define SLUICE_PROCESS_CGROUP_NAMES_H

#include "cli/output.h"

#include <stddef.h>
#include <sys/types.h>

#define CGROUP_LABEL_MAX     64
#define CGROUP_CONTAINER_MAX 65 /* 64 hexadecimal digits or a name, and NUL */

/*
 * Formats the short name of a cgroup, safe for a terminal. It is "docker:0123456789ab" for a
 * container, with as many digits as its runtime shows; otherwise the unit ("snmpd.service") or the
 * last directory of the path. Sets @container to the full id or name of the container, or to "".
 * Returns @label.
 */
const char *cgroup_label(const char *path, char label[CGROUP_LABEL_MAX],
			 char container[CGROUP_CONTAINER_MAX]);

struct cgroup_names {
	struct cgroup_name *by_pid; /* a hash table */
};

/* Returns the label of a process's cgroup, or "-" if it is unknown. */
const char *cgroup_names_text(struct cgroup_names *names, pid_t pid);
/*
 * Adds the keys "cgroup" and "container"; unknown values are null. @pid is 0 for an unknown
 * process.
 */
void cgroup_names_json(struct cgroup_names *names, pid_t pid, json_t *object);
void cgroup_names_free(struct cgroup_names *names);

#endif
