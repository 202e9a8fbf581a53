// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/conntrack/options.h"

#include <arpa/inet.h>

struct conntrack_options conntrack_options;

/* Indexed by enum audit_reason. */
static const char *const reasons[] = { "twin",	     "backend-gone",   "socket-gone",
				       "unanswered", "backend-silent", NULL };
_Static_assert(sizeof(reasons) / sizeof(*reasons) == AUDIT_REASONS + 1, "reasons");

#define CT_FIELD(field) offsetof(struct conntrack_options, field)

const struct opt conntrack_entry_opts[] = {
	{ "port", 0, "LIST", opt_ports, CT_FIELD(ports),
	  "select entries with one of these ports at either end", .preset = "any" },
	{ "addr", 0, "ADDR", opt_addr, CT_FIELD(addr),
	  "select entries with this address at either end" },
	{ .name = NULL },
};

const struct opt conntrack_audit_opts[] = {
	{ "reason", 0, "LIST", opt_word_set, CT_FIELD(reasons),
	  "select by reason: twin, backend-gone, socket-gone, unanswered, backend-silent",
	  .words = reasons, .noun = "reason" },
	{ "watch", 0, "SECONDS", opt_u32, CT_FIELD(watch_s),
	  "time between two snapshots; 0: one snapshot", .max = 3600, .preset = "2" },
	{ .name = NULL },
};

const struct opt conntrack_exit_opts[] = {
	{ "exit-code", 0, NULL, opt_switch, CT_FIELD(exit_code),
	  "exit with status 6 if there are findings" },
	{ .name = NULL },
};

const struct opt conntrack_repair_opts[] = {
	{ "dry-run", 'n', NULL, opt_switch, CT_FIELD(dry_run),
	  "print what would be deleted; delete nothing" },
	{ .name = NULL },
};

static bool tuple_has(const struct ct_tuple *tuple, const struct conntrack_options *o)
{
	bool port = ports_contain(&o->ports, ntohs(tuple->src_port_be)) ||
		    ports_contain(&o->ports, ntohs(tuple->dst_port_be));
	bool addr = !o->addr.given || IN6_ARE_ADDR_EQUAL(&tuple->src, &o->addr.addr) ||
		    IN6_ARE_ADDR_EQUAL(&tuple->dst, &o->addr.addr);

	return port && addr;
}

bool conntrack_is_wanted(const struct ct_entry *entry, const struct conntrack_options *o)
{
	return tuple_has(&entry->original, o) || tuple_has(&entry->reply, o);
}
