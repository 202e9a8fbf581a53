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
	SECTION_STEER,
	SECTION_REPLY,
	SECTION_WIRE,
	SECTIONS
};

/* One of the planes that the file has a section for. */
struct section {
	bool loaded;	/* as some file had it */
	bool pending;	/* not as the last one has it */
	bool detached;	/* which is why it is pending */
	bool unloaded;	/* by somebody else, which has been said */
	char said[768]; /* of its trouble, while that lasts */
	struct err err;
};

struct sections {
	const struct context *context;
	struct daemon_netns *place;
	struct run_steer *steer;
	struct config_file *file;      /* the last that was applied; NULL: none yet */
	struct config_file *wire_file; /* the one that wire mode goes by; NULL: it is not loaded */
	struct section plane[SECTIONS];
};

/*
 * Loads or changes in place what the file has, and unloads what it has not, if the daemon was the
 * last to load it: this one or, after a restart, one before it.  What a command has loaded stays.
 * 0; or -errno with *err set if it is the first file and nothing of it could be loaded.
 */
int sections_apply(struct sections *planes, struct config_file *file, struct err *err);
/*
 * Tries again what is pending, and looks whether somebody else has unloaded a plane, which is said,
 * or detached it, which is mended.  Was anything tried?
 */
bool sections_check(struct sections *planes);
/* Has the file a section for the plane? */
bool section_wanted(const struct config *config, int plane);
/* "wire" */
const char *section_name(int plane);
/* What is loaded stays. */
void sections_end(struct sections *planes);

#endif
