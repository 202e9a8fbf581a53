// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/conntrack/options.h"

#include "base/suggest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_DEFAULT_S 2
#define WATCH_MAX_S	3600

struct conntrack_options conntrack_options = { .ports.any = true, .watch_s = WATCH_DEFAULT_S };

static int set_port(void *into, const char *value, struct err *err)
{
	return ports_parse(value, &((struct conntrack_options *)into)->ports, err);
}

static int set_addr(void *into, const char *value, struct err *err)
{
	struct conntrack_options *o = into;
	struct in_addr ip4;

	o->by_addr = true;
	if (inet_pton(AF_INET6, value, &o->addr) == 1)
		return 0;
	if (inet_pton(AF_INET, value, &ip4) == 1) {
		o->addr = inet_from_ip4(ip4.s_addr);
		return 0;
	}
	return err_mend(err,
			err_set(err, EXIT_USAGE, EINVAL, "address '%s': not an IP address", value),
			"give one such as 172.17.0.3 or fd00::3");
}

static int unknown_reason(const char *item, struct err *err)
{
	const char *names[AUDIT_REASONS], *nearest;
	enum audit_reason i;

	for (i = 0; i < AUDIT_REASONS; i++)
		names[i] = audit_reason_name(i);
	nearest = word_nearest(item, names, AUDIT_REASONS);
	err_set(err, EXIT_USAGE, EINVAL, "unknown reason '%s'", item);
	if (nearest)
		return err_mend(err, -EINVAL, "did you mean '%s'?", nearest);
	return err_mend(err, -EINVAL, "give some of: twin,backend-gone,socket-gone,unanswered");
}

static int set_reason(void *into, const char *value, struct err *err)
{
	struct conntrack_options *o = into;
	char *copy = strdup(value), *rest = copy;
	const char *item;
	int result = 0;

	if (!copy)
		return err_set(err, EXIT_ERROR, ENOMEM, "reasons: out of memory");
	o->by_reason = true;
	while (!result && (item = strsep(&rest, ","))) {
		enum audit_reason i = 0;

		while (i < AUDIT_REASONS && strcmp(item, audit_reason_name(i)))
			i++;
		if (i == AUDIT_REASONS)
			result = unknown_reason(item, err);
		else
			o->reason[i] = true;
	}
	free(copy);
	return result;
}

static int set_watch(void *into, const char *value, struct err *err)
{
	uint64_t seconds;
	int result = opt_number("--watch", value, 0, WATCH_MAX_S, &seconds, err);

	if (!result)
		((struct conntrack_options *)into)->watch_s = (unsigned int)seconds;
	return result;
}

static int set_dry_run(void *into, const char *value, struct err *err)
{
	((struct conntrack_options *)into)->dry_run = true;
	return 0;
}

#define OPT_PORT                                                                             \
	{                                                                                    \
		"port", 0, "LIST", "entries with one of these ports at either end", set_port \
	}
#define OPT_ADDR                                                                       \
	{                                                                              \
		"addr", 0, "ADDR", "entries with this address at either end", set_addr \
	}
#define OPT_REASON                                                        \
	{                                                                 \
		"reason", 0, "LIST", "only for these reasons", set_reason \
	}
#define OPT_WATCH                                                                               \
	{                                                                                       \
		"watch", 0, "SECONDS", "time between two readings (default 2; 0: one reading)", \
			set_watch                                                               \
	}
#define OPT_END                           \
	{                                 \
		NULL, 0, NULL, NULL, NULL \
	}

const struct opt conntrack_entry_opts[] = { OPT_PORT, OPT_ADDR, OPT_END };
const struct opt conntrack_audit_opts[] = { OPT_REASON, OPT_PORT, OPT_ADDR, OPT_WATCH, OPT_END };
const struct opt conntrack_repair_opts[] = {
	OPT_REASON,
	OPT_PORT,
	OPT_ADDR,
	OPT_WATCH,
	{ "dry-run", 0, NULL, "print what would be deleted, and delete nothing", set_dry_run },
	OPT_END,
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
