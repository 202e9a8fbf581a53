/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot of this network namespace: its conntrack entries, sockets and routes, and the entries
 * that contradict the sockets and routes. Entries are read before sockets: an entry whose socket is
 * missing has thus lost it, and is not newer than the list of sockets.
 */
#ifndef SLUICE_CONNTRACK_SNAPSHOT_H
#define SLUICE_CONNTRACK_SNAPSHOT_H

#include "conntrack/audit.h"
#include "net/conntrack.h"
#include "net/inet.h"

struct ct_snapshot {
	struct ct_table table;
	struct inet inet;
	struct audit audit;
};

/*
 * Fills an empty *snap. Dumps the conntrack table twice, @watch_ms apart. If @watch_ms is 0, dumps
 * it only once and omits findings that need two dumps. Returns 0, or -errno with *err set and *snap
 * empty.
 */
int snapshot_take(struct ct_snapshot *snap, unsigned int watch_ms, struct err *err);
/*
 * Reads sockets and routes, and classifies the entries that snap->table already has. @earlier is an
 * earlier dump of the neighbours, or NULL. Returns as snapshot_take() does, but keeps the table on
 * failure.
 */
int snapshot_classify(struct ct_snapshot *snap, const struct inet *earlier, struct err *err);
void snapshot_free(struct ct_snapshot *snap);

#endif
