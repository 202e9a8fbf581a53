/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The groups of the steering plane that are pinned: a folder each, below that of the plane. */
#ifndef SLUICE_STEER_GROUP_GROUPS_H
#define SLUICE_STEER_GROUP_GROUPS_H

#include "base/err.h"
#include "kernel/state_dir.h"
#include "steer/group/group.h"
#include "steer/group/quota.h"

#include <limits.h>
#include <stdbool.h>

#define STEER_OBJECT   "steer"
#define STEER_PIN_META "sluice_steering"

extern const struct state_dir steer_state_dir;

struct steer_groups_open {
	struct steer_group *group[STEER_GROUPS_MAX];
	bool seen[STEER_GROUPS_MAX]; /* by this sweep, among the sockets */
	int count;
};

/* The plane's folder, in `path`. */
const char *steer_dir(const char *bpffs, char path[PATH_MAX]);
/*
 * Opens all of them, none if there is no plane; with `mend`, removes what a loader has left that
 * died.  0, or -errno with *err set and nothing open.
 */
int steer_groups_read(const char *bpffs, struct steer_groups_open *pinned, bool hint,
		      struct err *err);
void steer_groups_close(struct steer_groups_open *pinned);

/* -ENOENT with *err set if it is not loaded; other ABI versions are refused, never misread. */
int steer_read(const char *bpffs, struct sluice_steer_meta *meta, struct err *err);
/* Opens the groups, one after the other, until fn returns other than 0. */
int steer_groups(const char *bpffs, int (*fn)(struct steer_group *group, void *arg), void *arg,
		 struct err *err);

#endif
