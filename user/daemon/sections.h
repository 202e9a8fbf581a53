/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applies each section of the file to its object, independently of the others. The host may refuse
 * a section for a while: an interface is not a bridge, another owner's program is attached, a
 * capability is missing. Such a failure is logged once and retried, and the object keeps its
 * previous state. config_read() rejects errors that the file itself shows.
 */
#ifndef SLUICE_DAEMON_SECTIONS_H
#define SLUICE_DAEMON_SECTIONS_H

#include "base/context.h"
#include "base/err.h"
#include "base/log.h"
#include "daemon/config_file.h"
#include "daemon/hold.h"
#include "daemon/netns.h"
#include "daemon/steer.h"

#include <stdbool.h>

struct section {
	bool loaded;  /* from this file or an earlier one */
	bool pending; /* the last file could not be applied: retried */
	bool repairs; /* pending because another process damaged what the daemon loaded */
	bool damaged; /* so is what a command loaded; once it is `logged_damage` */
	bool logged_damage;
	bool unloaded;	/* by another process, and logged */
	uint32_t netns; /* inode number of the namespace that the file names, at the load */
	char *pins;	/* after the load, for pins_lost() */
	struct log_condition failure;
	struct err err;
};

struct sections {
	const struct context *context;
	struct daemon_netns *netns;
	struct steer_section *steer;
	struct hold_section *hold;
	struct config_file *file;      /* the last one applied; NULL: none yet */
	struct config_file *wire_file; /* the one that mode wire runs with; NULL: not loaded */
	struct section section[SECTIONS];
};

/*
 * Loads or updates the objects that the file has a section for.  Unloads the others if a daemon,
 * this one or an earlier one, was the last to load them; objects that a command loaded stay.
 * Returns 0, or -errno with *err set if this is the first file and none of it could be loaded.
 */
int sections_apply(struct sections *sections, struct config_file *file, struct err *err);
/*
 * Retries pending sections.  Loads a section again if another process has detached its programs,
 * removed a pin, or died during a load; if a command was the last to load, it only logs that, since
 * the file would undo the command.  Logs what another process unloaded.  Returns true if a section
 * was retried.
 */
bool sections_check(struct sections *sections);
/* Does a section name a network namespace, other than that of mode wire? */
bool sections_name_netns(const struct sections *sections);
/*
 * Loads a section again if its network namespace has been deleted and made again under its name.
 * Until it is made again, the section stays as it is.
 */
void sections_follow(struct sections *sections);
/* Was the daemon, this one or an earlier one, the last to load the object of a section? */
bool sections_is_own(const struct sections *sections, int i);
/* Drops the references to the files; the objects stay loaded. */
void sections_end(struct sections *sections);

#endif
