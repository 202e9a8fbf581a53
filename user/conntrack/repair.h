/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deletes the entries that a look has found wrong, if they still are. */
#ifndef SLUICE_CONNTRACK_REPAIR_H
#define SLUICE_CONNTRACK_REPAIR_H

#include "conntrack/snapshot.h"

enum repair_outcome {
	REPAIR_SKIPPED,	 /* not reached, after an error */
	REPAIR_DELETED,	 /* or would be, were it not for dry_run */
	REPAIR_VANISHED, /* it had gone by itself */
	REPAIR_CHANGED,	 /* kept: it is another entry now, or the reason no longer holds */
	REPAIR_FAILED,	 /* the kernel refused */
	REPAIR_OUTCOMES,
};

/* "deleted", …; "would delete" in a dry run. */
const char *repair_outcome_name(enum repair_outcome outcome, bool dry_run);
/*
 * For each finding of the look: reads the entry again, judges it again by sockets and routes that
 * are read again, and deletes it by its original tuple, zone and id if the finding still holds.
 * outcome[i] becomes that of finding i.  0, or -errno with *err set to the first failure; the
 * others have been tried nevertheless, unless reading failed.
 */
int repair_run(const struct ct_snapshot *look, bool dry_run, enum repair_outcome *outcome,
	       struct err *err);

#endif
