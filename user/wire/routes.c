// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A route may name its preferred source. For other routes, RTM_GETROUTE returns the source that the
 * kernel selects for an address behind the route: its gateway, or else an address of its prefix.
 * Deriving the source from addresses and scopes would duplicate the kernel's algorithm.
 *
 * Policy rules other than the default ones (by mark, by interface) are ignored.
 */
#include "wire/routes.h"

#include "base/array.h"
#include "base/nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * The dummy device on which kube-proxy in IPVS mode assigns the service addresses. IPVS matches the
 * destination address on LOCAL_IN, so sluice must not rewrite it.
 */
#define SERVICE_DEVICE "kube-ipvs0"

struct reading {
	struct routes routes;
	unsigned int service_ifindex; /* 0: there is no such device */
	__u8 family;
};

static size_t addr_size(__u8 family)
{
	return family == AF_INET ? 4 : 16;
}

/* Stores an IPv4 address v4-mapped. */
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

/* Returns an address of the prefix; for IPv6's default route one other than ::, 2000::. */
static struct sluice_addr addr_inside(const struct routes_entry *entry,
				      const struct sluice_addr *prefix)
{
	struct sluice_addr inside = *prefix;

	if (!entry->key.prefix_len)
		inside.byte[0] = 0x20;
	return inside;
}

static int entry_add(struct routes *routes, const struct routes_entry *entry)
{
	if (array_grow((void **)&routes->entry, &routes->room, routes->count, sizeof(*entry)))
		return -ENOMEM;
	routes->entry[routes->count] = *entry;
	routes->entry[routes->count].order = routes->count;
	routes->count++;
	return 0;
}

/* Rejects source-specific routes, which cover part of the traffic, and tables of policy rules. */
static bool is_for_all(const struct rtmsg *msg)
{
	return !msg->rtm_src_len && !(msg->rtm_flags & RTM_F_CLONED) &&
	       (msg->rtm_table == RT_TABLE_LOCAL || msg->rtm_table == RT_TABLE_MAIN ||
		msg->rtm_table == RT_TABLE_DEFAULT);
}

static int take(const struct nlmsghdr *nlh, void *into)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct reading *reading = into;
	struct routes_entry entry = { .family = reading->family };
	struct sluice_addr prefix, gateway;
	const struct nlattr *attr;
	bool has_gateway = false;
	const __u8 any[16] = { 0 };

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg) || msg->rtm_family != reading->family ||
	    !is_for_all(msg))
		return MNL_CB_OK;
	addr_take(&prefix, entry.family, any);
	mnl_attr_for_each(attr, nlh, sizeof(*msg)) {
		if (mnl_attr_get_type(attr) == RTA_DST)
			attr_addr(&prefix, entry.family, attr);
		else if (mnl_attr_get_type(attr) == RTA_PREFSRC)
			attr_addr(&entry.route.source, entry.family, attr);
		else if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			has_gateway = attr_addr(&gateway, entry.family, attr);
		else if (mnl_attr_get_type(attr) == RTA_OIF && msg->rtm_type == RTN_LOCAL &&
			 reading->service_ifindex)
			entry.service = mnl_attr_get_u32(attr) == reading->service_ifindex;
	}
	entry.key.prefix_len = msg->rtm_dst_len + (entry.family == AF_INET ? ROUTES_IP4_BITS : 0);
	memcpy(entry.key.word_be, &prefix, sizeof(entry.key.word_be));
	entry.route.kind = route_kind(msg);
	/* a link-local gateway would need its device named */
	if (has_gateway && !addr_is_link_local(&gateway))
		entry.ask = gateway;
	else
		entry.ask = addr_inside(&entry, &prefix);
	if (entry_add(&reading->routes, &entry)) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

static void forget(void *into)
{
	((struct reading *)into)->routes.count = 0;
}

static int source_take(const struct nlmsghdr *nlh, void *into)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct routes_entry *entry = into;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(*msg))
		if (mnl_attr_get_type(attr) == RTA_PREFSRC)
			attr_addr(&entry->route.source, entry->family, attr);
	return MNL_CB_OK;
}

static bool has_source(const struct sluice_route *route)
{
	return route->source.half[0] || route->source.half[1];
}

/* The host's local and broadcast addresses, sorted. */
struct here {
	struct sluice_addr *addr;
	size_t count;
};

static int addr_compare(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct sluice_addr));
}

static int here_make(struct here *here, const struct routes *routes)
{
	size_t i;

	here->addr = calloc(routes->count + 1, sizeof(*here->addr));
	if (!here->addr)
		return -ENOMEM;
	for (i = 0; i < routes->count; i++)
		if (routes->entry[i].route.kind >= SLUICE_ROUTE_LOCAL &&
		    routes->entry[i].key.prefix_len == 128)
			memcpy(&here->addr[here->count++], routes->entry[i].key.word_be,
			       sizeof(*here->addr));
	qsort(here->addr, here->count, sizeof(*here->addr), addr_compare);
	return 0;
}

static bool is_here(const struct here *here, const struct sluice_addr *addr)
{
	return bsearch(addr, here->addr, here->count, sizeof(*addr), addr_compare);
}

/*
 * Advances the address of the query to the first one in the prefix that is not this host's: for a
 * local address the kernel would return that address as the source.
 */
static void ask_others(const struct here *here, struct routes_entry *entry)
{
	const struct sluice_addr first = entry->ask;
	unsigned int tries = 256;

	if (entry->key.prefix_len >= 120)
		tries = 1U << (128 - entry->key.prefix_len);
	while (--tries && is_here(here, &entry->ask))
		entry->ask.byte[15]++;
	if (!tries && is_here(here, &entry->ask))
		entry->ask = first;
}

/* Queries the source; it stays 0 if the kernel has none, as for an unreachable gateway. */
static void source_ask(struct nl *nl, struct routes_entry *entry)
{
	struct nlmsghdr *nlh = nl_request(nl);
	struct rtmsg *msg;

	nlh->nlmsg_type = RTM_GETROUTE;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->rtm_family = entry->family;
	msg->rtm_dst_len = (unsigned char)(addr_size(entry->family) * 8);
	mnl_attr_put(nlh, RTA_DST, addr_size(entry->family),
		     &entry->ask.byte[16 - addr_size(entry->family)]);
	nl_query(nl, nlh, source_take, entry);
}

static bool must_ask(const struct routes_entry *entry)
{
	return entry->route.kind == SLUICE_ROUTE_AWAY && !has_source(&entry->route);
}

/* Sorts the entries that need a query first, by the address of the query. */
static int ask_compare(const void *left, const void *right)
{
	const struct routes_entry *a = left, *b = right;
	int order = must_ask(b) - must_ask(a);

	return order ? order : memcmp(&a->ask, &b->ask, sizeof(a->ask));
}

/* Queries each address once: in a large table, most routes share a few gateways. */
static int sources_ask(struct routes *routes)
{
	struct here here = { 0 };
	struct nl *nl = NULL;
	size_t i;
	int result = here_make(&here, routes);

	if (!result)
		result = nl_open(&nl, NETLINK_ROUTE);
	for (i = 0; !result && i < routes->count; i++)
		if (must_ask(&routes->entry[i]))
			ask_others(&here, &routes->entry[i]);
	free(here.addr);
	if (result)
		return result;
	qsort(routes->entry, routes->count, sizeof(*routes->entry), ask_compare);
	for (i = 0; i < routes->count && must_ask(&routes->entry[i]); i++)
		if (i && !memcmp(&routes->entry[i].ask, &routes->entry[i - 1].ask,
				 sizeof(routes->entry[i].ask)))
			routes->entry[i].route.source = routes->entry[i - 1].route.source;
		else
			source_ask(nl, &routes->entry[i]);
	nl_close(nl);
	return 0;
}

static int read_family(struct routes *routes, __u8 family)
{
	static const struct nl_dump dump = { NETLINK_ROUTE, request, take, forget };
	struct reading part = { .family = family,
				.service_ifindex = if_nametoindex(SERVICE_DEVICE) };
	size_t i;
	int result = nl_dump(&dump, &part);

	/* the kernel has no IPv6, and so no IPv6 routes */
	if (result == -EOPNOTSUPP)
		result = 0;
	for (i = 0; !result && i < part.routes.count; i++)
		result = entry_add(routes, &part.routes.entry[i]);
	routes_free(&part.routes);
	return result;
}

int routes_read(struct routes *routes, struct err *err)
{
	int result;

	*routes = (struct routes){ 0 };
	result = read_family(routes, AF_INET);
	if (!result)
		result = read_family(routes, AF_INET6);
	if (!result)
		result = sources_ask(routes);
	if (!result)
		return 0;
	routes_free(routes);
	return err_set(err, EXIT_ERROR, -result, "routes: %s", strerror(-result));
}

void routes_free(struct routes *routes)
{
	free(routes->entry);
	*routes = (struct routes){ 0 };
}
