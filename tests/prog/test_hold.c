// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs of hold: which datagrams create, defer and end a flow, and which ICMP errors they
 * pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hold_lab.h"

#include "bpf/hold/icmp.skel.h"

#include <linux/pkt_cls.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <sys/wait.h>

static struct hold_lab lab;

static int setup(void **state)
{
	hold_lab_load(&lab, 64);
	return 0;
}

static int teardown(void **state)
{
	hold_lab_unload(&lab);
	return 0;
}

static void send_to(int fd, const char *peer, unsigned int port, size_t size)
{
	struct lab_end to = lab_end(peer, port);

	lab_send(fd, &to, size);
}

/* Sends a datagram from the peer to a socket, without waiting for the socket to read it. */
static void answer(int fd, const char *peer, unsigned int port)
{
	bool six = lab_family(peer) == AF_INET6;
	struct shape shape = { .source = peer,
			       .target = six ? HERE6 : HERE4,
			       .source_port = (uint16_t)port,
			       .target_port = ntohs(lab_port_be(fd)),
			       .payload = 5 };

	lab_arrive(&lab, &shape);
}

static struct sluice_hold_flow flow_of(int fd, const char *peer, unsigned int port)
{
	bool six = lab_family(peer) == AF_INET6;

	return hold_slot(&lab, hold_find(&lab, six ? HERE6 : HERE4, lab_port_be(fd), peer, port));
}

static bool is_tracked(int fd, const char *peer, unsigned int port)
{
	bool six = lab_family(peer) == AF_INET6;

	return hold_find(&lab, six ? HERE6 : HERE4, lab_port_be(fd), peer, port);
}

/* Longer than a tick of the programs' clock. */
static void wait_tick(void)
{
	usleep(400000);
}

/* --- recorded datagrams */

static void check_directions(const char *any, const char *peer)
{
	__u64 before = hold_now(), after;
	struct sluice_hold_flow flow;
	int fd = lab_socket(any, 0);

	send_to(fd, peer, PORT, 5);
	after = hold_now();
	flow = flow_of(fd, peer, PORT);
	assert_in_range(flow.out_ns, before, after);
	assert_int_equal(flow.out, 1);
	assert_int_equal(flow.in, 0);
	assert_int_equal(flow.cookie, lab_cookie(fd));
	assert_int_equal(flow.ifindex, lab.ifindex);
	hold_counted(&lab, HOLD_COUNTED(flows, 1));
	wait_tick();
	before = hold_now();
	answer(fd, peer, PORT);
	lab_receive(fd);
	/* only outgoing datagrams defer a keepalive */
	assert_int_equal(flow_of(fd, peer, PORT).out_ns, flow.out_ns);
	flow = flow_of(fd, peer, PORT);
	assert_in_range(flow.in_ns, before, hold_now());
	assert_int_equal(flow.answered_ns, flow.in_ns);
	assert_int_equal(flow.in, 1);
	assert_int_equal(flow.in_ttl, 64);
	hold_counted(&lab, HOLD_COUNTED(answered, 1));
	before = hold_now();
	send_to(fd, peer, PORT, 5);
	flow = flow_of(fd, peer, PORT);
	assert_in_range(flow.out_ns, before, hold_now());
	assert_int_equal(flow.out, 2);
	/* the clock is read once per tick */
	send_to(fd, peer, PORT, 5);
	assert_int_equal(flow_of(fd, peer, PORT).out, 3);
	assert_in_range(flow_of(fd, peer, PORT).out_ns, flow.out_ns, hold_now());
	hold_counted(&lab, 0);
	close(fd);
}

static void test_directions(void **state)
{
	check_directions("0.0.0.0", PEER4);
	check_directions("::", PEER6);
}

static void test_socket_options(void **state)
{
	int fd = lab_socket("0.0.0.0", PORT);

	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "tun0", 5), errno);
	lab_option(fd, SOL_SOCKET, SO_MARK, 77);
	send_to(fd, PEER4, 9, 5);
	assert_int_equal(flow_of(fd, PEER4, 9).mark, 77);
	assert_int_equal(flow_of(fd, PEER4, 9).bound_if, lab.ifindex);
	lab_option(fd, SOL_SOCKET, SO_MARK, 78);
	send_to(fd, PEER4, 9, 5);
	assert_int_equal(flow_of(fd, PEER4, 9).mark, 78);
	close(fd);
}

/* Datagrams to several peers in turn update the right flows. */
static void test_peers_in_turn(void **state)
{
	int fd = lab_socket("0.0.0.0", PORT), i;

	for (i = 0; i < 30; i++)
		send_to(fd, PEER4, 100 + (unsigned int)i % 3, 5);
	for (i = 0; i < 3; i++) {
		assert_int_equal(flow_of(fd, PEER4, 100 + (unsigned int)i).out, 10);
		answer(fd, PEER4, 100 + (unsigned int)i);
		lab_receive(fd);
		assert_int_equal(flow_of(fd, PEER4, 100 + (unsigned int)i).in, 1);
	}
	hold_counted(&lab, HOLD_COUNTED(flows, 3), HOLD_COUNTED(answered, 3));
	close(fd);
}

/* --- unrecorded datagrams */

static void test_unmanaged(void **state)
{
	int fd = lab_socket("0.0.0.0", 0);

	send_to(fd, PEER4, PORT + 1, 5);
	answer(fd, PEER4, PORT + 1);
	lab_receive(fd);
	/* no NAT is on the path to these addresses */
	send_to(fd, "192.0.2.1", PORT, 5);
	send_to(fd, "127.0.0.1", PORT, 5);
	send_to(fd, "224.0.0.251", PORT, 5);
	send_to(fd, "169.254.1.1", PORT, 5);
	hold_counted(&lab, 0);
	assert_int_equal(hold_slot(&lab, 1).serial, 0);
	assert_int_equal(hold_open_sockets(&lab), 0);
	close(fd);
}

/* A flood from spoofed sources creates no flow. */
static void test_spoofed(void **state)
{
	int fd = lab_socket("0.0.0.0", PORT);
	unsigned int i;

	send_to(fd, PEER4, 9, 5);
	for (i = 1000; i < 1100; i++)
		answer(fd, PEER4, i);
	answer(fd, "203.0.113.77", 9);
	hold_counted(&lab, HOLD_COUNTED(flows, 1));
	assert_int_equal(flow_of(fd, PEER4, 9).in, 0);
	assert_int_equal(hold_slot(&lab, 0).serial, 1); /* slot 0 counts the used slots */
	close(fd);
}

static void send_raw(int protocol, unsigned int source, const char *peer)
{
	struct lab_end to = lab_end(peer, 0);
	uint16_t udp[6] = { htons((uint16_t)source), htons(PORT), htons(12) };
	int fd = socket(to.any.sa_family, SOCK_RAW | SOCK_CLOEXEC, protocol);

	assert_return_code(fd, errno);
	assert_int_equal(sendto(fd, udp, sizeof(udp), 0, &to.any, to.size), sizeof(udp));
	close(fd);
}

static void test_other_protocols(void **state)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDPLITE);
	int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDPLITE);

	/* UDP-Lite was removed in 7.1 */
	if (fd >= 0)
		send_to(fd, PEER4, PORT, 5);
	if (fd6 >= 0)
		send_to(fd6, PEER6, PORT, 5);
	/* raw sockets, also with IPPROTO_UDP as the source port */
	send_raw(IPPROTO_UDP, PORT, PEER4);
	send_raw(IPPROTO_UDP, IPPROTO_UDP, PEER4);
	send_raw(IPPROTO_UDP, PORT, PEER6);
	send_raw(IPPROTO_SCTP, PORT, PEER4);
	send_raw(IPPROTO_SCTP, PORT, PEER6);
	assert_int_not_equal(lab_left(&lab), 0);
	hold_counted(&lab, 0);
	if (fd >= 0)
		close(fd);
	if (fd6 >= 0)
		close(fd6);
}

/* A raw socket that receives all UDP gets a copy of the datagram; the copy is not counted. */
static void test_copies(void **state)
{
	int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
	int fd = lab_socket("0.0.0.0", PORT);

	assert_return_code(raw, errno);
	send_to(fd, PEER4, 9, 5);
	answer(fd, PEER4, 9);
	lab_receive(fd);
	assert_int_equal(flow_of(fd, PEER4, 9).in, 1);
	close(raw);
	close(fd);
}

/* --- IPv6 extension headers, and fragments */

static void test_extension_headers(void **state)
{
	static const uint8_t padding[8] = { 0, 0, 1, 4 };
	int fd = lab_socket("::", 0);
	struct shape shape = { .source = PEER6,
			       .target = HERE6,
			       .source_port = PORT,
			       .target_port = ntohs(lab_port_be(fd)),
			       .payload = 5 };

	assert_return_code(setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, padding, sizeof(padding)),
			   errno);
	send_to(fd, PEER6, PORT, 5);
	send_to(fd, PEER6, PORT, 5);
	assert_int_equal(flow_of(fd, PEER6, PORT).out, 2);
	shape.chain = "hd";
	lab_arrive(&lab, &shape);
	lab_receive(fd);
	shape.chain = "d";
	lab_arrive(&lab, &shape);
	lab_receive(fd);
	assert_int_equal(flow_of(fd, PEER6, PORT).in, 2);
	hold_counted(&lab, HOLD_COUNTED(flows, 1), HOLD_COUNTED(answered, 1));
	close(fd);
}

static void test_ip4_options(void **state)
{
	static const uint8_t none[4] = { 1, 1, 1, 0 };
	int fd = lab_socket("0.0.0.0", 0);
	struct shape shape = { .source = PEER4,
			       .target = HERE4,
			       .source_port = PORT,
			       .target_port = ntohs(lab_port_be(fd)),
			       .payload = 5,
			       .options = 8 };

	assert_return_code(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, none, sizeof(none)), errno);
	send_to(fd, PEER4, PORT, 5);
	lab_arrive(&lab, &shape);
	lab_receive(fd);
	assert_int_equal(flow_of(fd, PEER4, PORT).out, 1);
	assert_int_equal(flow_of(fd, PEER4, PORT).in, 1);
	close(fd);
}

static void check_fragments(const char *any, const char *peer)
{
	bool six = lab_family(peer) == AF_INET6;
	int fd = lab_socket(any, 0);
	struct shape shape = { .source = peer,
			       .target = six ? HERE6 : HERE4,
			       .source_port = PORT,
			       .target_port = ntohs(lab_port_be(fd)),
			       .payload = 2000,
			       .chain = six ? "f" : NULL,
			       .fragment = true,
			       .id = 5 };

	lab_left(&lab);
	send_to(fd, peer, PORT, 4000);
	assert_int_equal(lab_left(&lab), 3);
	assert_int_equal(flow_of(fd, peer, PORT).out, 1);
	shape.to = 1000;
	lab_arrive(&lab, &shape);
	assert_int_equal(flow_of(fd, peer, PORT).in, 0);
	shape.from = 1000;
	shape.to = 2008;
	lab_arrive(&lab, &shape);
	lab_receive(fd);
	assert_int_equal(flow_of(fd, peer, PORT).in, 1);
	hold_counted(&lab, HOLD_COUNTED(flows, 1), HOLD_COUNTED(answered, 1));
	close(fd);
}

static void test_fragments(void **state)
{
	check_fragments("0.0.0.0", PEER4);
	check_fragments("::", PEER6);
}

/* --- the table */

static void test_table_full(void **state)
{
	int fd = lab_socket("0.0.0.0", PORT), other = lab_socket("0.0.0.0", 0);
	struct sluice_hold_flow flow;
	unsigned int i;
	__u32 slot;

	for (i = 0; i < 64; i++) {
		send_to(fd, PEER4, 1000 + i, 5);
		answer(fd, PEER4, 1000 + i);
	}
	hold_counted(&lab, HOLD_COUNTED(flows, 64), HOLD_COUNTED(answered, 64));
	for (i = 0; i < 3; i++)
		send_to(other, PEER4, PORT, 5);
	assert_false(is_tracked(other, PEER4, PORT));
	hold_counted(&lab, HOLD_COUNTED(table_full, 3));

	/* a flow without an answer is protected for only 30 seconds */
	slot = hold_find(&lab, HERE4, lab_port_be(fd), PEER4, 1005);
	flow = hold_slot(&lab, slot);
	flow.in = flow.in_ns = 0;
	hold_slot_set(&lab, slot, &flow);
	for (i = 0; i < 2; i++)
		send_to(other, PEER4, PORT, 5);
	assert_false(is_tracked(other, PEER4, PORT));
	flow.out_ns -= 31 * SECOND;
	hold_slot_set(&lab, slot, &flow);
	for (i = 0; i < 2; i++)
		send_to(other, PEER4, PORT, 5);
	assert_true(is_tracked(other, PEER4, PORT));
	assert_false(is_tracked(fd, PEER4, 1005));
	hold_counted(&lab, HOLD_COUNTED(table_full, 3), HOLD_COUNTED(replaced, 1),
		     HOLD_COUNTED(flows, 1));

	/* a flow of a closed socket is not protected */
	close(fd);
	send_to(other, PEER4, PORT, 5);
	fd = lab_socket("0.0.0.0", 0);
	send_to(fd, PEER4, PORT, 5);
	assert_true(is_tracked(fd, PEER4, PORT));
	assert_true(is_tracked(other, PEER4, PORT));
	hold_counted(&lab, HOLD_COUNTED(replaced, 1), HOLD_COUNTED(flows, 1));
	close(other);
	close(fd);
}

/* A namespace that has filled the table does not block another namespace, only itself. */
static void test_table_shared(void **state)
{
	int fd = lab_socket("0.0.0.0", PORT), tun = lab.tun, other, first, i;
	__u32 second;

	for (i = 0; i < 64; i++) {
		send_to(fd, PEER4, 1000 + (unsigned int)i, 5);
		answer(fd, PEER4, 1000 + (unsigned int)i);
	}
	send_to(fd, PEER4, 999, 5);
	hold_counted(&lab, HOLD_COUNTED(flows, 64), HOLD_COUNTED(answered, 64),
		     HOLD_COUNTED(table_full, 1));
	first = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	hold_lab_net(&lab);
	other = lab_socket("0.0.0.0", PORT);
	for (i = 0; i < 40; i++) {
		send_to(other, PEER4, 1000 + (unsigned int)i, 5);
		answer(other, PEER4, 1000 + (unsigned int)i);
	}
	/* each namespace gets half of the table */
	hold_counted(&lab, HOLD_COUNTED(flows, 32), HOLD_COUNTED(answered, 32),
		     HOLD_COUNTED(replaced, 32), HOLD_COUNTED(table_full, 8));
	assert_true(is_tracked(other, PEER4, 1031));
	second = lab_netns();
	assert_return_code(setns(first, CLONE_NEWNET), errno);
	assert_int_not_equal(lab_netns(), second);
	close(lab.tun);
	lab.tun = tun;
	send_to(fd, PEER4, 998, 5);
	hold_counted(&lab, HOLD_COUNTED(table_full, 1));
	close(first);
	close(other);
	close(fd);
}

/* --- sockets */

static void test_closed(void **state)
{
	int fd = lab_socket("0.0.0.0", PORT), copy;
	__u64 cookie = lab_cookie(fd), closes = 0;
	__u32 number = cookie % SLUICE_HOLD_CLOSES;
	int map = bpf_map__fd(lab.skel->maps.sluice_closes);

	send_to(fd, PEER4, 9, 5);
	assert_true(hold_socket_known(&lab, cookie));
	assert_int_equal(hold_open_sockets(&lab), 1);
	/* another descriptor, as in another process, keeps the socket open */
	copy = dup(fd);
	close(fd);
	assert_true(hold_socket_known(&lab, cookie));
	close(copy);
	assert_false(hold_socket_known(&lab, cookie));
	assert_int_equal(hold_open_sockets(&lab), 0);
	bpf_map_lookup_elem(map, &number, &closes);
	assert_int_equal(closes, 1);
}

/* An unbound socket gets another port when it reconnects, which ends its earlier flows. */
static void test_port_changed(void **state)
{
	struct lab_end to = lab_end(PEER4, PORT), none = { .size = sizeof(none.any) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), keep;
	struct sluice_hold_socket socket;
	__u64 cookie;
	__be16 port_be;

	assert_return_code(connect(fd, &to.any, to.size), errno);
	assert_int_equal(send(fd, "", 1, 0), 1);
	port_be = lab_port_be(fd);
	cookie = lab_cookie(fd);
	none.any.sa_family = AF_UNSPEC;
	assert_return_code(connect(fd, &none.any, none.size), errno);
	/* occupy the old port */
	keep = lab_socket("0.0.0.0", ntohs(port_be));
	assert_return_code(connect(fd, &to.any, to.size), errno);
	assert_int_equal(send(fd, "", 1, 0), 1);
	assert_int_not_equal(lab_port_be(fd), port_be);
	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(lab.skel->maps.sluice_socks), &cookie, &socket),
		errno);
	assert_int_equal(socket.port_be, lab_port_be(fd));
	assert_int_equal(hold_open_sockets(&lab), 1);
	close(keep);
	close(fd);
	assert_int_equal(hold_open_sockets(&lab), 0);
}

/* A new socket takes over the address and port of a flow. */
static void test_successor(void **state)
{
	int fd = lab_socket("0.0.0.0", PORT), next;
	__u64 first = lab_cookie(fd);

	send_to(fd, PEER4, 9, 5);
	close(fd);
	next = lab_socket("0.0.0.0", PORT);
	assert_int_equal(flow_of(next, PEER4, 9).cookie, first);
	send_to(next, PEER4, 9, 5);
	assert_int_equal(flow_of(next, PEER4, 9).cookie, lab_cookie(next));
	assert_int_equal(flow_of(next, PEER4, 9).out, 2);
	assert_false(hold_socket_known(&lab, first));
	assert_true(hold_socket_known(&lab, lab_cookie(next)));
	hold_counted(&lab, HOLD_COUNTED(flows, 1));
	close(next);
}

/* Two sockets share a port: the flow belongs to the last sender. */
static void test_shared_port(void **state)
{
	int fd[2], i, next;

	for (i = 0; i < 2; i++) {
		struct lab_end any = lab_end("0.0.0.0", PORT);

		fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		lab_option(fd[i], SOL_SOCKET, SO_REUSEPORT, 1);
		assert_return_code(bind(fd[i], &any.any, any.size), errno);
	}
	for (i = 0; i < 5; i++) {
		next = fd[i % 2];
		send_to(next, PEER4, 9, 5);
		assert_int_equal(flow_of(next, PEER4, 9).cookie, lab_cookie(next));
	}
	assert_int_equal(flow_of(fd[0], PEER4, 9).out, 5);
	assert_int_equal(hold_open_sockets(&lab), 2);
	close(fd[1]);
	assert_true(hold_socket_known(&lab, lab_cookie(fd[0])));
	close(fd[0]);
}

/*
 * IPsec queues a datagram until it has a key, and the socket is closed meanwhile. When the datagram
 * leaves, the socket must not count as open.
 */
static void test_closed_before_it_left(void **state)
{
	int fd = lab_socket("0.0.0.0", 0), i;
	__u64 cookie = lab_cookie(fd);

	if (system("ip xfrm policy add src " HERE4 " dst " PEER4
		   " dir out tmpl proto esp mode transport 2>/dev/null")) {
		close(fd);
		skip();
	}
	lab_command("sysctl -qw net.core.xfrm_larval_drop=0");
	send_to(fd, PEER4, PORT, 5);
	lab_left(&lab);
	assert_false(is_tracked(fd, PEER4, PORT));
	close(fd);
	lab_command("ip xfrm policy update src " HERE4 " dst " PEER4 " dir out");
	for (i = 0; i < 500 && !lab_left(&lab); i++)
		usleep(10000);
	assert_int_not_equal(i, 500);
	assert_false(hold_socket_known(&lab, cookie));
	assert_int_equal(hold_open_sockets(&lab), 0);
}

/* --- the NAT of this host */

/* A flow has the addresses and ports of the socket, before NAT translation. */
static void test_own_nat(void **state)
{
	int fd = lab_socket("0.0.0.0", PORT);
	struct shape shape = { .source = PEER4,
			       .target = HERE4,
			       .source_port = 9,
			       .target_port = 40000,
			       .payload = 5 };

	lab_command("nft 'add table ip nat;"
		    " add chain ip nat post { type nat hook postrouting priority 100; };"
		    " add rule ip nat post oifname tun0 meta l4proto udp masquerade to :40000'");
	send_to(fd, PEER4, 9, 5);
	send_to(fd, PEER4, 9, 5);
	assert_int_equal(flow_of(fd, PEER4, 9).out, 2);
	lab_arrive(&lab, &shape);
	lab_receive(fd);
	assert_int_equal(flow_of(fd, PEER4, 9).in, 1);
	hold_counted(&lab, HOLD_COUNTED(flows, 1), HOLD_COUNTED(answered, 1));
	close(fd);
}

/* --- ICMP errors */

#define SEED 0x1234567890abcdefULL

static struct icmp_bpf *icmp_load(__u32 payload_len)
{
	struct icmp_bpf *skel = icmp_bpf__open();
	struct bpf_map *map, *own;

	assert_non_null(skel);
	skel->rodata->seed = SEED;
	skel->rodata->payload_len = payload_len;
	bpf_object__for_each_map(map, skel->obj) {
		own = bpf_object__find_map_by_name(lab.skel->obj, bpf_map__name(map));
		if (!bpf_map__is_internal(map))
			assert_int_equal(bpf_map__reuse_fd(map, bpf_map__fd(own)), 0);
	}
	assert_int_equal(icmp_bpf__load(skel), 0);
	return skel;
}

static __u32 mark_of(const char *peer, unsigned int port)
{
	struct sluice_addr addr = { .word_be = { 0, 0, htonl(0xffff), 0 } };

	inet_pton(lab_family(peer), peer,
		  lab_family(peer) == AF_INET6 ? (void *)&addr : &addr.word_be[3]);
	return sluice_hold_id(SEED, &addr, htons((uint16_t)port));
}

/* An error from @reporter about a datagram of this host to port 9 of the peer. */
struct message {
	const char *reporter, *peer;
	__be16 port_be;
	bool marked; /* the quoted datagram has the mark of a keepalive */
	size_t payload;
	uint8_t type, code;
	size_t options;
};

/* Returns true if the program passes the message. */
static bool passes(const struct icmp_bpf *skel, const struct message *message)
{
	bool six = lab_family(message->peer) == AF_INET6;
	__u32 mark = message->marked ? mark_of(message->peer, 9) : 0x4711;
	struct shape quoted = { .source = six ? HERE6 : HERE4,
				.target = message->peer,
				.source_port = ntohs(message->port_be),
				.target_port = 9,
				.payload = message->payload,
				.options = message->options,
				.id = six ? 0 : sluice_hold_id4(mark) };
	struct shape shape = { .source = message->reporter,
			       .target = six ? HERE6 : HERE4,
			       .body = BODY_ICMP,
			       .type = message->type,
			       .code = message->code,
			       .options = message->options,
			       .quoted = &quoted };
	struct frame frame;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame.byte);

	build_frame(&shape, &frame);
	if (six) {
		uint32_t word = htonl(6U << 28 | sluice_hold_label(mark));

		memcpy(frame.byte + 14 + 40 + 8, &word, sizeof(word));
	}
	opts.data_size_in = (__u32)frame.len;
	assert_return_code(
		bpf_prog_test_run_opts(bpf_program__fd(skel->progs.sluice_hold_icmp), &opts),
		errno);
	assert_true(opts.retval == (__u32)TC_ACT_UNSPEC || opts.retval == TC_ACT_SHOT);
	return opts.retval != TC_ACT_SHOT;
}

#define ROUTER4 "198.51.100.7"
#define ROUTER6 "2001:db8:7::7"

/* Only errors about keepalives are dropped, whatever their type. */
static void test_icmp_of_keepalives(void **state)
{
	struct icmp_bpf *skel = icmp_load(0), *zero = icmp_load(1);
	__be16 port_be = htons(4000);
	const struct message
		expired4 = { ROUTER4, PEER4, port_be, true, 0, ICMP_TIME_EXCEEDED, 0 },
		expired6 = { ROUTER6, PEER6, port_be, true, 0, ICMP6_TIME_EXCEEDED, 0 },
		refused4 = { ROUTER4, PEER4, port_be, true, 0, ICMP_DEST_UNREACH, 13 },
		refused6 = { ROUTER6, PEER6, port_be, true, 0, ICMP6_DST_UNREACH, 1 },
		closed4 = { PEER4, PEER4, port_be, true, 0, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH };
	struct message other;

	assert_false(passes(skel, &expired4));
	assert_false(passes(skel, &expired6));
	assert_false(passes(skel, &refused4));
	assert_false(passes(skel, &refused6));
	assert_false(passes(skel, &closed4));
	other = expired4;
	other.options = 8;
	assert_false(passes(skel, &other));
	/* keepalives of this load have a payload */
	assert_true(passes(zero, &expired4));
	other = expired4;
	other.payload = 1;
	assert_false(passes(zero, &other));
	/* errors about datagrams of the application: another mark, or a longer datagram */
	assert_true(passes(skel, &other));
	other = expired4;
	other.marked = false;
	assert_true(passes(skel, &other));
	other = expired6;
	other.marked = false;
	assert_true(passes(skel, &other));
	other = expired4;
	other.type = ICMP_ECHO;
	assert_true(passes(skel, &other));
	icmp_bpf__destroy(skel);
	icmp_bpf__destroy(zero);
}

static __u64 unreachable_of(int fd)
{
	return flow_of(fd, PEER4, 9).unreachable_ns;
}

/* Port unreachable ends a flow only if it comes from the peer, soon after a datagram. */
static void test_icmp_unreachable(void **state)
{
	struct icmp_bpf *skel = icmp_load(0);
	int fd = lab_socket("0.0.0.0", PORT);
	struct message closed = {
		PEER4, PEER4, lab_port_be(fd), false, 5, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH
	};
	struct message other = closed;
	struct sluice_hold_flow flow;
	struct sluice_hold_kept kept;
	__u32 slot;

	send_to(fd, PEER4, 9, 5);
	other.reporter = ROUTER4;
	assert_true(passes(skel, &other));
	other = closed;
	other.code = ICMP_HOST_UNREACH;
	assert_true(passes(skel, &other));
	other = closed;
	other.port_be = htons(PORT + 1);
	assert_true(passes(skel, &other));
	assert_int_equal(unreachable_of(fd), 0);
	assert_true(passes(skel, &closed));
	assert_int_not_equal(unreachable_of(fd), 0);
	/* the peer has returned */
	answer(fd, PEER4, 9);
	lab_receive(fd);
	assert_int_equal(unreachable_of(fd), 0);

	/* the flow was silent, so this error must be forged */
	slot = hold_find(&lab, HERE4, lab_port_be(fd), PEER4, 9);
	flow = hold_slot(&lab, slot);
	flow.out_ns -= 11 * SECOND;
	hold_slot_set(&lab, slot, &flow);
	assert_true(passes(skel, &closed));
	assert_int_equal(unreachable_of(fd), 0);
	/* an error about a keepalive counts, because only sluice knows its mark */
	other = closed;
	other.marked = true;
	other.payload = 0;
	assert_false(passes(skel, &other));
	assert_int_equal(unreachable_of(fd), 0);
	kept = (struct sluice_hold_kept){ .serial = flow.serial, .kept_ns = hold_now() };
	bpf_map_update_elem(bpf_map__fd(lab.skel->maps.sluice_kept), &slot, &kept, 0);
	assert_false(passes(skel, &other));
	assert_int_not_equal(unreachable_of(fd), 0);
	icmp_bpf__destroy(skel);
	close(fd);
}

/* Packets that are truncated anywhere pass. */
static void test_short(void **state)
{
	struct shape quoted = {
		.source = HERE4, .target = PEER4, .source_port = 1, .target_port = 9
	};
	struct shape quoted6 = {
		.source = HERE6, .target = PEER6, .source_port = 1, .target_port = 9
	};
	const struct shape shapes[] = {
		{ .source = PEER4, .target = HERE4, .source_port = PORT, .target_port = 9 },
		{ .source = PEER6,
		  .target = HERE6,
		  .source_port = PORT,
		  .target_port = 9,
		  .chain = "hd" },
		{ .source = ROUTER4,
		  .target = HERE4,
		  .body = BODY_ICMP,
		  .type = 11,
		  .quoted = &quoted },
		{ .source = ROUTER6,
		  .target = HERE6,
		  .body = BODY_ICMP,
		  .type = 3,
		  .quoted = &quoted6 },
	};
	struct icmp_bpf *skel = icmp_load(0);
	int progs[] = { bpf_program__fd(lab.skel->progs.sluice_hold_out),
			bpf_program__fd(lab.skel->progs.sluice_hold_in),
			bpf_program__fd(skel->progs.sluice_hold_icmp) };
	struct frame frame;
	size_t i, prog, length;

	for (i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		build_frame(&shapes[i], &frame);
		for (length = 14 + 1; length < frame.len; length++) {
			for (prog = 0; prog < 3; prog++) {
				struct __sk_buff ctx = { .ifindex = lab.ifindex };
				LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame.byte,
					    .data_size_in = (__u32)length, .ctx_in = &ctx,
					    .ctx_size_in = sizeof(ctx));

				/* the kernel refuses packets shorter than the IP header */
				if (bpf_prog_test_run_opts(progs[prog], &opts))
					continue;
				assert_int_equal((int)opts.retval, prog < 2 ? 1 : TC_ACT_UNSPEC);
			}
		}
	}
	assert_int_equal(hold_slot(&lab, 1).serial, 0);
	icmp_bpf__destroy(skel);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_directions),
		TEST(test_socket_options),
		TEST(test_peers_in_turn),
		TEST(test_unmanaged),
		TEST(test_spoofed),
		TEST(test_other_protocols),
		TEST(test_copies),
		TEST(test_extension_headers),
		TEST(test_ip4_options),
		TEST(test_fragments),
		TEST(test_table_full),
		TEST(test_table_shared),
		TEST(test_closed),
		TEST(test_port_changed),
		TEST(test_successor),
		TEST(test_closed_before_it_left),
		TEST(test_own_nat),
		TEST(test_shared_port),
		TEST(test_icmp_of_keepalives),
		TEST(test_icmp_unreachable),
		TEST(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
