/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deletes the entries that a snapshot found to be wrong, if they still are. */
#ifndef SLUICE_CONNTRACK_REPAIR_H
#define SLUICE_CONNTRACK_REPAIR_H

#include "conntrack/snapshot.h"

enum repair_outcome {
	REPAIR_SKIPPED,	 /* an error ended the run before it */
	REPAIR_DELETED,	 /* in a dry run: the entry would be deleted */
	REPAIR_VANISHED, /* the entry was already gone */
	REPAIR_CHANGED,	 /* kept: replaced by another entry, or no longer wrong */
	REPAIR_FAILED,	 /* the kernel refused */
	REPAIR_OUTCOMES,
};

/* Returns "deleted" and so on; "would delete" in a dry run. */
const char *repair_outcome_name(enum repair_outcome outcome, bool dry_run);
/*
 * Reads each entry with a finding again, classifies it with fresh sockets and routes, and deletes
 * it by original tuple, zone and id if the finding still holds. Sets outcome[i] for finding i.
 * Returns 0, or -errno with *err set to the first failure. A failed read ends the run; a refused
 * deletion does not.
 */
int repair_run(const struct ct_snapshot *snap, bool dry_run, enum repair_outcome *outcome,
	       struct err *err);

#endif
