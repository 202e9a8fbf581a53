/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A look at this network namespace: its conntrack entries, its sockets and routes, and which of the
 * former contradict the latter.  Entries are read before sockets, so that an entry whose socket is
 * not found had one, and one that is merely younger than the reading is not taken for an orphan.
 */
#ifndef SLUICE_CONNTRACK_SNAPSHOT_H
#define SLUICE_CONNTRACK_SNAPSHOT_H

#include "conntrack/audit.h"
#include "conntrack/table.h"
#include "kernel/inet.h"

struct ct_snapshot {
	struct ct_table table;
	struct inet inet;
	struct audit audit;
};

/*
 * Fills an empty *look, with two readings `watch_ms` apart, or with one if that is 0: then nothing
 * is told that takes two.  0, or -errno with *err set and *look empty.
 */
int snapshot_take(struct ct_snapshot *look, unsigned int watch_ms, struct err *err);
/*
 * Judges look->table, which is filled, anew: reads the rest of *look, which is empty.  `earlier`,
 * or NULL, is what was read before of neighbours.  The same result, the table stays.
 */
int snapshot_classify(struct ct_snapshot *look, const struct inet *earlier, struct err *err);
void snapshot_free(struct ct_snapshot *look);

#endif
