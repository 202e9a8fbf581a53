/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The findings of audit and repair, and their text and JSON. */
#ifndef SLUICE_CMD_CONNTRACK_FINDINGS_H
#define SLUICE_CMD_CONNTRACK_FINDINGS_H

#include "cli/output.h"
#include "cmd/conntrack/options.h"
#include "conntrack/repair.h"
#include "conntrack/snapshot.h"

#define FINDINGS_HELP                                                                            \
	"reasons:\n"                                                                             \
	"  twin          a pair of unanswered entries: a request, and its reply from a wrong\n"  \
	"                address, tracked as a second flow\n"                                    \
	"  backend-gone  DNAT binds a client to a backend of this host that has no socket, or\n" \
	"                to another host without a route, or that does not answer ARP or NDP\n"  \
	"  socket-gone   the local socket of the entry has been closed\n"                        \
	"  unanswered    no reply was seen, but datagrams keep the entry alive; services that\n" \
	"                never reply, such as syslog, look the same\n"                           \
	"  backend-silent  DNAT binds a client to a backend on another host.  The backend\n"     \
	"                has replied before, but not between the two readings, although the\n"   \
	"                client sent.  Needs net.netfilter.nf_conntrack_acct, and a --watch\n"   \
	"                longer than the pauses between the replies of a live backend\n"         \
	"\n"                                                                                     \
	"Two readings show which entries are in use: by their counters if\n"                     \
	"net.netfilter.nf_conntrack_acct is on, otherwise by their timeouts. A timeout shows\n"  \
	"only datagrams more than a second after the first reading. --watch 0 reads once and\n"  \
	"skips the last two reasons and the closed sockets of clients on this host.\n"

/*
 * Fills an empty *snapshot with the findings that the options select. Without --reason, @reasons
 * selects them. Sets *kept to the number of findings not selected. Returns 0, or -errno with *err
 * set.
 */
int findings_read(struct ct_snapshot *snapshot, const struct conntrack_options *o,
		  unsigned int reasons, size_t *kept, struct err *err);
void findings_count(const struct ct_snapshot *snapshot, size_t count[AUDIT_REASONS]);
/* Prints the findings. @outcome has an element for each finding; audit passes NULL. */
void findings_table(const struct output *output, const struct ct_snapshot *snapshot,
		    const enum repair_outcome *outcome, bool dry_run);
/* Returns a document with all keys except "findings". */
json_t *findings_document(const struct ct_snapshot *snapshot, const struct conntrack_options *o);
/* Adds the findings as the last key, prints the document, and drops its reference. */
void findings_json(const struct output *output, json_t *document,
		   const struct ct_snapshot *snapshot, const enum repair_outcome *outcome,
		   bool dry_run);

#endif
