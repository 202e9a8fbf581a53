// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fills the tables of kernel/inet.h from the kernel: rtnetlink for addresses, routes, rules and
 * neighbours, sock_diag for sockets.  /proc/net/udp was rejected for the latter: it says neither
 * whether an IPv6 socket takes IPv4, nor which socket a given datagram would reach.
 */
#include "base/addr.h"
#include "base/nl.h"
#include "kernel/inet.h"
#include "kernel/socket_owner.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>

#define V4MAPPED_BITS 96
/* Every namespace begins with the rules 0 (local), 32766 (main) and 32767 (default). */
#define RULE_MAIN 32766

/* A dump on its way into a snapshot: where it began, for the case that it is interrupted. */
struct filling {
	struct inet *inet;
	uint8_t family;
	size_t locals, sockets, neighbours;
};

static void forget(void *into)
{
	struct filling *f = into;

	f->inet->locals = f->locals;
	f->inet->sockets = f->sockets;
	f->inet->neighbours = f->neighbours;
}

static int taken(int result)
{
	if (result)
		errno = -result;
	return result ? MNL_CB_ERROR : MNL_CB_OK;
}

static bool addr_from(struct in6_addr *addr, uint8_t family, const void *bytes)
{
	in_addr_t ip4_be;

	if (family == AF_INET) {
		memcpy(&ip4_be, bytes, sizeof(ip4_be));
		*addr = inet_from_ip4(ip4_be);
	} else if (family == AF_INET6) {
		memcpy(addr, bytes, sizeof(*addr));
	}
	return family == AF_INET || family == AF_INET6;
}

/* The address in an attribute of a message that belongs to `family`. */
static bool addr_attr(struct in6_addr *addr, uint8_t family, const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) >= (family == AF_INET ? 4 : 16) &&
	       addr_from(addr, family, mnl_attr_get_payload(attr));
}

/* --- addresses */

static void addresses_request(struct nlmsghdr *nlh, void *into)
{
	nlh->nlmsg_type = RTM_GETADDR;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
}

/* IFA_ADDRESS is the far end of a point-to-point link; IFA_LOCAL, where given, is ours. */
static int address_take(const struct nlmsghdr *nlh, void *into)
{
	const struct ifaddrmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct inet_local local = { .bits = INET_BITS_MAX };
	struct filling *f = into;
	const struct nlattr *attr;
	bool found = false;

	mnl_attr_for_each(attr, nlh, sizeof(*msg)) {
		unsigned int type = mnl_attr_get_type(attr);

		if (type == IFA_LOCAL || (type == IFA_ADDRESS && !found))
			found = addr_attr(&local.addr, msg->ifa_family, attr);
		if (type == IFA_LOCAL)
			break;
	}
	return found ? taken(inet_add_local(f->inet, &local)) : MNL_CB_OK;
}

/* --- the local table: addresses again, and whole networks ("AnyIP") */

static void locals_request(struct nlmsghdr *nlh, void *into)
{
	struct rtmsg *msg;

	nlh->nlmsg_type = RTM_GETROUTE;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->rtm_family = ((struct filling *)into)->family;
	msg->rtm_table = RT_TABLE_LOCAL;
}

/*
 * Local routes of other tables do not count: transparent proxies have one for everything, that
 * holds for marked packets alone.
 */
static int local_take(const struct nlmsghdr *nlh, void *into)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct inet_local local = { .bits = msg->rtm_dst_len,
				    .broadcast = msg->rtm_type == RTN_BROADCAST };
	struct filling *f = into;
	const struct nlattr *attr;

	if (msg->rtm_table != RT_TABLE_LOCAL ||
	    (msg->rtm_type != RTN_LOCAL && msg->rtm_type != RTN_BROADCAST))
		return MNL_CB_OK;
	if (msg->rtm_family == AF_INET) {
		local.bits += V4MAPPED_BITS;
		local.addr = inet_from_ip4(INADDR_ANY);
	}
	mnl_attr_for_each(attr, nlh, sizeof(*msg))
		if (mnl_attr_get_type(attr) == RTA_DST)
			addr_attr(&local.addr, msg->rtm_family, attr);
	return taken(inet_add_local(f->inet, &local));
}

/* --- rules */

static void rules_request(struct nlmsghdr *nlh, void *into)
{
	struct fib_rule_hdr *msg;

	nlh->nlmsg_type = RTM_GETRULE;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->family = ((struct filling *)into)->family;
}

static int rule_take(const struct nlmsghdr *nlh, void *into)
{
	struct filling *f = into;
	const struct nlattr *attr;
	uint32_t priority = 0;

	mnl_attr_for_each(attr, nlh, sizeof(struct fib_rule_hdr))
		if (mnl_attr_get_type(attr) == FRA_PRIORITY)
			priority = mnl_attr_get_u32(attr);
	if (priority && priority < RULE_MAIN)
		f->inet->ruled = true;
	return MNL_CB_OK;
}

/* --- neighbours */

static void neighbours_request(struct nlmsghdr *nlh, void *into)
{
	nlh->nlmsg_type = RTM_GETNEIGH;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ndmsg));
}

static int neighbour_take(const struct nlmsghdr *nlh, void *into)
{
	const struct ndmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct inet_neighbour neighbour = { .ifindex = (uint32_t)msg->ndm_ifindex,
					    .failed = msg->ndm_state & NUD_FAILED };
	struct filling *f = into;
	const struct nlattr *attr;

	if (!(msg->ndm_state & (NUD_FAILED | NUD_INCOMPLETE)))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*msg))
		if (mnl_attr_get_type(attr) == NDA_DST &&
		    addr_attr(&neighbour.addr, msg->ndm_family, attr))
			return taken(inet_add_neighbour(f->inet, &neighbour));
	return MNL_CB_OK;
}

/* --- sockets */

static void diag_request(struct nlmsghdr *nlh, struct inet_diag_req_v2 *req)
{
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	req->sdiag_protocol = IPPROTO_UDP;
	req->idiag_states = ~0U;
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(*req)), req, sizeof(*req));
}

static void sockets_request(struct nlmsghdr *nlh, void *into)
{
	struct inet_diag_req_v2 req = { .sdiag_family = ((struct filling *)into)->family };

	diag_request(nlh, &req);
}

static int socket_take(const struct nlmsghdr *nlh, void *into)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct inet_socket socket = {
		.local_port_be = msg->id.idiag_sport,
		.peer_port_be = msg->id.idiag_dport,
		.ifindex = msg->id.idiag_if,
		.inode = msg->idiag_inode,
		.cookie = (uint64_t)msg->id.idiag_cookie[1] << 32 | msg->id.idiag_cookie[0],
	};
	struct filling *f = into;
	const struct nlattr *attr;

	if (!addr_from(&socket.local, msg->idiag_family, msg->id.idiag_src))
		return MNL_CB_OK;
	if (socket.peer_port_be)
		addr_from(&socket.peer, msg->idiag_family, msg->id.idiag_dst);
	mnl_attr_for_each(attr, nlh, sizeof(*msg))
		if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY)
			socket.v6only = mnl_attr_get_u8(attr);
	return taken(inet_add_socket(f->inet, &socket));
}

/* --- all of it */

static const struct nl_dump dump_addresses = { NETLINK_ROUTE, addresses_request, address_take,
					       forget };
static const struct nl_dump dump_locals = { NETLINK_ROUTE, locals_request, local_take, forget };
static const struct nl_dump dump_rules = { NETLINK_ROUTE, rules_request, rule_take, NULL };
static const struct nl_dump dump_neighbours = { NETLINK_ROUTE, neighbours_request, neighbour_take,
						forget };
static const struct nl_dump dump_sockets = { NETLINK_SOCK_DIAG, sockets_request, socket_take,
					     forget };

static int fill(struct inet *inet, const struct nl_dump *dump, uint8_t family)
{
	struct filling f = { inet, family, inet->locals, inet->sockets, inet->neighbours };
	int result = nl_dump(dump, &f);

	/* a kernel without IPv6, or without rules */
	if (result == -EOPNOTSUPP || result == -EAFNOSUPPORT)
		return 0;
	return result;
}

static int refused(const char *what, int result, struct err *err)
{
	if (result == -EAGAIN)
		return err_hint(err,
				err_set(err, EXIT_ERROR, EAGAIN,
					"the %s of this host change faster than they can be read",
					what),
				"try again in a moment");
	return err_set(err, EXIT_ERROR, -result, "reading the %s of this host: %s", what,
		       strerror(-result));
}

/* A namespace whose loopback device was never up has no such table yet. */
static int fill_local_table(struct inet *inet, uint8_t family)
{
	int result = fill(inet, &dump_locals, family);

	return result == -ENOENT ? 0 : result;
}

static int read_routing(struct inet *inet, struct err *err)
{
	int result = fill(inet, &dump_addresses, AF_UNSPEC);

	if (!result)
		result = fill_local_table(inet, AF_INET);
	if (!result)
		result = fill_local_table(inet, AF_INET6);
	if (!result)
		result = fill(inet, &dump_rules, AF_INET);
	if (!result)
		result = fill(inet, &dump_rules, AF_INET6);
	return result ? refused("addresses and routes", result, err) : 0;
}

static int read_sockets(struct inet *inet, struct err *err)
{
	int result = fill(inet, &dump_sockets, AF_INET);

	if (!result)
		result = fill(inet, &dump_sockets, AF_INET6);
	if (!result)
		result = socket_owner_find(inet->socket, inet->sockets);
	if (result == -ENOENT || result == -EPROTONOSUPPORT)
		return err_hint(err,
				err_set(err, EXIT_LACKING, -result,
					"the kernel cannot list UDP sockets: it lacks udp_diag "
					"(CONFIG_INET_UDP_DIAG, Linux 3.3)"),
				"try 'modprobe udp_diag'");
	return result ? refused("UDP sockets", result, err) : 0;
}

int inet_read_neighbours(struct inet *inet, struct err *err)
{
	int result = fill(inet, &dump_neighbours, AF_UNSPEC);

	if (result)
		inet_free(inet);
	inet_sort(inet);
	return result ? refused("neighbours", result, err) : 0;
}

int inet_read(struct inet *inet, struct err *err)
{
	int result = read_routing(inet, err);

	if (!result)
		result = inet_read_neighbours(inet, err);
	if (!result)
		result = read_sockets(inet, err);
	if (result)
		inet_free(inet);
	inet_sort(inet);
	return result;
}

/* --- single questions */

struct route {
	uint8_t type;
	uint32_t oif;
	bool forwarded; /* the next hop is another than the address itself, or one of several */
};

static int route_take(const struct nlmsghdr *nlh, void *into)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct route *route = into;
	const struct nlattr *attr;

	route->type = msg->rtm_type;
	mnl_attr_for_each(attr, nlh, sizeof(*msg)) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			route->oif = mnl_attr_get_u32(attr);
			break;
		case RTA_GATEWAY:
		case RTA_VIA:
		case RTA_MULTIPATH:
		case RTA_ENCAP:
			route->forwarded = true;
			break;
		}
	}
	return MNL_CB_OK;
}

static void put_addr(struct nlmsghdr *nlh, uint16_t type, const struct in6_addr *addr)
{
	if (addr_is_ip4(addr))
		mnl_attr_put(nlh, type, 4, &addr->s6_addr[12]);
	else
		mnl_attr_put(nlh, type, 16, addr);
}

static int route_ask(struct nl *nl, const struct in6_addr *addr, struct route *route)
{
	struct nlmsghdr *nlh = nl_request(nl);
	bool ip4 = addr_is_ip4(addr);
	struct rtmsg *msg;

	nlh->nlmsg_type = RTM_GETROUTE;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->rtm_family = ip4 ? AF_INET : AF_INET6;
	msg->rtm_dst_len = ip4 ? 32 : 128;
	put_addr(nlh, RTA_DST, addr);
	return nl_ask(nl, nlh, route_take, route);
}

static bool is_no_way(int result, const struct route *route)
{
	return result == -ENETUNREACH || result == -EHOSTUNREACH || result == -EACCES ||
	       (!result && (route->type == RTN_UNREACHABLE || route->type == RTN_PROHIBIT ||
			    route->type == RTN_BLACKHOLE));
}

/*
 * Where rules choose among tables by mark or interface, our question may be answered by another
 * table than the packets are, so that "no route" proves nothing.
 */
static enum inet_reach reach_ask(struct nl *nl, const struct inet *inet,
				 const struct in6_addr *addr)
{
	struct route route = { .type = RTN_UNSPEC };
	int result = route_ask(nl, addr, &route);

	if (is_no_way(result, &route))
		return inet->ruled ? INET_REACH_OPEN : INET_REACH_NO_ROUTE;
	if (!result && route.type == RTN_UNICAST && !route.forwarded &&
	    inet_has_neighbour(inet, addr, route.oif))
		return INET_REACH_NO_NEIGHBOUR;
	return INET_REACH_OPEN;
}

static int addr_order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct in6_addr));
}

static int ask_each(struct nl *nl, struct inet *inet, const struct in6_addr *sorted, size_t count)
{
	int result = 0;
	size_t i;

	for (i = 0; i < count && !result; i++) {
		struct inet_host host = { .addr = sorted[i] };

		if (i && !addr_order(&sorted[i], &sorted[i - 1]))
			continue;
		host.reach = reach_ask(nl, inet, &sorted[i]);
		result = inet_add_host(inet, &host);
	}
	return result;
}

int inet_query_hosts(struct inet *inet, const struct in6_addr *addr, size_t count, struct err *err)
{
	struct in6_addr *sorted;
	struct nl *nl = NULL;
	int result = -ENOMEM;

	if (!count)
		return 0;
	sorted = reallocarray(NULL, count, sizeof(*sorted));
	if (!sorted)
		goto out;
	memcpy(sorted, addr, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), addr_order);
	result = nl_open(&nl, NETLINK_ROUTE);
	if (!result)
		result = ask_each(nl, inet, sorted, count);
	inet_sort(inet);
out:
	nl_close(nl);
	free(sorted);
	return result ? refused("routes", result, err) : 0;
}

static int count_take(const struct nlmsghdr *nlh, void *into)
{
	++*(int *)into;
	return MNL_CB_OK;
}

static void diag_addr(__be32 *to, const struct in6_addr *addr)
{
	if (addr_is_ip4(addr))
		memcpy(to, &addr->s6_addr[12], 4);
	else
		memcpy(to, addr, 16);
}

/* udp_dump_one() takes "src" and "dst" as they stand in the datagram. */
int inet_query_socket(struct nl *diag, const struct in6_addr *local, in_port_t local_port_be,
		      const struct in6_addr *peer, in_port_t peer_port_be)
{
	struct inet_diag_req_v2 req = {
		.sdiag_family = addr_is_ip4(local) ? AF_INET : AF_INET6,
		.id = { .idiag_sport = peer_port_be,
			.idiag_dport = local_port_be,
			.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
	};
	struct nlmsghdr *nlh = nl_request(diag);
	int found = 0, result;

	diag_addr(req.id.idiag_src, peer);
	diag_addr(req.id.idiag_dst, local);
	diag_request(nlh, &req);
	result = nl_ask(diag, nlh, count_take, &found);
	if (result && result != -ENOENT)
		return result;
	return found > 0;
}
