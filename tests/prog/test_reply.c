// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests what the reply programs learn from each kind of socket and datagram, and the sources of the
 * answers. Exactly one counter counts each path through the programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reply_lab.h"

/* --- kinds of servers: source of their answers, and counters */

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

/* Connects back, as nc and iperf3 do. */
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
	__u64 learned, fixed, source_set;
} kinds[] = {
	{ "IPv4", server_v4, answer_sendto, NEAR4, FAR4, FAR4, 1, 1, 0 },
	{ "IPv4, sendmsg", server_v4, answer_sendmsg, NEAR4, FAR4, FAR4, 1, 1, 0 },
	{ "IPv4, sendmmsg", server_v4, answer_sendmmsg, NEAR4, FAR4, FAR4, 1, 1, 0 },
	{ "IPv4, IP_PKTINFO", server_v4, answer_pktinfo4, NEAR4, FAR4, OTHER4, 1, 0, 1 },
	{ "IPv4, connects back", server_v4, answer_connected, NEAR4, FAR4, NEAR4, 1, 0, 0 },
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
	{ "IPv6, connects back", server_v6only, answer_connected, NEAR6, FAR6, NEAR6, 1, 0, 0 },
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
		       COUNTED(left_source_set, kind->source_set));
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

/* An unmanaged port: nothing is counted, and the kernel answers as usual. */
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

/* Any port: a client's own socket with an ephemeral port is left alone, after a single lookup. */
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

/* A socket that has connected has a fixed address, also for sends to other peers. */
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
	assert_int_equal(flow->flags, 0);
	assert_true((__s32)(slot.set.seen[slot.way] - before) >= 0 &&
		    (__s32)(now() - slot.set.seen[slot.way]) >= 0);
	assert_int_equal(flow->seal, sluice_flow_seal(hash_of(server, client, family->near),
						      &flow->local, flow->generation, 0));

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

/* A repeated request updates only the time. */
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

/* The last requested address of a peer counts. */
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
			 sluice_flow_seal(hash_of(server, client, family->near),
					  &slot.set.flow[slot.way].local,
					  slot.set.flow[slot.way].generation, 0));
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

/*
 * Addresses may come and go: a flow is left alone only while its own address is gone, and used
 * again afterwards.
 */
static void addresses_change(const struct family *family)
{
	bool ip4 = lab_family(family->near) == AF_INET;
	const char *own = ip4 ? "192.0.2.99" : "2001:db8::99";
	const char *alien = ip4 ? "2001:db8::99" : "192.0.2.99";
	int server = server_dual(), client = lab_socket(family->near, 0);
	struct lab_end peer = lab_end(family->near, ntohs(lab_port_be(client)));
	const struct sluice_flow *flow;
	struct slot before, after;

	if (ip4) /* v4-mapped, as dual-stack sockets use it */
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
	/* the address was found, so the next answer skips the lookup */
	after = slot_of(server, client, family->near);
	flow = &after.set.flow[after.way];
	assert_int_not_equal(flow->generation, before.set.flow[before.way].generation);
	assert_int_equal(flow->seal, sluice_flow_seal(hash_of(server, client, family->near),
						      &flow->local, flow->generation, 0));
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

/* A peer without a flow: a server that sends first is left alone. */
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

/* A link-local peer is known through two interfaces: the flow is ambiguous. */
static void test_scope(void **state)
{
	int server = server_v4(), client = lab_socket(NEAR4, 0);
	struct sluice_flow *flow;
	struct slot slot;

	load(&(struct settings){ .port = PORT });
	lab_exchange(client, server, FAR4, FAR4);
	slot = slot_of(server, client, NEAR4);
	flow = &slot.set.flow[slot.way];
	flow->flags = SLUICE_FLOW_SCOPE_AMBIGUOUS;
	flow->seal = sluice_flow_seal(hash_of(server, client, NEAR4), &flow->local,
				      flow->generation, flow->flags);
	slot_write(&slot);
	answer_again(server, client, NEAR4, NEAR4);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 1), COUNTED(left_scope, 1));
	/* the peer moves; an ambiguous flow stays ambiguous */
	lab_request(client, OTHER4, PORT);
	lab_receive(server);
	answer_again(server, client, NEAR4, NEAR4);
	assert_counted(&programs, COUNTED(moved, 1), COUNTED(left_scope, 1));
	close(client);
	close(server);
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

	lab_exchange(client, server, FAR4, FAR4);
	lab_request(client, "239.1.2.3", PORT);
	lab_receive(server);
	lab_send(server, &peer, 8);
	lab_expect(client, FAR4);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 2),
		       COUNTED(skipped_not_own, 1));
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
		TEST(kinds),	       TEST(other_port),       TEST(any_port),	TEST(other_cgroup),
		TEST(connected_since), TEST(fields),	       TEST(keys),	TEST(refreshed),
		TEST(moved),	       TEST(addresses_change), TEST(no_flow),	TEST(scope),
		TEST(group),	       TEST(extensions),       TEST(fragments),
	};

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
