// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fills the tables of net/inet.h from the kernel: rtnetlink for addresses, routes, rules and
 * neighbours, sock_diag for sockets. /proc/net/udp was rejected: it does not show IPV6_V6ONLY, and
 * cannot look up the socket for a given datagram.
 */
#include "base/addr.h"
#include "net/inet.h"
#include "net/nl.h"
#include "net/socket_owner.h"

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

/* A dump, and the table sizes before it, which reset_dump() restores after an interrupted dump. */
struct dump {
	struct inet *inet;
	uint16_t type;
	const void *header;
	size_t header_size;
	size_t locals, sockets, neighbours;
};

static void request_dump(struct nlmsghdr *nlh, void *into)
{
	const struct dump *dump = into;

	nlh->nlmsg_type = dump->type;
	memcpy(mnl_nlmsg_put_extra_header(nlh, dump->header_size), dump->header, dump->header_size);
}

static void reset_dump(void *into)
{
	const struct dump *dump = into;

	dump->inet->locals = dump->locals;
	dump->inet->sockets = dump->sockets;
	dump->inet->neighbours = dump->neighbours;
}

static int added(int result)
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

static bool addr_attr(struct in6_addr *addr, uint8_t family, const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) >= (family == AF_INET ? 4 : 16) &&
	       addr_from(addr, family, mnl_attr_get_payload(attr));
}

/* If IFA_LOCAL is present, IFA_ADDRESS is the peer of a point-to-point link. */
static int parse_address(const struct nlmsghdr *nlh, void *into)
{
	const struct ifaddrmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct inet_local local = { .bits = INET_BITS_MAX };
	struct dump *dump = into;
	const struct nlattr *attr;
	bool found = false;

	mnl_attr_for_each(attr, nlh, sizeof(*msg)) {
		unsigned int type = mnl_attr_get_type(attr);

		if (type == IFA_LOCAL || (type == IFA_ADDRESS && !found))
			found = addr_attr(&local.addr, msg->ifa_family, attr);
		if (type == IFA_LOCAL)
			break;
	}
	return found ? added(inet_add_local(dump->inet, &local)) : MNL_CB_OK;
}

/*
 * The local table repeats the addresses, and also has local networks ("AnyIP"). Local routes of
 * other tables are ignored: transparent proxies use such a route for all addresses, but only for
 * marked packets.
 */
static int parse_local_route(const struct nlmsghdr *nlh, void *into)
{
	const struct rtmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct inet_local local = { .bits = msg->rtm_dst_len,
				    .broadcast = msg->rtm_type == RTN_BROADCAST };
	struct dump *dump = into;
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
	return added(inet_add_local(dump->inet, &local));
}

static int parse_rule(const struct nlmsghdr *nlh, void *into)
{
	struct dump *dump = into;
	const struct nlattr *attr;
	uint32_t priority = 0;

	mnl_attr_for_each(attr, nlh, sizeof(struct fib_rule_hdr))
		if (mnl_attr_get_type(attr) == FRA_PRIORITY)
			priority = mnl_attr_get_u32(attr);
	if (priority && priority < RULE_MAIN)
		dump->inet->ruled = true;
	return MNL_CB_OK;
}

static int parse_neighbour(const struct nlmsghdr *nlh, void *into)
{
	const struct ndmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct inet_neighbour neighbour = { .ifindex = (uint32_t)msg->ndm_ifindex,
					    .failed = msg->ndm_state & NUD_FAILED };
	struct dump *dump = into;
	const struct nlattr *attr;

	if (!(msg->ndm_state & (NUD_FAILED | NUD_INCOMPLETE)))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*msg))
		if (mnl_attr_get_type(attr) == NDA_DST &&
		    addr_attr(&neighbour.addr, msg->ndm_family, attr))
			return added(inet_add_neighbour(dump->inet, &neighbour));
	return MNL_CB_OK;
}

static int parse_socket(const struct nlmsghdr *nlh, void *into)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct inet_socket socket = {
		.local_port_be = msg->id.idiag_sport,
		.peer_port_be = msg->id.idiag_dport,
		.ifindex = msg->id.idiag_if,
		.inode = msg->idiag_inode,
		.cookie = (uint64_t)msg->id.idiag_cookie[1] << 32 | msg->id.idiag_cookie[0],
	};
	struct dump *dump = into;
	const struct nlattr *attr;

	if (!addr_from(&socket.local, msg->idiag_family, msg->id.idiag_src))
		return MNL_CB_OK;
	if (socket.peer_port_be)
		addr_from(&socket.peer, msg->idiag_family, msg->id.idiag_dst);
	mnl_attr_for_each(attr, nlh, sizeof(*msg))
		if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY)
			socket.v6only = mnl_attr_get_u8(attr);
	return added(inet_add_socket(dump->inet, &socket));
}

static int read_table(struct inet *inet, int bus, uint16_t type, const void *header,
		      size_t header_size, mnl_cb_t parse)
{
	const struct nl_dump callbacks = { bus, request_dump, parse, reset_dump };
	struct dump dump = { inet,	   type,	  header,	   header_size,
			     inet->locals, inet->sockets, inet->neighbours };
	int result = nl_dump(&callbacks, &dump);

	/* a kernel without IPv6 or policy routing */
	if (result == -EOPNOTSUPP || result == -EAFNOSUPPORT)
		return 0;
	/* a namespace has no local table until its loopback device is first brought up */
	return result == -ENOENT && type == RTM_GETROUTE ? 0 : result;
}

static int read_failed(const char *what, int result, struct err *err)
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

static const uint8_t families[] = { AF_INET, AF_INET6 };

static int read_routing(struct inet *inet, struct err *err)
{
	const struct ifaddrmsg addresses = { .ifa_family = AF_UNSPEC };
	int i, result = read_table(inet, NETLINK_ROUTE, RTM_GETADDR, &addresses, sizeof(addresses),
				   parse_address);

	for (i = 0; !result && i < 2; i++) {
		const struct rtmsg routes = { .rtm_family = families[i],
					      .rtm_table = RT_TABLE_LOCAL };
		const struct fib_rule_hdr rules = { .family = families[i] };

		result = read_table(inet, NETLINK_ROUTE, RTM_GETROUTE, &routes, sizeof(routes),
				    parse_local_route);
		if (!result)
			result = read_table(inet, NETLINK_ROUTE, RTM_GETRULE, &rules, sizeof(rules),
					    parse_rule);
	}
	return result ? read_failed("addresses and routes", result, err) : 0;
}

static int read_sockets(struct inet *inet, struct err *err)
{
	int i, result = 0;

	for (i = 0; !result && i < 2; i++) {
		const struct inet_diag_req_v2 sockets = { .sdiag_family = families[i],
							  .sdiag_protocol = IPPROTO_UDP,
							  .idiag_states = ~0U };

		result = read_table(inet, NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, &sockets,
				    sizeof(sockets), parse_socket);
	}
	if (!result)
		result = socket_owner_find(inet->socket, inet->sockets);
	if (result == -ENOENT || result == -EPROTONOSUPPORT)
		return err_hint(err,
				err_set(err, EXIT_LACKING, -result,
					"the kernel cannot list UDP sockets: it lacks udp_diag "
					"(CONFIG_INET_UDP_DIAG, Linux 3.3)"),
				"try 'modprobe udp_diag'");
	return result ? read_failed("UDP sockets", result, err) : 0;
}

int inet_read_neighbours(struct inet *inet, struct err *err)
{
	const struct ndmsg neighbours = { .ndm_family = AF_UNSPEC };
	int result = read_table(inet, NETLINK_ROUTE, RTM_GETNEIGH, &neighbours, sizeof(neighbours),
				parse_neighbour);

	if (result)
		inet_free(inet);
	inet_sort(inet);
	return result ? read_failed("neighbours", result, err) : 0;
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

/* --- queries of one route or socket */

struct route {
	uint8_t type;
	uint32_t oif;
	bool forwarded; /* through a gateway, multipath or encapsulation */
};

static int parse_route(const struct nlmsghdr *nlh, void *into)
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

static enum inet_reach query_reach(struct nl *nl, const struct inet *inet,
				   const struct in6_addr *addr)
{
	struct nlmsghdr *nlh = nl_request(nl);
	struct route route = { .type = RTN_UNSPEC };
	bool ip4 = addr_is_ip4(addr);
	struct rtmsg *msg;
	int result;

	nlh->nlmsg_type = RTM_GETROUTE;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->rtm_family = ip4 ? AF_INET : AF_INET6;
	msg->rtm_dst_len = ip4 ? 32 : 128;
	mnl_attr_put(nlh, RTA_DST, ip4 ? 4 : 16, &addr->s6_addr[ip4 ? 12 : 0]);
	result = nl_query(nl, nlh, parse_route, &route);
	/*
	 * rules may select a table by mark or interface: this query and the packets may then use
	 * different tables, so "no route" proves nothing
	 */
	if (result == -ENETUNREACH || result == -EHOSTUNREACH || result == -EACCES ||
	    (!result && (route.type == RTN_UNREACHABLE || route.type == RTN_PROHIBIT ||
			 route.type == RTN_BLACKHOLE)))
		return inet->ruled ? INET_REACH_OPEN : INET_REACH_NO_ROUTE;
	if (!result && route.type == RTN_UNICAST && !route.forwarded &&
	    inet_has_neighbour(inet, addr, route.oif))
		return INET_REACH_NO_NEIGHBOUR;
	return INET_REACH_OPEN;
}

static int addr_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct in6_addr));
}

int inet_query_hosts(struct inet *inet, const struct in6_addr *addr, size_t count, struct err *err)
{
	struct in6_addr *sorted;
	struct nl *nl = NULL;
	int result = -ENOMEM;
	size_t i;

	if (!count)
		return 0;
	sorted = reallocarray(NULL, count, sizeof(*sorted));
	if (!sorted)
		goto out;
	memcpy(sorted, addr, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), addr_compare);
	result = nl_open(&nl, NETLINK_ROUTE);
	for (i = 0; i < count && !result; i++) {
		struct inet_host host = { .addr = sorted[i] };

		if (i && !addr_compare(&sorted[i], &sorted[i - 1]))
			continue;
		host.reach = query_reach(nl, inet, &sorted[i]);
		result = inet_add_host(inet, &host);
	}
	inet_sort(inet);
out:
	nl_close(nl);
	free(sorted);
	return result ? read_failed("routes", result, err) : 0;
}

static int count_message(const struct nlmsghdr *nlh, void *into)
{
	++*(int *)into;
	return MNL_CB_OK;
}

/* udp_dump_one() expects "src" and "dst" as seen in the datagram. */
int inet_query_socket(struct nl *diag, const struct in6_addr *local, in_port_t local_port_be,
		      const struct in6_addr *peer, in_port_t peer_port_be)
{
	bool ip4 = addr_is_ip4(local);
	struct inet_diag_req_v2 req = {
		.sdiag_family = ip4 ? AF_INET : AF_INET6,
		.sdiag_protocol = IPPROTO_UDP,
		.idiag_states = ~0U,
		.id = { .idiag_sport = peer_port_be,
			.idiag_dport = local_port_be,
			.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
	};
	struct nlmsghdr *nlh = nl_request(diag);
	int found = 0, result;

	memcpy(req.id.idiag_src, &peer->s6_addr[ip4 ? 12 : 0], ip4 ? 4 : 16);
	memcpy(req.id.idiag_dst, &local->s6_addr[ip4 ? 12 : 0], ip4 ? 4 : 16);
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(req)), &req, sizeof(req));
	result = nl_query(diag, nlh, count_message, &found);
	if (result && result != -ENOENT)
		return result;
	return found > 0;
}
