// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A route may name its source; that of another is asked from the kernel, by RTM_GETROUTE for an
 * address that the route leads to: its gateway, else one of its prefix.  Working it out from
 * addresses and scopes would be the kernel's own algorithm over again.
 *
 * Rules beside those that every host has (by mark, by interface) are not followed.
 */
#include "routes.h"

#include "array.h"
#include "nl.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <sluice/wire.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define V4MAPPED_BITS 96

struct entry {
	struct sluice_route_key key;
	struct sluice_route route;
	struct sluice_addr ask; /* for its source; of the same family */
	size_t order;
	__u8 family;
};

struct reading {
	struct entry *entry;
	size_t count, room;
	__u8 family;
};

static size_t addr_size(__u8 family)
{
	return family == AF_INET ? 4 : 16;
}

/* IPv4 v4-mapped. */
static void addr_take(struct sluice_addr *addr, __u8 family, const void *bytes)
{
	memset(addr, 0, sizeof(*addr));
	if (family == AF_INET)
		addr->word_be[2] = htonl(0xffff);
	memcpy(&addr->byte[16 - addr_size(family)], bytes, addr_size(family));
}

static bool attr_addr(struct sluice_addr *addr, __u8 family, const struct nlattr *attr)
{
	if (mnl_attr_get_payload_len(attr) < addr_size(family))
		return false;
	addr_take(addr, family, mnl_attr_get_payload(attr));
	return true;
}

static enum sluice_route_kind route_kind(const struct rtmsg *msg)
{
	switch (msg->rtm_type) {
	case RTN_UNICAST:
		return SLUICE_ROUTE_AWAY;
	case RTN_LOCAL:
		return SLUICE_ROUTE_LOCAL;
	case RTN_BROADCAST:
	case RTN_ANYCAST:
	case RTN_MULTICAST:
		return SLUICE_ROUTE_BROADCAST;
	default:
		return SLUICE_ROUTE_NONE;
	}
}

static void request(struct nlmsghdr *nlh, void *into)
{
	struct rtmsg *msg;

	nlh->nlmsg_type = RTM_GETROUTE;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->rtm_family = ((struct reading *)into)->family;
}

static bool addr_is_link_local(const struct sluice_addr *addr)
{
	return addr->byte[0] == 0xfe && (addr->byte[1] & 0xc0) == 0x80;
}

/* An address of the prefix; of IPv6's default route one that is not loopback. */
static struct sluice_addr addr_inside(const struct entry *entry, const struct sluice_addr *prefix)
{
	struct sluice_addr inside = *prefix;

	if (!entry->key.prefix_len)
		inside.byte[0] = 0x20;
	return inside;
}

static int take(const struct nlmsghdr *nlh, void *into)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct reading *reading = into;
	struct entry entry = { .family = msg->rtm_family };
	struct sluice_addr prefix, gateway;
	const struct nlattr *attr;
	bool has_gateway = false;
	const __u8 any[16] = { 0 };

	/* source-specific routes hold for part of the traffic only, and other tables are for rules
	 */
	if (msg->rtm_src_len || (msg->rtm_flags & RTM_F_CLONED) ||
	    (msg->rtm_table != RT_TABLE_LOCAL && msg->rtm_table != RT_TABLE_MAIN &&
	     msg->rtm_table != RT_TABLE_DEFAULT))
		return MNL_CB_OK;
	addr_take(&prefix, entry.family, any);
	mnl_attr_for_each(attr, nlh, sizeof(*msg))
	{
		if (mnl_attr_get_type(attr) == RTA_DST)
			attr_addr(&prefix, entry.family, attr);
		else if (mnl_attr_get_type(attr) == RTA_PREFSRC)
			attr_addr(&entry.route.source, entry.family, attr);
		else if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			has_gateway = attr_addr(&gateway, entry.family, attr);
	}
	entry.key.prefix_len = msg->rtm_dst_len + (entry.family == AF_INET ? V4MAPPED_BITS : 0);
	memcpy(entry.key.word_be, &prefix, sizeof(entry.key.word_be));
	entry.route.kind = route_kind(msg);
	/* a link-local gateway would need its device named */
	if (has_gateway && !addr_is_link_local(&gateway))
		entry.ask = gateway;
	else
		entry.ask = addr_inside(&entry, &prefix);
	if (array_grow((void **)&reading->entry, &reading->room, reading->count, sizeof(entry))) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	reading->entry[reading->count++] = entry;
	return MNL_CB_OK;
}

static void forget(void *into)
{
	((struct reading *)into)->count = 0;
}

static int source_take(const struct nlmsghdr *nlh, void *into)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct entry *entry = into;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(*msg)) if (mnl_attr_get_type(attr) == RTA_PREFSRC)
		attr_addr(&entry->route.source, entry->family, attr);
	return MNL_CB_OK;
}

static bool has_source(const struct sluice_route *route)
{
	return route->source.half[0] || route->source.half[1];
}

/* Is it an address of this host, or of a whole network of it? */
static bool is_here(const struct reading *reading, const struct sluice_addr *addr)
{
	size_t i;

	for (i = 0; i < reading->count; i++)
		if (reading->entry[i].route.kind >= SLUICE_ROUTE_LOCAL &&
		    reading->entry[i].key.prefix_len == 128 &&
		    !memcmp(reading->entry[i].key.word_be, addr, sizeof(*addr)))
			return true;
	return false;
}

/* From the address to ask about on, the first that is another host's, as the prefix allows. */
static void ask_others(const struct reading *reading, struct entry *entry)
{
	const struct sluice_addr first = entry->ask;
	unsigned int tries = 1;

	if (entry->key.prefix_len >= 120)
		tries = 1U << (128 - entry->key.prefix_len);
	else
		tries = 256;
	while (--tries && is_here(reading, &entry->ask))
		entry->ask.byte[15]++;
	if (!tries && is_here(reading, &entry->ask))
		entry->ask = first;
}

/* Leaves it at 0 where the kernel has no answer: a gateway may be link-local, or unreachable. */
static void source_ask(struct nl *nl, struct entry *entry)
{
	struct nlmsghdr *nlh = nl_request(nl);
	struct rtmsg *msg;

	nlh->nlmsg_type = RTM_GETROUTE;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->rtm_family = entry->family;
	msg->rtm_dst_len = (unsigned char)(addr_size(entry->family) * 8);
	mnl_attr_put(nlh, RTA_DST, addr_size(entry->family),
		     &entry->ask.byte[16 - addr_size(entry->family)]);
	nl_ask(nl, nlh, source_take, entry);
}

/* Prefixes that both families share would let IPv4 fall through to IPv6's default route. */
static int barrier_add(struct reading *reading)
{
	struct entry entry = { .family = AF_INET, .key = { .prefix_len = V4MAPPED_BITS } };

	entry.key.word_be[2] = htonl(0xffff);
	if (array_grow((void **)&reading->entry, &reading->room, reading->count, sizeof(entry)))
		return -ENOMEM;
	reading->entry[reading->count++] = entry;
	return 0;
}

static int read_family(struct reading *reading, __u8 family)
{
	static const struct nl_dump dump = { NETLINK_ROUTE, request, take, forget };
	struct reading part = { .family = family };
	size_t i;
	int result = nl_dump(&dump, &part);

	/* a kernel without IPv6 has no routes of it */
	if (result == -EOPNOTSUPP)
		result = 0;
	for (i = 0; !result && i < part.count; i++) {
		result = array_grow((void **)&reading->entry, &reading->room, reading->count,
				    sizeof(*part.entry));
		if (!result)
			reading->entry[reading->count++] = part.entry[i];
	}
	free(part.entry);
	return result;
}

static int sources_ask(struct reading *reading)
{
	struct nl *nl;
	size_t i;
	int result = nl_open(&nl, NETLINK_ROUTE);

	if (result)
		return result;
	for (i = 0; i < reading->count; i++) {
		struct entry *entry = &reading->entry[i];

		if (entry->route.kind != SLUICE_ROUTE_AWAY || has_source(&entry->route))
			continue;
		ask_others(reading, entry);
		source_ask(nl, entry);
	}
	nl_close(nl);
	return 0;
}

/* The number after the newest reading that the map has. */
static __u32 next_generation(int map_fd)
{
	struct sluice_route_key key, *last = NULL;
	struct sluice_route route;
	__u32 newest = 0;

	while (!bpf_map_get_next_key(map_fd, last, &key)) {
		if (!bpf_map_lookup_elem(map_fd, &key, &route) && route.generation > newest)
			newest = route.generation;
		last = &key;
	}
	return newest + 1;
}

/*
 * Of several routes to one prefix, what is local goes first, then what has a source, then the order
 * of the kernel, which is that of the metrics.
 */
static int entry_compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = memcmp(&a->key, &b->key, sizeof(a->key));

	if (!order)
		order = (int)b->route.kind - (int)a->route.kind;
	if (!order)
		order = has_source(&b->route) - has_source(&a->route);
	if (!order)
		order = a->order < b->order ? -1 : a->order > b->order;
	return order;
}

static int entries_write(int map_fd, struct reading *reading, __u32 generation)
{
	int result = 0;
	size_t i;

	for (i = 0; i < reading->count; i++)
		reading->entry[i].order = i;
	qsort(reading->entry, reading->count, sizeof(*reading->entry), entry_compare);
	for (i = 0; !result && i < reading->count; i++) {
		struct entry *entry = &reading->entry[i];

		if (i && !memcmp(&entry->key, &entry[-1].key, sizeof(entry->key)))
			continue;
		entry->route.generation = generation;
		if (bpf_map_update_elem(map_fd, &entry->key, &entry->route, BPF_ANY))
			result = -errno;
	}
	return result;
}

static void sweep(int map_fd, __u32 generation)
{
	struct sluice_route_key key, old, *last = NULL;
	struct sluice_route route;
	bool have_old = false;

	while (!bpf_map_get_next_key(map_fd, last, &key)) {
		if (have_old)
			bpf_map_delete_elem(map_fd, &old);
		have_old = !bpf_map_lookup_elem(map_fd, &key, &route) &&
			   route.generation != generation;
		old = key;
		last = &key;
	}
	if (have_old)
		bpf_map_delete_elem(map_fd, &old);
}

int routes_fill(int map_fd, struct err *err)
{
	struct reading reading = { 0 };
	int result = barrier_add(&reading);
	__u32 generation = next_generation(map_fd);

	if (!result)
		result = read_family(&reading, AF_INET);
	if (!result)
		result = read_family(&reading, AF_INET6);
	if (!result)
		result = sources_ask(&reading);
	if (!result)
		result = entries_write(map_fd, &reading, generation);
	if (!result)
		sweep(map_fd, generation);
	free(reading.entry);
	if (result == -ENOSPC)
		return err_set(err, EXIT_ERROR, ENOSPC,
			       "routes: this host has more than the table holds");
	if (result)
		return err_set(err, EXIT_ERROR, -result, "routes: %s", strerror(-result));
	return 0;
}
