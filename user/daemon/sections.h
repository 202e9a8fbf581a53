/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Brings each plane to what its section of the file says, and keeps the others out of its trouble:
 * a section that the machine refuses now (an interface is no bridge, a program of another owner
 * stands in the way, a capability is missing) is said once and tried again, and what was in force
 * of it stays in force.  What can be told from the file alone was refused when it was read.
 */
#ifndef SLUICE_DAEMON_SECTIONS_H
#define SLUICE_DAEMON_SECTIONS_H

#include "base/context.h"
#include "base/err.h"
#include "daemon/config_file.h"
#include "daemon/netns.h"
#include "daemon/steer.h"

#include <stdbool.h>

/* In the order in which they are loaded. */
enum {
	RUN_STEER,
	RUN_REPLY,
	RUN_WIRE,
	RUN_PLANES
};

/* One of the planes that the file has a section for. */
struct run_plane {
	bool loaded;	/* as some file had it */
	bool pending;	/* not as the last one has it */
	bool detached;	/* which is why it is pending */
	bool unloaded;	/* by somebody else, which has been said */
	char said[768]; /* of its trouble, while that lasts */
	struct err err;
};

struct run_planes {
	const struct context *context;
	struct run_place *place;
	struct run_steer *steer;
	struct run_file *file;	    /* the last that was applied; NULL: none yet */
	struct run_file *wire_file; /* the one that wire mode goes by; NULL: it is not loaded */
	struct run_plane plane[RUN_PLANES];
};

/*
 * Loads or changes in place what the file has, and unloads what it has not, if the daemon was the
 * last to load it: this one or, after a restart, one before it.  What a command has loaded stays.
 * 0; or -errno with *err set if it is the first file and nothing of it could be loaded.
 */
int run_planes_apply(struct run_planes *planes, struct run_file *file, struct err *err);
/*
 * Tries again what is pending, and looks whether somebody else has unloaded a plane, which is said,
 * or detached it, which is mended.  Was anything tried?
 */
bool run_planes_check(struct run_planes *planes);
/* Has the file a section for the plane? */
bool run_plane_wanted(const struct run_config *config, int plane);
/* "wire" */
const char *run_plane_name(int plane);
/* What is loaded stays. */
void run_planes_end(struct run_planes *planes);

#endif
