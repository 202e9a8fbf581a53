/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applies each section of the file to its object, independently of the other sections. A load may
 * fail for a while: an interface is not a bridge, another owner's program is attached, a capability
 * is missing. The failure is logged once, the load is retried, and the object keeps its previous
 * state. config_read() rejects errors in the file itself.
 */
#ifndef SLUICE_DAEMON_SECTIONS_H
#define SLUICE_DAEMON_SECTIONS_H

#include "base/err.h"
#include "base/log.h"
#include "cli/context.h"
#include "daemon/config_file.h"
#include "daemon/hold.h"
#include "daemon/netns.h"
#include "daemon/steer.h"

#include <stdbool.h>

struct section {
	bool loaded;  /* loaded from this or an earlier file */
	bool pending; /* apply the section again at the next check */
	bool waits;   /* pending for a reason that ends by itself */
	bool repairs; /* pending because another process damaged the daemon's object */
	bool damaged; /* the last check found damage to an object that a command loaded */
	bool logged_damage;
	bool unloaded;	/* another process has unloaded the object; logged */
	uint32_t netns; /* inode number of the section's namespace at the load */
	char *pins;	/* pins after the load, for pins_lost() */
	struct log_condition failure;
	struct err err;
};

struct sections {
	const struct context *context;
	struct daemon_netns *netns;
	struct steer_section *steer;
	struct hold_section *hold;
	struct config_file *file;      /* the last applied file; NULL: none yet */
	struct config_file *wire_file; /* the file that mode wire uses; NULL: not loaded */
	struct section section[SECTIONS];
};

/*
 * Loads or updates the objects that have a section in the file. Unloads the other objects if a
 * daemon (this or an earlier daemon) loaded them last; objects loaded by a command stay. Returns 0,
 * or -errno with *err set if this is the first file, and no section was loaded or waits.
 */
int sections_apply(struct sections *sections, struct config_file *file, struct err *err);
/*
 * Retries pending sections. Loads a section again if another process has detached its programs,
 * removed a pin, or died during a load. If a command was the last to load the object, only logs the
 * damage, since a load would undo the command. Logs unloads by other processes. Returns true if a
 * section was retried.
 */
bool sections_check(struct sections *sections);
/* Returns true if a section other than [wire] names a network namespace. */
bool sections_name_netns(const struct sections *sections);
/*
 * Loads a section again if its network namespace was deleted and created again under the same name.
 * Until the name exists again, the section stays unchanged.
 */
void sections_follow(struct sections *sections);
/* Drops the references to the files; the objects stay loaded. */
void sections_end(struct sections *sections);

/* --- daemon/damage.c */

/* Returns true if the section's object is loaded, and a command was the last to load it. */
bool sections_is_replaced(const struct sections *sections, int i);
/*
 * Marks a section as pending if another process has damaged an object that the daemon loaded.
 * Damage to an object that a command loaded is only logged.
 */
void sections_check_damage(struct sections *sections, int i);
/* Logs once that another process has unloaded an object. The object stays unloaded. */
void sections_check_unloaded(struct sections *sections, int i);

#endif
