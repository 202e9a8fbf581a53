/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deletes the conntrack entries for which a snapshot has a finding, after checking them again. */
#ifndef SLUICE_CONNTRACK_REPAIR_H
#define SLUICE_CONNTRACK_REPAIR_H

#include "conntrack/snapshot.h"

enum repair_outcome {
	REPAIR_SKIPPED,	 /* not reached: an error has ended the run */
	REPAIR_DELETED,	 /* or, in a dry run, would be deleted */
	REPAIR_VANISHED, /* the entry no longer existed */
	REPAIR_CHANGED,	 /* kept: replaced by another entry, or the finding is no longer true */
	REPAIR_FAILED,	 /* the kernel refused to delete the entry */
	REPAIR_OUTCOMES,
};

/* Returns the name of an outcome, such as "deleted", or "would delete" in a dry run. */
const char *repair_outcome_name(enum repair_outcome outcome, bool dry_run);
/*
 * Reads each entry with a finding again, and classifies it with current sockets and routes. Deletes
 * it by original tuple, zone and id if the finding is still true. Sets outcome[i] for finding i.
 * Returns 0, or -errno with *err set to the first failure. A failed read ends the run; a refused
 * deletion does not.
 */
int repair_run(const struct ct_snapshot *snap, bool dry_run, enum repair_outcome *outcome,
	       struct err *err);

#endif
