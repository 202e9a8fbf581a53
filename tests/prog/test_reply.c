// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests what the reply programs learn from each kind of socket and datagram, and the sources of the
 * answers. Each path through the programs increments exactly one counter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reply_lab.h"

#include <sluice/walks.h>

/* --- kinds of servers: sources of their answers, and counters */

static void answer_sendto(int server, const struct lab_end *peer)
{
	lab_send(server, peer, 8);
}

static void answer_sendmsg(int server, const struct lab_end *peer)
{
	struct msghdr message = message_to(peer);

	assert_int_equal(sendmsg(server, &message, 0), 6);
}

static void answer_sendmmsg(int server, const struct lab_end *peer)
{
	struct mmsghdr message = { .msg_hdr = message_to(peer) };

	assert_int_equal(sendmmsg(server, &message, 1, 0), 1);
}

/* Sets a source other than the requested address. */
static void answer_pktinfo4(int server, const struct lab_end *peer)
{
	struct in_pktinfo info = { 0 };
	char control[CMSG_SPACE(sizeof(info))] = { 0 };
	struct msghdr message = message_to(peer);
	struct cmsghdr *header;

	message.msg_control = control;
	message.msg_controllen = sizeof(control);
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = IPPROTO_IP;
	header->cmsg_type = IP_PKTINFO;
	header->cmsg_len = CMSG_LEN(sizeof(info));
	inet_pton(AF_INET, OTHER4, &info.ipi_spec_dst);
	memcpy(CMSG_DATA(header), &info, sizeof(info));
	assert_int_equal(sendmsg(server, &message, 0), 6);
}

static void answer_pktinfo6(int server, const struct lab_end *peer)
{
	struct in6_pktinfo info = { 0 };
	char control[CMSG_SPACE(sizeof(info))] = { 0 };
	struct msghdr message = message_to(peer);
	struct cmsghdr *header;

	message.msg_control = control;
	message.msg_controllen = sizeof(control);
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = IPPROTO_IPV6;
	header->cmsg_type = IPV6_PKTINFO;
	header->cmsg_len = CMSG_LEN(sizeof(info));
	inet_pton(AF_INET6, OTHER6, &info.ipi6_addr);
	memcpy(CMSG_DATA(header), &info, sizeof(info));
	assert_int_equal(sendmsg(server, &message, 0), 6);
}

/* Connects to the client, as nc and iperf3 do. */
static void answer_connected(int server, const struct lab_end *peer)
{
	assert_return_code(connect(server, &peer->any, peer->size), errno);
	assert_int_equal(send(server, "answer", 6, 0), 6);
}

static const struct kind {
	const char *name;
	int (*open)(void);
	void (*answer)(int server, const struct lab_end *peer);
	const char *near, *far;
	const char *source;
	__u64 learned, fixed, source_set, connect;
} kinds[] = {
	{ "IPv4", server_v4, answer_sendto, NEAR4, FAR4, FAR4, 1, 1, 0 },
	{ "IPv4, sendmsg", server_v4, answer_sendmsg, NEAR4, FAR4, FAR4, 1, 1, 0 },
	{ "IPv4, sendmmsg", server_v4, answer_sendmmsg, NEAR4, FAR4, FAR4, 1, 1, 0 },
	{ "IPv4, IP_PKTINFO", server_v4, answer_pktinfo4, NEAR4, FAR4, OTHER4, 1, 0, 1 },
	{ "IPv4, connects back", server_v4, answer_connected, NEAR4, FAR4, NEAR4, 1, 0, 0, 1 },
	{ "IPv4, bound", server_bound4, answer_sendto, NEAR4, FAR4, FAR4, 0, 0, 0 },
	{ "IPv4, bound, IP_PKTINFO", server_bound4, answer_pktinfo4, NEAR4, FAR4, OTHER4, 0, 0, 0 },
	{ "dual-stack, IPv4", server_dual, answer_sendto, NEAR4, FAR4, FAR4, 1, 1, 0 },
	{ "dual-stack, IPv4, sendmmsg", server_dual, answer_sendmmsg, NEAR4, FAR4, FAR4, 1, 1, 0 },
	{ "dual-stack, IPv4, IP_PKTINFO", server_dual, answer_pktinfo4, NEAR4, FAR4, OTHER4, 1, 0,
	  1 },
	{ "dual-stack, IPv6", server_dual, answer_sendto, NEAR6, FAR6, FAR6, 1, 1, 0 },
	{ "dual-stack, IPv6, sendmsg", server_dual, answer_sendmsg, NEAR6, FAR6, FAR6, 1, 1, 0 },
	{ "IPv6", server_v6only, answer_sendto, NEAR6, FAR6, FAR6, 1, 1, 0 },
	{ "IPv6, sendmmsg", server_v6only, answer_sendmmsg, NEAR6, FAR6, FAR6, 1, 1, 0 },
	{ "IPv6, IPV6_PKTINFO", server_v6only, answer_pktinfo6, NEAR6, FAR6, OTHER6, 1, 0, 1 },
	{ "IPv6, connects back", server_v6only, answer_connected, NEAR6, FAR6, NEAR6, 1, 0, 0, 1 },
	{ "IPv6, bound", server_bound6, answer_sendto, NEAR6, FAR6, FAR6, 0, 0, 0 },
};

static void kind_run(const struct kind *kind)
{
	int server = kind->open(), client = lab_socket(kind->near, 0);
	struct lab_end peer;

	print_message("%s\n", kind->name);
	lab_request(client, kind->far, PORT);
	peer = lab_receive(server);
	kind->answer(server, &peer);
	lab_expect(client, kind->source);
	assert_counted(&programs, COUNTED(learned, kind->learned), COUNTED(fixed, kind->fixed),
		       COUNTED(left_source_set, kind->source_set),
		       COUNTED(audit_connect, kind->connect));
	close(client);
	close(server);
}

static void test_kinds(void **state)
{
	size_t i;

	load(&(struct settings){ .port = PORT });
	for (i = 0; i < COUNT(kinds); i++)
		kind_run(&kinds[i]);
}

/* An unmanaged port: no counter changes, and the kernel answers as usual. */
static void test_other_port(void **state)
{
	int server = server_dual(), client4 = lab_socket(NEAR4, 0), client6 = lab_socket(NEAR6, 0);

	load(&(struct settings){ .port = PORT + 1 });
	lab_exchange(client4, server, FAR4, NEAR4);
	lab_exchange(client6, server, FAR6, NEAR6);
	assert_counted(&programs);
	assert_int_equal(flow_count(), 0);
	close(client4);
	close(client6);
	close(server);
}

/* Any port: a client socket with an ephemeral port is left alone, after a single lookup. */
static void test_any_port(void **state)
{
	int server = server_v4(), client = lab_socket("0.0.0.0", 0);

	load(&(struct settings){ .any_port = true });
	lab_exchange(client, server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 1),
		       COUNTED(skipped_client, 1));
	lab_exchange(client, server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(fixed, 1));
	assert_int_equal(flow_count(), 1);
	close(client);
	close(server);
}

/* A socket in another cgroup. */
static void test_other_cgroup(void **state)
{
	int server, client = lab_socket(NEAR4, 0);

	lab_enter(lab_home());
	server = server_v4();
	load(&(struct settings){ .port = PORT });
	lab_exchange(client, server, FAR4, NEAR4);
	assert_counted(&programs);
	close(client);
	close(server);
}

/* A connected socket has a fixed source address, even when it sends to other peers. */
static void connected_since(const char *near, const char *far)
{
	int server = lab_family(near) == AF_INET ? server_v4() : server_v6only();
	int first = lab_socket(near, 0), second = lab_socket(near, 0);
	struct lab_end peer = lab_end(near, ntohs(lab_port_be(second)));

	lab_exchange(first, server, far, far);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 1));
	assert_return_code(connect(server, &peer.any, peer.size), errno);
	peer = lab_end(near, ntohs(lab_port_be(first)));
	lab_send(server, &peer, 8);
	lab_expect(first, near);
	assert_counted(&programs);
	close(first);
	close(second);
	close(server);
}

static void test_connected_since(void **state)
{
	load(&(struct settings){ .port = PORT });
	connected_since(NEAR4, FAR4);
	connected_since(NEAR6, FAR6);
}

/* --- learning */

static void fields(const struct family *family)
{
	int server = family->dual ? server_dual() : server_v4();
	int client = lab_socket(family->near, 0);
	__u32 before = now(), netns = lab_netns();
	const struct sluice_flow *flow;
	struct sluice_sock sock;
	struct slot slot;

	lab_exchange(client, server, family->far, family->far);
	slot = slot_of(server, client, family->near);
	flow = &slot.set.flow[slot.way];
	assert_address(&flow->peer, family->near);
	assert_address(&flow->local, family->far);
	assert_int_equal(flow->cookie, lab_cookie(server));
	assert_int_equal(flow->peer_port_be, lab_port_be(client));
	assert_int_equal(flow->ifindex, if_nametoindex("lo"));
	assert_int_equal(flow->netns, netns);
	assert_int_equal(flow->port, PORT);
	assert_true((__s32)(slot.set.seen[slot.way] - before) >= 0 &&
		    (__s32)(now() - slot.set.seen[slot.way]) >= 0);
	assert_int_equal(flow->seal, seal_of(server, client, family->near, flow));

	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(programs.skel->maps.sluice_socks), &server, &sock),
		errno);
	assert_int_equal(sock.cookie, lab_cookie(server));
	assert_int_equal(sock.netns, netns);
	assert_int_equal(sock.port_chosen, 0);
	close(client);
	close(server);
}

static void test_fields(void **state)
{
	load(&(struct settings){ .port = PORT });
	fields(&(struct family){ NEAR4, FAR4, OTHER4, false });
	fields(&(struct family){ NEAR4, FAR4, OTHER4, true });
	fields(&(struct family){ NEAR6, FAR6, OTHER6, true });
}

/* Distinguishes peers by address and port, and sockets by cookie. */
static void test_keys(void **state)
{
	int server = server_v4(), client = lab_socket(NEAR4, 7000);
	int port = lab_socket(NEAR4, 7001), addr = lab_socket("127.0.0.1", 7000), again;

	load(&(struct settings){ .port = PORT, .sets = 1 });
	lab_exchange(client, server, FAR4, FAR4);
	lab_exchange(port, server, OTHER4, OTHER4);
	lab_exchange(addr, server, NEAR4, NEAR4);
	assert_counted(&programs, COUNTED(learned, 3), COUNTED(fixed, 3));
	assert_address(&slot_of(server, client, NEAR4).set.flow[0].local, FAR4);
	assert_int_equal(flow_count(), 3);

	close(server);
	again = server_v4();
	lab_exchange(client, again, OTHER4, OTHER4);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 1));
	assert_int_equal(flow_count(), 4);
	close(again);
	close(client);
	close(port);
	close(addr);
}

/* A repeated request only updates the time. */
static void test_refreshed(void **state)
{
	int server = server_v4(), client = lab_socket(NEAR4, 0);
	struct slot first, second;

	load(&(struct settings){ .port = PORT });
	lab_exchange(client, server, FAR4, FAR4);
	first = slot_of(server, client, NEAR4);
	wait_past(first.set.seen[first.way]);
	lab_exchange(client, server, FAR4, FAR4);
	second = slot_of(server, client, NEAR4);
	assert_true((__s32)(second.set.seen[second.way] - first.set.seen[first.way]) > 0);
	assert_memory_equal(&second.set.flow[second.way], &first.set.flow[first.way],
			    sizeof(struct sluice_flow));
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 2));
	close(client);
	close(server);
}

/* The address of the peer's last request counts. */
static void moved(const struct family *family)
{
	int server = server_dual(), client = lab_socket(family->near, 0);
	struct slot slot;

	lab_exchange(client, server, family->far, family->far);
	lab_exchange(client, server, family->other, family->other);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(moved, 1), COUNTED(fixed, 2));
	slot = slot_of(server, client, family->near);
	assert_address(&slot.set.flow[slot.way].local, family->other);
	assert_int_equal(slot.set.flow[slot.way].seal,
			 seal_of(server, client, family->near, &slot.set.flow[slot.way]));
	lab_exchange(client, server, family->far, family->far);
	assert_counted(&programs, COUNTED(moved, 1), COUNTED(fixed, 1));
	close(client);
	close(server);
}

static void test_moved(void **state)
{
	load(&(struct settings){ .port = PORT });
	moved(&(struct family){ NEAR4, FAR4, OTHER4, true });
	moved(&(struct family){ NEAR6, FAR6, OTHER6, true });
	assert_int_equal(flow_count(), 2);
}

/* Addresses may come and go. A flow is ignored only while its own address is gone. */
static void addresses_change(const struct family *family)
{
	bool ip4 = lab_family(family->near) == AF_INET;
	const char *own = ip4 ? "192.0.2.99" : "2001:db8::99";
	const char *alien = ip4 ? "2001:db8::99" : "192.0.2.99";
	int server = server_dual(), client = lab_socket(family->near, 0);
	struct lab_end peer = lab_end(family->near, ntohs(lab_port_be(client)));
	const struct sluice_flow *flow;
	struct slot before, after;

	if (ip4) /* v4-mapped, as in dual-stack sockets */
		peer = lab_end("::ffff:" NEAR4, ntohs(lab_port_be(client)));
	load(&(struct settings){ .port = PORT });
	lab_exchange(client, server, family->far, family->far);
	lab_address(alien, true);
	lab_send(server, &peer, 8);
	lab_expect(client, family->far);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 2));

	before = slot_of(server, client, family->near);
	lab_address(own, true);
	lab_send(server, &peer, 8);
	lab_expect(client, family->far);
	/* the address was found, so the next answer needs no lookup */
	after = slot_of(server, client, family->near);
	flow = &after.set.flow[after.way];
	assert_int_not_equal(flow->generation, before.set.flow[before.way].generation);
	assert_int_equal(flow->seal, seal_of(server, client, family->near, flow));
	lab_address(own, false);
	lab_send(server, &peer, 8);
	lab_expect(client, family->far);
	assert_counted(&programs, COUNTED(fixed, 2));

	lab_address(family->far, false);
	lab_send(server, &peer, 8);
	lab_expect(client, family->near);
	assert_counted(&programs, COUNTED(left_address_gone, 1));

	lab_address(family->far, true);
	lab_send(server, &peer, 8);
	lab_expect(client, family->far);
	assert_counted(&programs, COUNTED(fixed, 1));
	lab_address(alien, false);
	programs_unload(&programs);
	close(client);
	close(server);
}

static void test_addresses_change(void **state)
{
	addresses_change(&(struct family){ NEAR4, FAR4, OTHER4, true });
	addresses_change(&(struct family){ NEAR6, FAR6, OTHER6, true });
	load(&(struct settings){ .port = PORT });
}

/* A server that sends first has no flow for the peer, and is left alone. */
static void test_no_flow(void **state)
{
	int server = server_dual(), client4 = lab_socket(NEAR4, 0), client6 = lab_socket(NEAR6, 0);
	struct lab_end peer4 = lab_end("::ffff:" NEAR4, ntohs(lab_port_be(client4)));
	struct lab_end peer6 = lab_end(NEAR6, ntohs(lab_port_be(client6)));
	int other = lab_socket(NEAR4, 0);

	load(&(struct settings){ .port = PORT });
	lab_send(server, &peer4, 8);
	lab_expect(client4, NEAR4);
	/* the socket has never received, so nothing is counted */
	assert_counted(&programs);
	lab_exchange(other, server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 1));
	lab_send(server, &peer4, 8);
	lab_expect(client4, NEAR4);
	lab_send(server, &peer6, 8);
	lab_expect(client6, NEAR6);
	assert_counted(&programs, COUNTED(left_no_flow, 2));
	close(client4);
	close(client6);
	close(other);
	close(server);
}

/* Sends to a link-local peer on lo, with the scope given by the caller. */
static void send_scoped(int server, int client, __u32 scope)
{
	struct lab_end peer = lab_end(LINK6, ntohs(lab_port_be(client)));

	peer.in6.sin6_scope_id = scope;
	lab_send(server, &peer, 8);
}

static void expect_scoped(int client, const char *wanted)
{
	struct lab_end from = lab_receive(client);
	char text[INET6_ADDRSTRLEN];

	assert_string_equal(lab_text(&from, text), wanted);
}

/*
 * The flow of a link-local peer applies to one link only: a send uses the flow if the caller or the
 * socket specifies this link.
 */
static void test_scope(void **state)
{
	int server = server_v6only(), client = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct lab_end own = lab_end(LINK6, 0), to = lab_end(LINK_FAR6, PORT);
	__u32 lo = if_nametoindex("lo");
	struct slot slot;

	lab_address(LINK6, true);
	lab_address(LINK_FAR6, true);
	own.in6.sin6_scope_id = to.in6.sin6_scope_id = lo;
	assert_return_code(bind(client, &own.any, own.size), errno);
	load(&(struct settings){ .port = PORT });
	lab_send(client, &to, 8);
	lab_receive(server);
	assert_counted(&programs, COUNTED(learned, 1));

	send_scoped(server, client, lo);
	expect_scoped(client, LINK_FAR6);
	assert_counted(&programs, COUNTED(fixed, 1));
	send_scoped(server, client, 0);
	expect_scoped(client, LINK6);
	assert_counted(&programs, COUNTED(left_scope, 1));
	lab_option(server, SOL_SOCKET, SO_BINDTOIFINDEX, lo);
	send_scoped(server, client, 0);
	expect_scoped(client, LINK_FAR6);
	assert_counted(&programs, COUNTED(fixed, 1));

	/* the same address on another link is another peer */
	slot = slot_of_scope(server, client, LINK6, lo);
	slot.set.flow[slot.way].ifindex = lo + 1;
	slot_write(&slot);
	send_scoped(server, client, lo);
	expect_scoped(client, LINK6);
	assert_counted(&programs, COUNTED(left_no_flow, 1));
	lab_send(client, &to, 8);
	lab_receive(server);
	assert_counted(&programs, COUNTED(learned, 1));
	assert_int_equal(flow_count(), 2);
	close(client);
	close(server);
}

/* Sends to another port of a peer: left alone, but fixed with --any-peer-port. */
static void other_port(const struct family *family, bool any_peer_port)
{
	int server = server_dual(), client = lab_socket(family->near, 0);
	int other = lab_socket(family->near, 0);
	struct lab_end peer = lab_family(family->near) == AF_INET
				      ? lab_end("::ffff:" NEAR4, ntohs(lab_port_be(other)))
				      : lab_end(family->near, ntohs(lab_port_be(other)));

	lab_exchange(client, server, family->far, family->far);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 1));
	lab_send(server, &peer, 8);
	lab_expect(other, any_peer_port ? family->far : family->near);
	assert_counted(&programs, COUNTED(fixed_other_port, any_peer_port),
		       COUNTED(left_no_flow, !any_peer_port));
	/* the flow of this port takes precedence */
	lab_exchange(other, server, family->other, family->other);
	lab_exchange(client, server, family->far, family->far);
	lab_send(server, &peer, 8);
	lab_expect(other, family->other);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 3));
	close(client);
	close(other);
	close(server);
}

static void test_other_peer_port(void **state)
{
	const struct family ip4 = { NEAR4, FAR4, OTHER4, true },
			    ip6 = { NEAR6, FAR6, OTHER6, true };

	load(&(struct settings){ .port = PORT });
	other_port(&ip4, false);
	other_port(&ip6, false);
	programs_unload(&programs);
	load(&(struct settings){ .port = PORT, .any_peer_port = true });
	other_port(&ip4, true);
	other_port(&ip6, true);
}

/* Opens a server socket that shares the port with others. */
static int server_shared(int family)
{
	struct lab_end any = lab_end(family == AF_INET ? "0.0.0.0" : "::", PORT);
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	lab_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (family == AF_INET6)
		lab_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	assert_return_code(bind(fd, &any.any, any.size), errno);
	return fd;
}

/*
 * Counts servers that connect to a peer of a known flow: the socket that received the request, or
 * another socket with the same port.
 */
static void connects_counted(const char *near, const char *far, bool sibling)
{
	int server = server_shared(lab_family(near)), client = lab_socket(near, 0), other;
	struct lab_end peer = lab_end(near, ntohs(lab_port_be(client)));
	struct lab_end unknown = lab_end(near, 4000);

	lab_request(client, far, PORT);
	lab_receive(server);
	assert_counted(&programs, COUNTED(learned, 1));
	other = sibling ? server_shared(lab_family(near)) : server;
	assert_return_code(connect(other, &peer.any, peer.size), errno);
	assert_counted(&programs, COUNTED(audit_connect, 1));
	/* the socket keeps its source, so it is not a fresh socket that answers this peer */
	assert_return_code(connect(other, &unknown.any, unknown.size), errno);
	assert_counted(&programs);
	if (sibling)
		close(other);
	close(server);
	close(client);
}

/* A socket connects to a peer that is unknown to all sockets of its port. */
static void connects_first(const char *near)
{
	int server = server_shared(lab_family(near));
	struct lab_end unknown = lab_end(near, 4000);

	assert_return_code(connect(server, &unknown.any, unknown.size), errno);
	assert_counted(&programs);
	close(server);
}

static void test_connects_counted(void **state)
{
	load(&(struct settings){ .port = PORT });
	connects_counted(NEAR4, FAR4, false);
	connects_counted(NEAR4, FAR4, true);
	connects_counted(NEAR6, FAR6, false);
	connects_counted(NEAR6, FAR6, true);
	connects_first(NEAR4);
	connects_first(NEAR6);
}

/* --- unusual datagrams */

static void test_group(void **state)
{
	int server = server_v4(), client = lab_socket(NEAR4, 0);
	struct ip_mreqn group = { .imr_ifindex = if_nametoindex("lo") };
	struct lab_end peer = lab_end(NEAR4, ntohs(lab_port_be(client)));

	load(&(struct settings){ .port = PORT });
	inet_pton(AF_INET, "239.1.2.3", &group.imr_multiaddr);
	assert_return_code(setsockopt(server, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)),
			   errno);
	assert_return_code(setsockopt(client, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group)),
			   errno);
	lab_option(client, SOL_SOCKET, SO_BROADCAST, 1);
	lab_request(client, "239.1.2.3", PORT);
	lab_receive(server);
	assert_counted(&programs, COUNTED(skipped_not_own, 1));
	lab_request(client, "255.255.255.255", PORT);
	lab_receive(server);
	assert_counted(&programs, COUNTED(skipped_not_own, 1));
	assert_int_equal(flow_count(), 0);

	/* after a multicast request, the kernel chooses the source, as if there were no flow */
	lab_exchange(client, server, FAR4, FAR4);
	lab_request(client, "239.1.2.3", PORT);
	lab_receive(server);
	assert_int_equal(flow_count(), 0);
	lab_send(server, &peer, 8);
	lab_expect(client, NEAR4);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 1), COUNTED(ended, 1),
		       COUNTED(left_no_flow, 1));
	close(client);
	close(server);
}

/*
 * On lo, the packet type does not reveal a broadcast, and all other addresses of the subnet are
 * local.
 */
static void test_loopback_broadcast(void **state)
{
	int server = server_v4(), client = lab_socket("127.0.0.1", 0);

	load(&(struct settings){ .port = PORT });
	lab_option(client, SOL_SOCKET, SO_BROADCAST, 1);
	lab_request(client, "127.255.255.255", PORT);
	lab_receive(server);
	assert_counted(&programs, COUNTED(skipped_not_own, 1));
	lab_exchange(client, server, "127.1.2.3", "127.1.2.3");
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 1));
	close(client);
	close(server);
}

static struct sluice_local_usable local_of(const char *addr)
{
	struct sluice_local_key key = { .addr = address(addr), .netns = lab_netns() };
	struct sluice_local_usable local;

	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(programs.skel->maps.sluice_locals), &key, &local),
		errno);
	return local;
}

static void local_set(const char *addr, bool usable)
{
	struct sluice_local_key key = { .addr = address(addr), .netns = lab_netns() };
	struct sluice_local_usable local = local_of(addr);

	local.usable = usable;
	assert_return_code(bpf_map_update_elem(bpf_map__fd(programs.skel->maps.sluice_locals), &key,
					       &local, BPF_EXIST),
			   errno);
}

/* A route alone can make any address local; the result "on no interface" is cached too. */
static void not_own(const char *near, const char *far, const char *any, const char *other)
{
	int server = server_dual(), client = lab_socket(near, 0);
	struct sluice_local_usable before, after;

	lab_request(client, any, PORT);
	lab_receive(server);
	assert_counted(&programs, COUNTED(skipped_not_own, 1));
	before = local_of(any);
	assert_int_equal(before.usable, 0);
	lab_exchange(client, server, far, far);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 1));
	lab_request(client, any, PORT);
	lab_receive(server);
	assert_counted(&programs, COUNTED(ended, 1));

	/* while the addresses do not change, even a false cached result is used */
	local_set(far, false);
	lab_request(client, far, PORT);
	lab_receive(server);
	assert_counted(&programs, COUNTED(skipped_not_own, 1));

	/* a change of addresses invalidates the cached result */
	lab_address(other, true);
	lab_request(client, any, PORT);
	lab_receive(server);
	after = local_of(any);
	assert_int_not_equal(before.generation, after.generation);
	assert_int_equal(after.usable, 0);
	lab_address(any, true);
	lab_exchange(client, server, any, any);
	lab_exchange(client, server, far, far);
	assert_int_equal(local_of(any).usable, 1);
	assert_counted(&programs, COUNTED(skipped_not_own, 1), COUNTED(learned, 1),
		       COUNTED(moved, 1), COUNTED(fixed, 2));
	lab_address(any, false);
	lab_address(other, false);
	close(client);
	close(server);
}

static void test_not_own(void **state)
{
	lab_route_local("192.0.2.128");
	lab_route_local("2001:db8:9::9");
	load(&(struct settings){ .port = PORT });
	not_own(NEAR4, FAR4, "192.0.2.128", "192.0.2.200");
	not_own(NEAR6, FAR6, "2001:db8:9::9", "2001:db8:9::a");
}

#define MANY 400

/* Counts the cached addresses that are on no interface. */
static unsigned int locals_refused(void)
{
	int fd = bpf_map__fd(programs.skel->maps.sluice_locals);
	struct sluice_local_key key, *last = NULL;
	struct sluice_local_usable local;
	unsigned int count = 0;

	for (; !bpf_map_get_next_key(fd, last, &key); last = &key)
		count += !bpf_map_lookup_elem(fd, &key, &local) && !local.usable;
	return count;
}

/* Sends a datagram to each of many addresses that are on no interface. */
static void request_many(int client, int server)
{
	char addr[INET_ADDRSTRLEN];
	int i;

	for (i = 0; i < MANY; i++) {
		snprintf(addr, sizeof(addr), "198.18.%d.%d", i / 200, i % 200);
		lab_request(client, addr, PORT);
		lab_receive(server);
	}
}

/* These addresses do not cause the same number of searches over all addresses. */
static void test_many_not_own(void **state)
{
	int server = server_dual(), client = lab_socket(NEAR4, 0), other = lab_socket(NEAR4, 0), i;
	unsigned int allowed;
	char addr[INET_ADDRSTRLEN];
	__u32 begin;

	for (i = 0; i < MANY; i++) {
		snprintf(addr, sizeof(addr), "198.18.%d.%d", i / 200, i % 200);
		lab_route_local(addr);
	}
	load(&(struct settings){ .port = PORT });
	lab_exchange(client, server, FAR4, FAR4);
	begin = now();
	request_many(other, server);
	allowed = ((now() - begin) / SLUICE_WALK_WINDOW + 2) * SLUICE_WALKS *
		  (unsigned int)libbpf_num_possible_cpus();
	assert_in_range(locals_refused(), 1, allowed);

	/* the address of a known flow is still checked */
	lab_address("192.0.2.201", true);
	request_many(other, server);
	answer_again(server, client, NEAR4, FAR4);
	/* the cached result for another address is lost */
	lab_request(other, OTHER4, PORT);
	lab_receive(server);
	wait_past(now() + 2 * SLUICE_WALK_WINDOW);
	lab_exchange(other, server, OTHER4, OTHER4);
	lab_address("192.0.2.201", false);
	close(other);
	close(client);
	close(server);
}

static void test_extensions(void **state)
{
	int server = server_dual(), client4 = lab_socket(NEAR4, 0), client6 = lab_socket(NEAR6, 0);

	load(&(struct settings){ .port = PORT });
	set_headers(client4, client6);
	lab_exchange(client4, server, FAR4, FAR4);
	lab_exchange(client6, server, FAR6, FAR6);
	assert_counted(&programs, COUNTED(learned, 2), COUNTED(fixed, 2));
	close(client4);
	close(client6);
	close(server);
}

static void test_fragments(void **state)
{
	static const size_t sizes[] = { 0, 1, 1400, 1473, 8192, 60000 };
	int server = server_dual(), client4 = lab_socket(NEAR4, 0), client6 = lab_socket(NEAR6, 0);
	size_t i;

	lab_lo_mtu(1500);
	load(&(struct settings){ .port = PORT });
	for (i = 0; i < COUNT(sizes); i++) {
		const char *ip4 = i % 2 ? FAR4 : OTHER4, *ip6 = i % 2 ? FAR6 : OTHER6;

		exchange_large(client4, server, ip4, ip4, sizes[i]);
		exchange_large(client6, server, ip6, ip6, sizes[i]);
		assert_counted(&programs, COUNTED(learned, i ? 0 : 2), COUNTED(moved, i ? 2 : 0),
			       COUNTED(fixed, 2));
	}
	close(client4);
	close(client6);
	close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kinds),
		TEST(other_port),
		TEST(any_port),
		TEST(other_cgroup),
		TEST(connected_since),
		TEST(fields),
		TEST(keys),
		TEST(refreshed),
		TEST(moved),
		TEST(addresses_change),
		TEST(no_flow),
		TEST(scope),
		TEST(other_peer_port),
		TEST(connects_counted),
		TEST(loopback_broadcast),
		TEST(not_own),
		TEST(many_not_own),
		TEST(group),
		TEST(extensions),
		TEST(fragments),
	};

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
