// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/conntrack/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

struct conntrack_options conntrack_options;

static int parse_addr(const struct opt_value *v, struct err *err)
{
	struct conntrack_options *o = v->field;
	struct in_addr ip4;

	o->by_addr = true;
	if (inet_pton(AF_INET6, v->text, &o->addr) == 1)
		return 0;
	if (inet_pton(AF_INET, v->text, &ip4) == 1) {
		o->addr = inet_from_ip4(ip4.s_addr);
		return 0;
	}
	return err_hint(
		err, err_set(err, EXIT_USAGE, EINVAL, "address '%s': not an IP address", v->text),
		"give an address such as 172.17.0.3 or fd00::3");
}

/* In the order of enum audit_reason. */
static const char *const reasons[] = { "twin", "backend-gone", "socket-gone", "unanswered", NULL };
_Static_assert(sizeof(reasons) / sizeof(*reasons) == AUDIT_REASONS + 1, "reasons");

#define CT_FIELD(field) offsetof(struct conntrack_options, field)

const struct opt conntrack_entry_opts[] = {
	{ "port", 0, "LIST", opt_ports, CT_FIELD(ports),
	  "select entries with one of these ports at either end", .preset = "any" },
	{ "addr", 0, "ADDR", parse_addr, 0, "select entries with this address at either end" },
	{ .name = NULL },
};

const struct opt conntrack_audit_opts[] = {
	{ "reason", 0, "LIST", opt_word_set, CT_FIELD(reasons),
	  "select by reason: twin, backend-gone, socket-gone, unanswered", .words = reasons,
	  .noun = "reason" },
	{ "watch", 0, "SECONDS", opt_u32, CT_FIELD(watch_s),
	  "time between two readings; 0: one reading", .max = 3600, .preset = "2" },
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
	bool addr = !o->by_addr || IN6_ARE_ADDR_EQUAL(&tuple->src, &o->addr) ||
		    IN6_ARE_ADDR_EQUAL(&tuple->dst, &o->addr);

	return port && addr;
}

bool conntrack_is_wanted(const struct ct_entry *entry, const struct conntrack_options *o)
{
	return tuple_has(&entry->original, o) || tuple_has(&entry->reply, o);
}
