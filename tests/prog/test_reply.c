// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reply programs on real sockets: what they learn of each kind of socket and datagram, from
 * where its answers leave, and that each way through the programs is counted, and only it.
 *
 * Programs and maps are used without the loader, so that a test can look at a slot of the flow
 * table, and change it under them.
 *
 *	client NEAR ── lo ── server on the wildcard address, asked at FAR or OTHER
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"
#include "programs.h"

#include <pthread.h>
#include <stdatomic.h>

#define PORT	  5300
#define COUNT(a)  (sizeof(a) / sizeof(*(a)))
#define MAX_FILES 64

static char cgroup[PATH_MAX];
static struct programs programs;

static void load(const struct settings *settings)
{
	programs_load(&programs, settings);
	programs_attach(&programs, cgroup);
}

/* --- the flow table, as a test sees and changes it */

struct slot {
	__u32 index;
	__u32 way;
	struct sluice_flow_set set;
};

static int flows_fd(void)
{
	return bpf_map__fd(programs.skel->maps.sluice_flows);
}

static void set_read(__u32 index, struct sluice_flow_set *set)
{
	assert_return_code(bpf_map_lookup_elem_flags(flows_fd(), &index, set, BPF_F_LOCK), errno);
}

static void slot_write(const struct slot *slot)
{
	assert_return_code(
		bpf_map_update_elem(flows_fd(), &slot->index, &slot->set, BPF_EXIST | BPF_F_LOCK),
		errno);
}

static __u32 flow_count(void)
{
	struct sluice_flow_set set;
	__u32 index, way, count = 0;

	for (index = 0; index < programs.skel->rodata->sets; index++) {
		set_read(index, &set);
		for (way = 0; way < SLUICE_FLOW_WAYS; way++)
			count += !!set.tag[way];
	}
	return count;
}

static struct sluice_addr address(const char *text)
{
	struct sluice_addr addr = { .word_be = { 0, 0, htonl(0xffff), 0 } };

	if (lab_family(text) == AF_INET)
		assert_int_equal(inet_pton(AF_INET, text, &addr.word_be[3]), 1);
	else
		assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return addr;
}

static void assert_address(const struct sluice_addr *addr, const char *wanted)
{
	struct sluice_addr value = address(wanted);

	assert_memory_equal(addr, &value, sizeof(value));
}

static __u64 hash_of(int server, int client, const char *near)
{
	struct sluice_addr peer = address(near);

	return sluice_flow_hash(PROGRAMS_SEED, lab_cookie(server), &peer, lab_port_be(client));
}

/* The slot of the flow in the set where the programs look for it. */
static struct slot slot_of(int server, int client, const char *near)
{
	__u64 hash = hash_of(server, client, near);
	struct sluice_addr peer = address(near);
	struct slot slot = { .index = sluice_flow_set_index(hash, programs.skel->rodata->sets) };

	set_read(slot.index, &slot.set);
	for (slot.way = 0; slot.way < SLUICE_FLOW_WAYS; slot.way++) {
		const struct sluice_flow *flow = &slot.set.flow[slot.way];

		if (slot.set.tag[slot.way] == sluice_flow_tag(hash) &&
		    flow->cookie == lab_cookie(server) &&
		    flow->peer_port_be == lab_port_be(client) &&
		    !memcmp(&flow->peer, &peer, sizeof(peer)))
			return slot;
	}
	fail_msg("no flow for %s in its set", near);
	return slot;
}

static __u32 now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return sluice_flow_clock(time.tv_sec * 1000000000ULL + time.tv_nsec);
}

/* Until the table's clock is past a time. */
static void wait_past(__u32 time)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	while ((__s32)(now() - time) <= 0)
		nanosleep(&pause, NULL);
}

/* --- kinds of servers: from where their answers leave, and what is counted */

static int server_v4(void)
{
	return lab_socket("0.0.0.0", PORT);
}

static int server_dual(void)
{
	return lab_socket("::", PORT);
}

static int server_v6only(void)
{
	struct lab_end end = lab_end("::", PORT);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	lab_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	assert_return_code(bind(fd, &end.any, end.size), errno);
	return fd;
}

static int server_bound4(void)
{
	return lab_socket(FAR4, PORT);
}

static int server_bound6(void)
{
	return lab_socket(FAR6, PORT);
}

static void answer_sendto(int server, const struct lab_end *peer)
{
	lab_send(server, peer, 8);
}

static struct msghdr message_to(const struct lab_end *peer)
{
	static struct iovec payload = { "answer", 6 };

	return (struct msghdr){ .msg_name = (void *)&peer->any,
				.msg_namelen = peer->size,
				.msg_iov = &payload,
				.msg_iovlen = 1 };
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

/* Names a source that nobody asked for. */
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

/* As nc and iperf3 do it. */
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
	lab_ask(client, kind->far, PORT);
	peer = lab_receive(server);
	kind->answer(server, &peer);
	lab_hear(client, kind->source);
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

/* A port that is not managed: nothing is counted, and the kernel answers as ever. */
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

/* Any port: a client's own socket, whose port the kernel chose, is left alone, and found once. */
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

/* A socket of another cgroup. */
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

/* A socket that has connected since has an address of its own, also for what it sends to others. */
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
	lab_hear(first, near);
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

/* --- what is learned */

struct family {
	const char *near, *far, *other;
	bool dual;
};

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

/* Peers are told apart by address and port, sockets by cookie. */
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

/* Heard again, and nothing is new: the time alone is stored. */
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

/* The last address that a peer spoke to counts. */
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
 * Addresses of the host may come and go as they like; only when the flow's own is gone is it left
 * alone, and when it is back it is used again.
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

	if (ip4) /* as a dual-stack socket names it */
		peer = lab_end("::ffff:" NEAR4, ntohs(lab_port_be(client)));
	load(&(struct settings){ .port = PORT });
	lab_exchange(client, server, family->far, family->far);
	lab_address(alien, true);
	lab_send(server, &peer, 8);
	lab_hear(client, family->far);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 2));

	before = slot_of(server, client, family->near);
	lab_address(own, true);
	lab_send(server, &peer, 8);
	lab_hear(client, family->far);
	/* the address was found to be there still: the next answer needs not look again */
	after = slot_of(server, client, family->near);
	flow = &after.set.flow[after.way];
	assert_int_not_equal(flow->generation, before.set.flow[before.way].generation);
	assert_int_equal(flow->seal, sluice_flow_seal(hash_of(server, client, family->near),
						      &flow->local, flow->generation, 0));
	lab_address(own, false);
	lab_send(server, &peer, 8);
	lab_hear(client, family->far);
	assert_counted(&programs, COUNTED(fixed, 2));

	lab_address(family->far, false);
	lab_send(server, &peer, 8);
	lab_hear(client, family->near);
	assert_counted(&programs, COUNTED(left_address_gone, 1));

	lab_address(family->far, true);
	lab_send(server, &peer, 8);
	lab_hear(client, family->far);
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

/* Nothing was heard from this peer: a server that talks first is left alone. */
static void test_no_flow(void **state)
{
	int server = server_dual(), client4 = lab_socket(NEAR4, 0), client6 = lab_socket(NEAR6, 0);
	struct lab_end peer4 = lab_end("::ffff:" NEAR4, ntohs(lab_port_be(client4)));
	struct lab_end peer6 = lab_end(NEAR6, ntohs(lab_port_be(client6)));
	int other = lab_socket(NEAR4, 0);

	load(&(struct settings){ .port = PORT });
	lab_send(server, &peer4, 8);
	lab_hear(client4, NEAR4);
	/* the socket has never received: not even that is counted */
	assert_counted(&programs);
	lab_exchange(other, server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 1));
	lab_send(server, &peer4, 8);
	lab_hear(client4, NEAR4);
	lab_send(server, &peer6, 8);
	lab_hear(client6, NEAR6);
	assert_counted(&programs, COUNTED(left_no_flow, 2));
	close(client4);
	close(client6);
	close(other);
	close(server);
}

/* --- a full table, and age */

static void open_clients(int *clients, size_t count)
{
	while (count--)
		clients[count] = lab_socket(NEAR4, 0);
}

static void close_all(const int *files, size_t count)
{
	while (count--)
		close(files[count]);
}

static void answer_again(int server, int client, const char *near, const char *wanted)
{
	struct lab_end peer = lab_end(near, ntohs(lab_port_be(client)));

	lab_send(server, &peer, 8);
	lab_hear(client, wanted);
}

/* One set: the ninth flow takes the place of the one heard least recently. */
static void test_evicted(void **state)
{
	int server = server_v4(), clients[SLUICE_FLOW_WAYS + 1], i;

	load(&(struct settings){ .port = PORT, .sets = 1 });
	open_clients(clients, COUNT(clients));
	for (i = 0; i < SLUICE_FLOW_WAYS; i++) {
		lab_exchange(clients[i], server, FAR4, FAR4);
		wait_past(now());
	}
	assert_counted(&programs, COUNTED(learned, 8), COUNTED(fixed, 8));
	/* the first is young again, so that the second is the oldest */
	lab_exchange(clients[0], server, FAR4, FAR4);
	lab_exchange(clients[8], server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(evicted, 1), COUNTED(fixed, 2));
	assert_int_equal(flow_count(), SLUICE_FLOW_WAYS);

	answer_again(server, clients[1], NEAR4, NEAR4);
	assert_counted(&programs, COUNTED(left_no_flow, 1));
	for (i = 0; i < SLUICE_FLOW_WAYS + 1; i++)
		if (i != 1)
			answer_again(server, clients[i], NEAR4, FAR4);
	assert_counted(&programs, COUNTED(fixed, 8));
	close_all(clients, COUNT(clients));
	close(server);
}

/* A flow that another CPU has stored since this one looked at the clock is not the oldest. */
static void test_evicted_not_newest(void **state)
{
	int server = server_v4(), clients[SLUICE_FLOW_WAYS + 1], i;
	struct slot slot;

	load(&(struct settings){ .port = PORT, .sets = 1 });
	open_clients(clients, COUNT(clients));
	for (i = 0; i < SLUICE_FLOW_WAYS; i++)
		lab_exchange(clients[i], server, FAR4, FAR4);
	slot = slot_of(server, clients[5], NEAR4);
	for (i = 0; i < SLUICE_FLOW_WAYS; i++)
		slot.set.seen[i] -= 1000;
	slot.set.seen[slot.way] = now() + 2;
	slot_write(&slot);
	lab_exchange(clients[8], server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(learned, 8), COUNTED(evicted, 1), COUNTED(fixed, 9));
	answer_again(server, clients[5], NEAR4, FAR4);
	assert_counted(&programs, COUNTED(fixed, 1));
	close_all(clients, COUNT(clients));
	close(server);
}

/* All slots were heard in this tick of the clock, and on. */
static void make_equal(int server, int client)
{
	struct slot slot = slot_of(server, client, NEAR4);
	int i;

	for (i = 0; i < SLUICE_FLOW_WAYS; i++)
		slot.set.seen[i] = now() + SLUICE_FLOW_CLOCK_SKEW / 2;
	slot_write(&slot);
}

/* Where the clock can't tell the oldest, not the same slot gives way again and again. */
static void test_evicted_in_turn(void **state)
{
	int server = server_v4(), clients[2 * SLUICE_FLOW_WAYS], i;

	load(&(struct settings){ .port = PORT, .sets = 1 });
	open_clients(clients, COUNT(clients));
	for (i = 0; i < (int)COUNT(clients); i++) {
		lab_exchange(clients[i], server, FAR4, FAR4);
		make_equal(server, clients[i]);
	}
	assert_counted(&programs, COUNTED(learned, 8), COUNTED(evicted, 8), COUNTED(fixed, 16));
	for (i = SLUICE_FLOW_WAYS; i < (int)COUNT(clients); i++)
		answer_again(server, clients[i], NEAR4, FAR4);
	assert_counted(&programs, COUNTED(fixed, 8));
	close_all(clients, COUNT(clients));
	close(server);
}

/* Sets the peer's last datagram back. */
static void make_older(int server, int client, __u32 time)
{
	struct slot slot = slot_of(server, client, NEAR4);

	slot.set.seen[slot.way] -= time;
	slot_write(&slot);
}

static void test_expired(void **state)
{
	const __u32 age = sluice_flow_clock(3600000000000ULL);
	int server = server_v4(), client = lab_socket(NEAR4, 0);

	load(&(struct settings){ .port = PORT, .age = age });
	lab_exchange(client, server, FAR4, FAR4);
	/* an hour less a minute, and then an hour and a minute */
	make_older(server, client, age - age / 60);
	answer_again(server, client, NEAR4, FAR4);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 2));
	make_older(server, client, age / 30);
	answer_again(server, client, NEAR4, NEAR4);
	assert_counted(&programs, COUNTED(left_expired, 1));
	/* heard again, it is as good as new */
	lab_exchange(client, server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(fixed, 1));
	close(client);
	close(server);
}

/* What has expired is no loss: its place is free. */
static void test_expired_gives_way(void **state)
{
	const __u32 age = sluice_flow_clock(3600000000000ULL);
	int server = server_v4(), clients[SLUICE_FLOW_WAYS + 1], i;

	load(&(struct settings){ .port = PORT, .sets = 1, .age = age });
	open_clients(clients, COUNT(clients));
	for (i = 0; i < SLUICE_FLOW_WAYS; i++)
		lab_exchange(clients[i], server, FAR4, FAR4);
	make_older(server, clients[3], age + age / 60);
	lab_exchange(clients[8], server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(learned, 9), COUNTED(fixed, 9));
	answer_again(server, clients[3], NEAR4, NEAR4);
	assert_counted(&programs, COUNTED(left_no_flow, 1));
	close_all(clients, COUNT(clients));
	close(server);
}

/* A link-local peer that was heard through two interfaces: which is meant, nobody can say. */
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
	/* the peer moves; what was ambiguous stays so */
	lab_ask(client, OTHER4, PORT);
	lab_receive(server);
	answer_again(server, client, NEAR4, NEAR4);
	assert_counted(&programs, COUNTED(moved, 1), COUNTED(left_scope, 1));
	close(client);
	close(server);
}

/* --- datagrams out of the ordinary */

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
	lab_ask(client, "239.1.2.3", PORT);
	lab_receive(server);
	assert_counted(&programs, COUNTED(skipped_not_own, 1));
	lab_ask(client, "255.255.255.255", PORT);
	lab_receive(server);
	assert_counted(&programs, COUNTED(skipped_not_own, 1));
	assert_int_equal(flow_count(), 0);

	lab_exchange(client, server, FAR4, FAR4);
	lab_ask(client, "239.1.2.3", PORT);
	lab_receive(server);
	lab_send(server, &peer, 8);
	lab_hear(client, FAR4);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 2),
		       COUNTED(skipped_not_own, 1));
	close(client);
	close(server);
}

/* Options and extension headers of a datagram that a real socket sends. */
static void set_headers(int client4, int client6)
{
	static const char options[8] = { 1, 1, 1, 1, 1, 1, 1, 0 };
	/* next header, length, and options that are but padding */
	static const char extension[8] = { 0, 0, 1, 4 };

	assert_return_code(setsockopt(client4, IPPROTO_IP, IP_OPTIONS, options, sizeof(options)),
			   errno);
	assert_return_code(
		setsockopt(client6, IPPROTO_IPV6, IPV6_HOPOPTS, extension, sizeof(extension)),
		errno);
	assert_return_code(
		setsockopt(client6, IPPROTO_IPV6, IPV6_DSTOPTS, extension, sizeof(extension)),
		errno);
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

/* In fragments both ways; what the socket gets has its headers in one piece, and little more. */
static void exchange_large(int client, int server, const char *addr, const char *wanted,
			   size_t size)
{
	struct lab_end to = lab_end(addr, PORT), peer;

	lab_send(client, &to, size);
	peer = lab_receive(server);
	lab_send(server, &peer, size);
	lab_hear(client, wanted);
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

/* --- the seal */

/* A slot that was caught while it changed is read again under the lock. */
static void test_seal_broken(void **state)
{
	int server = server_dual(), client = lab_socket(NEAR6, 0);
	struct slot slot;

	load(&(struct settings){ .port = PORT });
	lab_exchange(client, server, FAR6, FAR6);
	slot = slot_of(server, client, NEAR6);
	slot.set.flow[slot.way].seal ^= 1ULL << 40;
	slot_write(&slot);
	answer_again(server, client, NEAR6, FAR6);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 2));
	/* nobody mends it but a change */
	lab_exchange(client, server, OTHER6, OTHER6);
	assert_counted(&programs, COUNTED(moved, 1), COUNTED(fixed, 1));
	slot = slot_of(server, client, NEAR6);
	assert_int_equal(slot.set.flow[slot.way].seal,
			 sluice_flow_seal(hash_of(server, client, NEAR6),
					  &slot.set.flow[slot.way].local,
					  slot.set.flow[slot.way].generation, 0));
	close(client);
	close(server);
}

/* --- two CPUs at once */

#define BATCH 64

struct storm {
	atomic_bool over;
	__u32 keys[BATCH]; /* written by swap_sets() */
	struct sluice_flow_set sets[BATCH];
	int *clients; /* asked from, by ask_on() */
	size_t count;
	bool failed;
};

static void *swap_sets(void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_F_LOCK);
	struct storm *storm = arg;

	while (!storm->over && !storm->failed) {
		__u32 count = BATCH;

		storm->failed = bpf_map_update_batch(flows_fd(), storm->keys, storm->sets, &count,
						     &opts);
	}
	return NULL;
}

/* To several peers with one call, which leaves the programs the least time in between. */
static void answer_all(int server, const struct lab_end *peers, size_t count)
{
	struct mmsghdr messages[BATCH];
	size_t i;

	for (i = 0; i < count; i++)
		messages[i] = (struct mmsghdr){ .msg_hdr = message_to(&peers[i]) };
	assert_int_equal(sendmmsg(server, messages, count, 0), count);
}

struct heard {
	__u64 right; /* from the address that was asked */
	__u64 plain; /* from NEAR6: the flow was not found */
	__u64 wrong;
};

/* Whatever answers are there: nobody waits, since on a busy machine waiting is all there would be.
 */
static void hear_all(int client, const struct in6_addr *asked, struct heard *heard)
{
	struct sockaddr_in6 from = { 0 };
	struct in6_addr near;
	socklen_t size;
	char byte;

	inet_pton(AF_INET6, NEAR6, &near);
	while (size = sizeof(from),
	       recvfrom(client, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &size) > 0)
		if (!memcmp(&from.sin6_addr, asked, sizeof(*asked)))
			heard->right++;
		else if (!memcmp(&from.sin6_addr, &near, sizeof(near)))
			heard->plain++;
		else
			heard->wrong++;
}

/*
 * Two flows change places again and again while answers leave. An answer may find its flow gone,
 * and leave from NEAR6; but never with the other flow's address, or half of it.
 */
static void test_seal_holds(void **state)
{
	int server = server_dual(), clients[2] = { lab_socket(NEAR6, 0), lab_socket(NEAR6, 0) };
	struct lab_end asked[2] = { lab_end(FAR6, 0), lab_end(OTHER6, 0) }, peers[BATCH];
	struct storm *storm = calloc(1, sizeof(*storm));
	struct heard heard = { 0 };
	struct slot slot;
	pthread_t thread;
	int i;

	load(&(struct settings){ .port = PORT, .sets = 1 });
	lab_exchange(clients[0], server, FAR6, FAR6);
	lab_exchange(clients[1], server, OTHER6, OTHER6);
	slot = slot_of(server, clients[0], NEAR6);
	for (i = 0; i < BATCH; i++) {
		storm->sets[i] = slot.set;
		peers[i] = lab_end(NEAR6, ntohs(lab_port_be(clients[i & 1])));
	}
	for (i = 0; i < BATCH; i += 2) {
		storm->sets[i].flow[0] = slot.set.flow[1];
		storm->sets[i].flow[1] = slot.set.flow[0];
		storm->sets[i].tag[0] = slot.set.tag[1];
		storm->sets[i].tag[1] = slot.set.tag[0];
	}
	assert_int_equal(pthread_create(&thread, NULL, swap_sets, storm), 0);
	while (heard.right + heard.plain < 200000 && !heard.wrong) {
		answer_all(server, peers, BATCH);
		for (i = 0; i < 2; i++)
			hear_all(clients[i], &asked[i].in6.sin6_addr, &heard);
	}
	storm->over = true;
	pthread_join(thread, NULL);
	assert_false(storm->failed);
	assert_int_equal(heard.wrong, 0);
	assert_true(heard.right > 20000);
	free(storm);
	close_all(clients, 2);
	close(server);
}

/* Each asks again and again at the address that is its own. */
static const char *const own[] = { FAR6, OTHER6, "2001:db8:4::4", "2001:db8:5::5" };

static void *ask_on(void *arg)
{
	struct storm *storm = arg;
	struct lab_end to = { .size = sizeof(to.in6),
			      .in6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) } };
	size_t i;

	for (i = 0; !storm->over && !storm->failed; i = (i + 1) % storm->count) {
		inet_pton(AF_INET6, own[i % COUNT(own)], &to.in6.sin6_addr);
		storm->failed = sendto(storm->clients[i], "ask", 3, 0, &to.any, to.size) != 3;
	}
	return NULL;
}

static __u64 evicted(void)
{
	return programs_counters(&programs).value[SLUICE_REPLY_evicted];
}

#define ASKING 12

/*
 * Two threads ask from 12 sockets each, all in one set of eight, while a third answers: whoever
 * has lost its place is answered from NEAR6, and nobody from the address of another.  It takes as
 * long as the asking threads need to be given a CPU often enough.
 */
static void test_collisions(void **state)
{
	int server = server_dual(), clients[2 * ASKING], i;
	struct sluice_reply_counters counted;
	struct lab_end peers[2 * ASKING];
	struct storm storms[2] = { 0 };
	struct heard heard = { 0 };
	struct in6_addr asked;
	pthread_t threads[2];

	for (i = 2; i < (int)COUNT(own); i++)
		lab_address(own[i], true);
	for (i = 0; i < 2 * ASKING; i++) {
		clients[i] = lab_socket(NEAR6, 0);
		peers[i] = lab_end(NEAR6, ntohs(lab_port_be(clients[i])));
	}
	load(&(struct settings){ .port = PORT, .sets = 1 });
	for (i = 0; i < 2; i++) {
		storms[i].clients = clients + i * ASKING;
		storms[i].count = ASKING;
		assert_int_equal(pthread_create(&threads[i], NULL, ask_on, &storms[i]), 0);
	}
	/* before, the server's socket is not known, and what it sends not counted */
	lab_receive(server);
	while ((heard.right < 5000 || heard.plain < 5000 || evicted() <= 100) && !heard.wrong) {
		answer_all(server, peers, COUNT(peers));
		for (i = 0; i < 2 * ASKING; i++) {
			inet_pton(AF_INET6, own[i % ASKING % COUNT(own)], &asked);
			hear_all(clients[i], &asked, &heard);
		}
	}
	for (i = 0; i < 2; i++) {
		storms[i].over = true;
		pthread_join(threads[i], NULL);
		assert_false(storms[i].failed);
	}
	assert_int_equal(heard.wrong, 0);
	counted = programs_counters(&programs);
	assert_true(counted.value[SLUICE_REPLY_fixed] >= heard.right);
	assert_true(counted.value[SLUICE_REPLY_left_no_flow] >= heard.plain);
	assert_int_equal(counted.value[SLUICE_REPLY_left_expired], 0);
	assert_int_equal(counted.value[SLUICE_REPLY_learned], SLUICE_FLOW_WAYS);
	assert_int_equal(flow_count(), SLUICE_FLOW_WAYS);
	close_all(clients, COUNT(clients));
	close(server);
}

/* --- audit */

static struct sluice_audit audit_of(int server)
{
	__u64 cookie = lab_cookie(server);
	struct sluice_audit audit;

	assert_return_code(bpf_map_lookup_elem(bpf_map__fd(programs.skel->maps.sluice_audits),
					       &cookie, &audit),
			   errno);
	return audit;
}

static void audit(const struct family *family)
{
	int server = family->dual ? server_dual() : server_v4();
	int client = lab_socket(family->near, 0), talks_first = lab_socket(family->near, 0);
	__u32 before = now();
	struct sluice_audit audit;
	struct lab_end peer;

	if (lab_family(family->near) == AF_INET && family->dual)
		peer = lab_end("::ffff:" NEAR4, ntohs(lab_port_be(talks_first)));
	else
		peer = lab_end(family->near, ntohs(lab_port_be(talks_first)));
	/* the answers leave as they would without us */
	lab_exchange(client, server, family->far, family->near);
	lab_exchange(client, server, family->far, family->near);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(audit_wrong, 2));
	audit = audit_of(server);
	assert_int_equal(audit.right, 0);
	assert_int_equal(audit.wrong, 2);
	assert_true((__s32)(sluice_flow_clock(audit.wrong_ns) - before) >= 0 &&
		    (__s32)(now() - sluice_flow_clock(audit.wrong_ns)) >= 0);
	assert_address(&audit.peer, family->near);
	assert_address(&audit.asked, family->far);
	assert_address(&audit.used, family->near);
	assert_int_equal(audit.peer_port_be, lab_port_be(client));
	assert_int_equal(audit.port, PORT);
	assert_int_equal(audit.netns, lab_netns());

	lab_exchange(client, server, family->near, family->near);
	assert_counted(&programs, COUNTED(moved, 1), COUNTED(audit_right, 1));
	audit = audit_of(server);
	assert_int_equal(audit.right, 1);
	assert_int_equal(audit.wrong, 2);
	assert_address(&audit.asked, family->far);

	lab_send(server, &peer, 8);
	lab_hear(talks_first, family->near);
	assert_counted(&programs);
	close(client);
	close(talks_first);
	close(server);
}

static void test_audit(void **state)
{
	load(&(struct settings){ .port = PORT, .audit = true });
	audit(&(struct family){ NEAR4, FAR4, OTHER4, false });
	audit(&(struct family){ NEAR4, FAR4, OTHER4, true });
	audit(&(struct family){ NEAR6, FAR6, OTHER6, true });
}

/* To a peer that it has heard: counted. To a stranger, or after the first time: not. */
static void audit_connect(int (*open_server)(void), const char *near, const char *far)
{
	int server = open_server(), client = lab_socket(near, 0);
	struct sluice_audit audit;
	struct lab_end peer;

	lab_ask(client, far, PORT);
	peer = lab_receive(server);
	assert_counted(&programs, COUNTED(learned, 1));
	assert_return_code(connect(server, &peer.any, peer.size), errno);
	assert_counted(&programs, COUNTED(audit_connect, 1));
	audit = audit_of(server);
	assert_int_equal(audit.connects, 1);
	assert_int_equal(audit.right + audit.wrong, 0);
	assert_address(&audit.connect_peer, near);
	assert_int_equal(audit.connect_port_be, lab_port_be(client));
	assert_int_equal(audit.port, PORT);
	assert_return_code(connect(server, &peer.any, peer.size), errno);
	assert_counted(&programs);
	close(client);
	close(server);
}

static void test_audit_connect(void **state)
{
	int talks_first = server_v4(), bound;
	struct lab_end peer = lab_end(NEAR4, 4000);

	load(&(struct settings){ .port = PORT, .audit = true });
	assert_return_code(connect(talks_first, &peer.any, peer.size), errno);
	close(talks_first);
	bound = server_bound4();
	assert_return_code(connect(bound, &peer.any, peer.size), errno);
	close(bound);
	assert_counted(&programs);
	audit_connect(server_v4, NEAR4, FAR4);
	audit_connect(server_dual, NEAR4, FAR4);
	audit_connect(server_dual, NEAR6, FAR6);
	audit_connect(server_v6only, NEAR6, FAR6);
}

/* Headers of answers as sockets make them: options, extension headers, and what is to be cut. */
static void test_audit_headers(void **state)
{
	int server4 = server_v4(), client4 = lab_socket(NEAR4, 0), client6 = lab_socket(NEAR6, 0);
	int server6 = server_v6only();

	lab_lo_mtu(1500);
	load(&(struct settings){ .port = PORT, .audit = true });
	set_headers(server4, server6);
	lab_exchange(client4, server4, FAR4, NEAR4);
	lab_exchange(client6, server6, FAR6, NEAR6);
	assert_counted(&programs, COUNTED(learned, 2), COUNTED(audit_wrong, 2));
	exchange_large(client4, server4, FAR4, NEAR4, 9000);
	exchange_large(client6, server6, FAR6, NEAR6, 9000);
	assert_counted(&programs, COUNTED(audit_wrong, 2));
	exchange_large(client4, server4, NEAR4, NEAR4, 9000);
	exchange_large(client6, server6, NEAR6, NEAR6, 9000);
	assert_counted(&programs, COUNTED(moved, 2), COUNTED(audit_right, 2));
	close(client4);
	close(client6);
	close(server4);
	close(server6);
}

/* --- fixtures */

static int set_up(void **state)
{
	lab_net();
	lab_cgroup("reply", cgroup);
	lab_enter(cgroup);
	return 0;
}

static int tear_down(void **state)
{
	int fd;

	programs_unload(&programs);
	/* what a failed test left open */
	for (fd = 3; fd < MAX_FILES; fd++)
		if (fcntl(fd, F_GETFD) == FD_CLOEXEC)
			close(fd);
	lab_cgroup_remove(cgroup);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
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
		TEST(evicted),
		TEST(evicted_not_newest),
		TEST(evicted_in_turn),
		TEST(expired),
		TEST(expired_gives_way),
		TEST(scope),
		TEST(group),
		TEST(extensions),
		TEST(fragments),
		TEST(seal_broken),
		TEST(seal_holds),
		TEST(collisions),
		TEST(audit),
		TEST(audit_connect),
		TEST(audit_headers),
	};

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
