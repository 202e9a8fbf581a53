/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What audit and repair share: the findings, and how they are shown. */
#ifndef SLUICE_CMD_CONNTRACK_FINDINGS_H
#define SLUICE_CMD_CONNTRACK_FINDINGS_H

#include "base/output.h"
#include "cmd/conntrack/options.h"
#include "conntrack/repair.h"
#include "conntrack/snapshot.h"

#define FINDINGS_HELP                                                                             \
	"reasons:\n"                                                                              \
	"  twin          the pair of unanswered entries that a reply from the wrong address\n"    \
	"                leaves: the request, and the answer as a conversation of its own\n"      \
	"  backend-gone  DNAT binds a client to a backend of this host that has no socket, or\n"  \
	"                to another host that has no route or does not answer its neighbours\n"   \
	"  socket-gone   the socket at the end that is on this host has been closed\n"            \
	"  unanswered    no answer ever came, yet datagrams keep the entry alive; services\n"     \
	"                that answer nobody, such as syslog, look the same\n"                     \
	"\n"                                                                                      \
	"Two readings tell which entries are in use: by their counters where\n"                   \
	"net.netfilter.nf_conntrack_acct is on, else by their timeouts, which takes a datagram\n" \
	"more than a second after the first reading. With --watch 0 'unanswered', and the\n"      \
	"closed sockets of clients on this host, are not looked for.\n"

/* Reads an empty *look, with the findings that the options select. 0, or -errno with *err set. */
int findings_read(struct ct_snapshot *look, const struct conntrack_options *o, struct err *err);
void findings_count(const struct ct_snapshot *look, size_t count[AUDIT_REASONS]);
/* outcome[i] is that of finding i; NULL for an audit. */
void findings_table(const struct output *output, const struct ct_snapshot *look,
		    const enum repair_outcome *outcome, bool dry_run);
/* The document's keys before the findings. */
json_t *findings_document(const struct ct_snapshot *look, const struct conntrack_options *o);
/* Prints the document with the findings as its last key, and drops the reference. */
void findings_json(const struct output *output, json_t *document, const struct ct_snapshot *look,
		   const enum repair_outcome *outcome, bool dry_run);

#endif
