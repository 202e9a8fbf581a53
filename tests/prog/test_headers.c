// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs every header shape through sluice_learn and sluice_audit in the running kernel: each packet
 * passes. Malformed packets are counted; TCP and ICMP are not.
 *
 * BPF_PROG_TEST_RUN (net/bpf/test_run.c) runs the programs on the test's packet and a dummy socket
 * with port 0 and the packet's source address. An unspecified source address makes the socket look
 * like a server on the wildcard address. Each run creates a new socket, so a well-formed datagram
 * starts a new flow. Tests that need a real socket are in test_reply.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "lab.h"
#include "programs.h"

#include <sluice/packet.h>

#define PASS	  1
#define FRAME_MAX 4096
#define COUNT(a)  (sizeof(a) / sizeof(*(a)))

struct frame {
	__u8 bytes[FRAME_MAX];
	size_t len;
};

static struct programs programs;

/* The expected result for a packet. */
enum outcome {
	NOTHING, /* not UDP, or not managed */
	REFUSED,
	LEARNED,
	NOT_OWN, /* destination address is not local */
	NOT_RUN, /* the kernel refuses to run the packet */
};

static const char *const outcomes[] = { "not for us", "refused", "learned", "not to us",
					"not run" };

/* --- building packets */

static __u8 *add(struct frame *frame, size_t size)
{
	__u8 *header = frame->bytes + frame->len;

	assert_true(frame->len + size <= FRAME_MAX);
	memset(header, 0, size);
	frame->len += size;
	return header;
}

static void put16(__u8 *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void add_eth(struct frame *frame, unsigned int proto)
{
	frame->len = 0;
	put16(add(frame, ETH_HLEN) + 12, proto);
}

/* Adds a UDP header with the length @claimed, and @payload real bytes. */
static void add_udp(struct frame *frame, unsigned int claimed, unsigned int payload)
{
	__u8 *header = add(frame, 8 + payload);

	put16(header, 40000);
	put16(header + 2, 53);
	put16(header + 4, claimed);
}

struct shape4 {
	const char *name;
	unsigned int ihl, protocol, fragment, payload;
	int total_off, udp_off; /* errors added to each length field */
	enum outcome outcome;
};

#define DF    0x4000
#define MORE  0x2000
#define AT(n) ((n) / 8)

/* The kernel trims bytes after the UDP length (RFC 9868) before the program runs. */
static const struct shape4 shapes4[] = {
	{ "plain", 5, IPPROTO_UDP, DF, 9, 0, 0, LEARNED },
	{ "no payload", 5, IPPROTO_UDP, 0, 0, 0, 0, LEARNED },
	{ "one word of options", 6, IPPROTO_UDP, 0, 4, 0, 0, LEARNED },
	{ "all options", 15, IPPROTO_UDP, 0, 4, 0, 0, LEARNED },
	{ "long", 5, IPPROTO_UDP, 0, 1400, 0, 0, LEARNED },
	{ "bytes after the packet", 5, IPPROTO_UDP, 0, 20, -8, -8, LEARNED },
	{ "bytes after the datagram", 5, IPPROTO_UDP, 0, 20, 0, -8, LEARNED },
	{ "first fragment", 5, IPPROTO_UDP, MORE, 16, 0, 1000, LEARNED },
	{ "header of no words", 0, IPPROTO_UDP, 0, 4, 0, 0, REFUSED },
	{ "header too short", 4, IPPROTO_UDP, 0, 4, 0, 0, REFUSED },
	{ "middle fragment", 5, IPPROTO_UDP, MORE | AT(64), 16, 0, 0, REFUSED },
	{ "last fragment", 5, IPPROTO_UDP, AT(64), 16, 0, 0, REFUSED },
	{ "fragment beyond 65535", 5, IPPROTO_UDP, 0x1fff, 16, 0, 0, REFUSED },
	{ "total length 0", 5, IPPROTO_UDP, 0, 4, -32, 0, REFUSED },
	{ "total length within the header", 6, IPPROTO_UDP, 0, 4, -16, 0, REFUSED },
	{ "total length cuts the UDP header", 5, IPPROTO_UDP, 0, 4, -5, 0, REFUSED },
	{ "surplus after UDP", 5, IPPROTO_UDP, 0, 4, 1, 0, LEARNED },
	{ "as much surplus as can be", 5, IPPROTO_UDP, 0, 4, 65535 - 32, 0, LEARNED },
	{ "UDP length 0", 5, IPPROTO_UDP, 0, 4, 0, -12, REFUSED },
	{ "UDP length below its header", 5, IPPROTO_UDP, 0, 4, 0, -5, REFUSED },
	{ "UDP length too long", 5, IPPROTO_UDP, 0, 4, 0, 1, REFUSED },
	{ "TCP", 5, IPPROTO_TCP, 0, 20, 0, 0, NOTHING },
	{ "TCP that lies", 4, IPPROTO_TCP, 0, 20, 99, 0, NOTHING },
	{ "ICMP", 5, IPPROTO_ICMP, 0, 20, 0, 0, NOTHING },
	{ "protocol 0", 5, 0, 0, 20, 0, 0, NOTHING },
	{ "AH", 5, IPPROTO_AH, 0, 20, 0, 0, NOTHING },
	{ "UDP-Lite", 5, IPPROTO_UDPLITE, 0, 20, 0, 0, NOTHING },
};

static void build4(struct frame *frame, const struct shape4 *shape)
{
	unsigned int options = shape->ihl > 5 ? (shape->ihl - 5) * 4 : 0;
	__u8 *header;

	add_eth(frame, ETH_P_IP);
	header = add(frame, 20 + options);
	header[0] = 0x40 | shape->ihl;
	put16(header + 2, 20 + options + 8 + shape->payload + shape->total_off);
	put16(header + 4, 4711);
	put16(header + 6, shape->fragment);
	header[8] = 64;
	header[9] = shape->protocol;
	inet_pton(AF_INET, FAR4, header + 16);
	memset(header + 20, IPOPT_NOOP, options);
	add_udp(frame, 8 + shape->payload + shape->udp_off, shape->payload);
}

#define CHAIN_MAX 10
#define END	  256

struct shape6 {
	const char *name;
	/* next headers in order; the last one is the L4 protocol */
	unsigned int chain[CHAIN_MAX + 1];
	unsigned int length; /* field of the first extension header */
	unsigned int detail; /* bytes 2 and 3 of a fragment or routing header */
	int payload_off, udp_off;
	enum outcome outcome;
};

#define UDP	IPPROTO_UDP, END
#define HOP	IPPROTO_HOPOPTS
#define ROUTING IPPROTO_ROUTING
#define FRAG	IPPROTO_FRAGMENT
#define DST	IPPROTO_DSTOPTS

static const struct shape6 shapes6[] = {
	{ "plain", { UDP }, 0, 0, 0, 0, LEARNED },
	{ "hop-by-hop options", { HOP, UDP }, 0, 0, 0, 0, LEARNED },
	{ "long hop-by-hop options", { HOP, UDP }, 3, 0, 0, 0, LEARNED },
	{ "destination options", { DST, UDP }, 0, 0, 0, 0, LEARNED },
	{ "routing, none left", { ROUTING, UDP }, 0, 0, 0, 0, LEARNED },
	{ "routing, one left", { ROUTING, UDP }, 2, 1, 0, 0, LEARNED },
	{ "authentication", { IPPROTO_AH, UDP }, 4, 0, 0, 0, LEARNED },
	{ "atomic fragment", { FRAG, UDP }, 0, 0, 0, 0, LEARNED },
	{ "first fragment", { FRAG, UDP }, 0, 1, 0, 999, LEARNED },
	{ "all of them", { HOP, DST, ROUTING, FRAG, IPPROTO_AH, DST, UDP }, 0, 0, 0, 0, LEARNED },
	{ "eight", { HOP, DST, DST, DST, DST, DST, DST, DST, UDP }, 0, 0, 0, 0, LEARNED },
	{ "nine", { HOP, DST, DST, DST, DST, DST, DST, DST, DST, UDP }, 0, 0, 0, 0, REFUSED },
	{ "bytes after the packet", { UDP }, 0, 0, -6, -6, LEARNED },
	{ "middle fragment", { FRAG, UDP }, 0, 65, 0, 0, REFUSED },
	{ "last fragment", { FRAG, UDP }, 0, 64, 0, 0, REFUSED },
	{ "fragment beyond 65535", { FRAG, UDP }, 0, 0xfff8, 0, 0, REFUSED },
	{ "two fragment headers", { FRAG, FRAG, UDP }, 0, 0, 0, 0, REFUSED },
	{ "hop-by-hop options second", { DST, HOP, UDP }, 0, 0, 0, 0, REFUSED },
	{ "hop-by-hop options twice", { HOP, HOP, UDP }, 0, 0, 0, 0, REFUSED },
	{ "hop-by-hop options too long", { HOP, UDP }, 255, 0, -2040, 0, REFUSED },
	{ "destination options too long", { DST, UDP }, 9, 0, -72, 0, REFUSED },
	{ "authentication too long", { IPPROTO_AH, UDP }, 200, 0, -800, 0, REFUSED },
	{ "payload length 0", { UDP }, 0, 0, -20, 0, REFUSED },
	{ "jumbogram", { HOP, UDP }, 0, 0, -28, 0, REFUSED },
	{ "payload length cuts the UDP header", { UDP }, 0, 0, -13, 0, REFUSED },
	{ "surplus after UDP", { UDP }, 0, 0, 1, 0, LEARNED },
	{ "UDP length 0", { UDP }, 0, 0, 0, -20, REFUSED },
	{ "UDP length below its header", { UDP }, 0, 0, 0, -13, REFUSED },
	{ "UDP length too long", { DST, UDP }, 0, 0, 0, 1, REFUSED },
	{ "TCP", { IPPROTO_TCP, END }, 0, 0, 0, 0, NOTHING },
	{ "TCP that lies", { IPPROTO_TCP, END }, 0, 0, 9, 0, NOTHING },
	{ "TCP after options", { HOP, IPPROTO_TCP, END }, 0, 0, 0, 0, NOTHING },
	{ "ICMPv6", { IPPROTO_ICMPV6, END }, 0, 0, 0, 0, NOTHING },
	{ "ICMPv6 after options", { DST, IPPROTO_ICMPV6, END }, 0, 0, 0, 0, NOTHING },
	{ "ESP", { IPPROTO_ESP, END }, 0, 0, 0, 0, NOTHING },
	{ "no next header", { IPPROTO_NONE, END }, 0, 0, 0, 0, NOTHING },
	{ "no next header after options", { DST, IPPROTO_NONE, END }, 0, 0, 0, 0, NOTHING },
	{ "mobility", { IPPROTO_MH, END }, 0, 0, 0, 0, NOTHING },
};

static size_t extension_size(unsigned int type, unsigned int length)
{
	if (type == FRAG)
		return 8;
	return type == IPPROTO_AH ? (length + 2) * 4 : (length + 1) * 8;
}

static void build6(struct frame *frame, const struct shape6 *shape)
{
	const unsigned int *type;
	__u8 *header;

	add_eth(frame, ETH_P_IPV6);
	header = add(frame, 40);
	header[0] = 0x60;
	header[6] = shape->chain[0];
	header[7] = 64;
	inet_pton(AF_INET6, FAR6, header + 24);
	for (type = shape->chain; type[1] != END; type++) {
		/* AH has at least 12 bytes, aligned to 16 on IPv6 */
		unsigned int least = *type == IPPROTO_AH ? 2 : 0;
		unsigned int length = type == shape->chain && shape->length ? shape->length : least;
		__u8 *extension = add(frame, extension_size(*type, length));

		extension[0] = type[1];
		extension[1] = *type == FRAG ? 0 : length;
		if (*type == FRAG || *type == ROUTING)
			put16(extension + 2, shape->detail);
	}
	add_udp(frame, 20 + shape->udp_off, 12);
	put16(frame->bytes + ETH_HLEN + 4, frame->len - ETH_HLEN - 40 + shape->payload_off);
}

/* --- running them */

/* Returns false if the kernel cannot build a packet from the frame. */
static bool run(const struct bpf_program *prog, const struct frame *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes,
		    .data_size_in = (__u32)frame->len, .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts)) {
		assert_int_equal(errno, EINVAL);
		return false;
	}
	assert_int_equal(opts.retval, PASS);
	return true;
}

/*
 * Returns the outcome of the packet according to the counters. At most one counter may have
 * changed.
 */
static enum outcome run_outcome(const struct bpf_program *prog, const struct frame *frame)
{
	struct sluice_reply_counters before = programs_counters(&programs), after;
	enum outcome outcome = NOTHING;
	__u64 all = 0;
	int i;

	if (!run(prog, frame))
		return NOT_RUN;
	after = programs_counters(&programs);
	for (i = 0; i < SLUICE_REPLY_COUNTERS_MAX; i++) {
		if (after.value[i] == before.value[i])
			continue;
		all += after.value[i] - before.value[i];
		if (i == SLUICE_REPLY_skipped_header)
			outcome = REFUSED;
		else if (i == SLUICE_REPLY_learned || i == SLUICE_REPLY_evicted)
			outcome = LEARNED;
		else if (i == SLUICE_REPLY_skipped_not_own)
			outcome = NOT_OWN;
		else
			fail_msg("counter %d", i);
	}
	assert_int_equal(all, outcome != NOTHING);
	return outcome;
}

static void assert_outcome(const struct frame *frame, enum outcome wanted, const char *name)
{
	enum outcome outcome = run_outcome(programs.skel->progs.sluice_learn, frame);

	if (outcome != wanted)
		fail_msg("%s: %s, wanted: %s", name, outcomes[outcome], outcomes[wanted]);
}

static void test_shapes4(void **state)
{
	struct frame frame;
	size_t i;

	for (i = 0; i < COUNT(shapes4); i++) {
		build4(&frame, &shapes4[i]);
		assert_outcome(&frame, shapes4[i].outcome, shapes4[i].name);
	}
}

static void test_shapes6(void **state)
{
	struct frame frame;
	size_t i;

	for (i = 0; i < COUNT(shapes6); i++) {
		build6(&frame, &shapes6[i]);
		assert_outcome(&frame, shapes6[i].outcome, shapes6[i].name);
	}
}

/* Tests an EtherType that contradicts the IP version. */
static void test_version(void **state)
{
	struct frame frame;

	build4(&frame, &shapes4[0]);
	frame.bytes[ETH_HLEN] = 0x65;
	assert_outcome(&frame, REFUSED, "version 6 in IPv4");
	build6(&frame, &shapes6[0]);
	frame.bytes[ETH_HLEN] = 0x40;
	assert_outcome(&frame, REFUSED, "version 4 in IPv6");
	frame.bytes[ETH_HLEN] = 0;
	assert_outcome(&frame, REFUSED, "version 0");
}

/* Learns only datagrams to local addresses. */
static void test_target(void **state)
{
	static const char *const others4[] = { "239.1.2.3", "255.255.255.255", "127.255.255.255",
					       "198.51.100.3", "0.0.0.0" };
	static const char *const others6[] = { "ff02::1", "2001:db8:2::3", "::" };
	struct frame frame;
	size_t i;

	build4(&frame, &shapes4[0]);
	for (i = 0; i < COUNT(others4); i++) {
		inet_pton(AF_INET, others4[i], frame.bytes + ETH_HLEN + 16);
		assert_outcome(&frame, NOT_OWN, others4[i]);
	}
	inet_pton(AF_INET, "127.4.5.6", frame.bytes + ETH_HLEN + 16);
	assert_outcome(&frame, LEARNED, "127.4.5.6");
	build6(&frame, &shapes6[0]);
	for (i = 0; i < COUNT(others6); i++) {
		inet_pton(AF_INET6, others6[i], frame.bytes + ETH_HLEN + 24);
		assert_outcome(&frame, NOT_OWN, others6[i]);
	}
	inet_pton(AF_INET6, "::1", frame.bytes + ETH_HLEN + 24);
	assert_outcome(&frame, LEARNED, "::1");
}

/* The cheap checks precede the parser: a datagram to an unmanaged socket is not parsed. */
static void test_not_managed(void **state)
{
	struct programs other;
	struct frame frame;

	build4(&frame, &shapes4[0]);
	frame.bytes[ETH_HLEN + 15] = 1;
	assert_outcome(&frame, NOTHING, "socket bound to an IPv4 address");
	build6(&frame, &shapes6[0]);
	frame.bytes[ETH_HLEN + 8] = 1;
	assert_outcome(&frame, NOTHING, "socket bound to an IPv6 address");
	frame.bytes[ETH_HLEN + 8] = 0;
	frame.bytes[ETH_HLEN + 23] = 1;
	assert_outcome(&frame, NOTHING, "socket bound to ::1");

	programs_load(&other, &(struct settings){ .port = 1 });
	build4(&frame, &shapes4[0]);
	assert_true(run(other.skel->progs.sluice_learn, &frame));
	assert_counted(&other);
	programs_unload(&other);
}

/* The socket of a test run, like a client's, was never bound with bind(2). */
static void test_client(void **state)
{
	struct programs any;
	struct frame frame;

	programs_load(&any, &(struct settings){ .any_port = true });
	build4(&frame, &shapes4[0]);
	assert_true(run(any.skel->progs.sluice_learn, &frame));
	assert_counted(&any, COUNTED(skipped_client, 1));
	build6(&frame, &shapes6[0]);
	assert_true(run(any.skel->progs.sluice_learn, &frame));
	assert_counted(&any, COUNTED(skipped_client, 1));
	programs_unload(&any);
}

/* --- comparison of the parser in the kernel with the same code in user space */

/*
 * Returns true for the first protocol number of an uncounted packet, or for the socket's address.
 */
static bool worth_parsing(const __u8 *ip, size_t len, bool ip4)
{
	static const __u8 unspecified[16];

	if (ip4)
		return len >= 20 && ip[9] == IPPROTO_UDP && !memcmp(ip + 12, unspecified, 4);
	return len >= 40 && ip[6] != IPPROTO_TCP && ip[6] != IPPROTO_ICMPV6 &&
	       !memcmp(ip + 8, unspecified, 16);
}

static bool is_own(const struct in6_addr *addr)
{
	struct in6_addr far4, far6;

	inet_pton(AF_INET6, "::ffff:" FAR4, &far4);
	inet_pton(AF_INET6, FAR6, &far6);
	return !memcmp(addr, &far4, sizeof(far4)) || !memcmp(addr, &far6, sizeof(far6));
}

static enum outcome expected(struct frame *frame)
{
	__u8 *ip = frame->bytes + ETH_HLEN;
	size_t len = frame->len - ETH_HLEN;
	bool ip4 = frame->bytes[12] == 0x08;
	struct packet_cursor cursor = packet_begin(ip, ip + len, len,
						   htons(ip4 ? ETH_P_IP : ETH_P_IPV6));
	enum packet_verdict verdict;
	struct packet_udp udp;
	struct packet_ip parsed;

	if (!worth_parsing(ip, len, ip4))
		return NOTHING;
	verdict = packet_parse_ip(&cursor, PACKET_DELIVERED, &parsed);
	if (verdict == PACKET_OK)
		verdict = packet_parse_udp(&cursor, &parsed, &udp);
	if (verdict != PACKET_OK)
		return verdict == PACKET_NOT_UDP ? NOTHING : REFUSED;
	return is_own(&parsed.daddr) ? LEARNED : NOT_OWN;
}

struct tally {
	const char *name;
	__u64 outcomes[COUNT(outcomes)];
};

static void tally_run(struct tally *tally, struct frame *frame)
{
	enum outcome outcome = run_outcome(programs.skel->progs.sluice_learn, frame);
	enum outcome wanted = expected(frame);

	tally->outcomes[outcome]++;
	if (outcome != NOT_RUN && outcome != wanted)
		fail_msg("%s, damaged: %s, in user space: %s", tally->name, outcomes[outcome],
			 outcomes[wanted]);
}

/* Truncates the frame after each byte, and modifies each byte of its headers. */
static void tally_damage(struct tally *tally, const struct frame *frame)
{
	static const __u8 changes[] = { 0x01, 0x10, 0x80, 0xff };
	struct frame damaged = *frame;
	size_t i, change;

	for (damaged.len = ETH_HLEN; damaged.len < frame->len; damaged.len++)
		tally_run(tally, &damaged);
	for (i = ETH_HLEN; i < frame->len && i < ETH_HLEN + 150; i++)
		for (change = 0; change < sizeof(changes); change++) {
			damaged.bytes[i] ^= changes[change];
			tally_run(tally, &damaged);
			damaged.bytes[i] = frame->bytes[i];
		}
}

static void test_damage(void **state)
{
	struct tally tally = { 0 };
	struct frame frame;
	size_t i;

	for (i = 0; i < COUNT(shapes4); i++) {
		tally.name = shapes4[i].name;
		build4(&frame, &shapes4[i]);
		tally_damage(&tally, &frame);
	}
	for (i = 0; i < COUNT(shapes6); i++) {
		tally.name = shapes6[i].name;
		build6(&frame, &shapes6[i]);
		tally_damage(&tally, &frame);
	}
	for (i = 0; i < COUNT(tally.outcomes); i++)
		print_message("%s: %llu\n", outcomes[i], (unsigned long long)tally.outcomes[i]);
	/* each outcome must occur, or the test would cover too little */
	assert_true(tally.outcomes[NOTHING] > 1000 && tally.outcomes[REFUSED] > 1000 &&
		    tally.outcomes[LEARNED] > 1000 && tally.outcomes[NOT_OWN] > 500);
}

/* --- sluice_audit, which stops after parsing, since the socket of a test run has no record */

static void test_audit(void **state)
{
	struct programs audit;
	struct frame frame;
	size_t i;

	programs_load(&audit, &(struct settings){ .port = 0, .audit = true });
	for (i = 0; i < COUNT(shapes4); i++) {
		build4(&frame, &shapes4[i]);
		assert_true(run(audit.skel->progs.sluice_audit, &frame));
	}
	for (i = 0; i < COUNT(shapes6); i++) {
		build6(&frame, &shapes6[i]);
		assert_true(run(audit.skel->progs.sluice_audit, &frame));
	}
	assert_counted(&audit);
	programs_unload(&audit);
}

static int set_up(void **state)
{
	lab_net();
	programs_load(&programs, &(struct settings){ .port = 0 });
	return 0;
}

static int tear_down(void **state)
{
	programs_unload(&programs);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(shapes4),	   TEST(shapes6), TEST(version), TEST(target),
		TEST(not_managed), TEST(client),  TEST(damage),	 TEST(audit),
	};

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}
