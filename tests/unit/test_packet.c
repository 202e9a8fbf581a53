/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the packet parser: all header shapes, truncated at each byte, and all wrong
 * lengths.
 *
 * A test builds a frame from the outermost header inward, then parses it as the BPF programs do.
 * Each parse runs on a heap copy with the exact size of the frame, at an odd address, so that the
 * sanitizers detect overreads. Each parse also checks that a rejected header leaves cursor and
 * result unchanged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sluice/packet.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define FRAME_MAX	  8192
#define NO_ETH		  0
#define WITH_ETH	  1

struct frame {
	__u8 bytes[FRAME_MAX];
	__u32 len;
};

/* The depth that parsing reached, and the result of each layer. */
struct parsed {
	enum packet_verdict verdict;
	struct packet_cursor cursor;
	struct packet_ip ip;
	struct packet_udp udp;
	struct packet_icmp_error error;
	struct packet_ip inner;
	struct packet_udp inner_udp;
};

static const __u8 addr4[2][4] = { { 172, 17, 0, 3 }, { 172, 16, 13, 13 } };
static const __u8 addr6[2][16] = {
	{ 0xfd, 1, [15] = 3 },
	{ 0xfd, 2, 0, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 13 },
};

static __u8 *frame_add(struct frame *frame, __u32 size)
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
	put16(frame_add(frame, 14) + 12, proto);
}

static void add_vlan(struct frame *frame, unsigned int proto)
{
	__u8 *tag = frame_add(frame, 4);

	put16(tag, 42);
	put16(tag + 2, proto);
}

static __u8 *add_ipv4_options(struct frame *frame, __u8 protocol, unsigned int payload, __u8 ihl)
{
	__u8 *header = frame_add(frame, ihl * 4U);

	memset(header, 1, ihl * 4U);
	header[0] = 0x40 | ihl;
	put16(header + 2, ihl * 4U + payload);
	put16(header + 4, 0x1234);
	put16(header + 6, 0);
	header[9] = protocol;
	memcpy(header + 12, addr4[0], 4);
	memcpy(header + 16, addr4[1], 4);
	return header;
}

static __u8 *add_ipv4(struct frame *frame, __u8 protocol, unsigned int payload)
{
	return add_ipv4_options(frame, protocol, payload, 5);
}

static __u8 *add_ipv6(struct frame *frame, __u8 next, unsigned int payload)
{
	__u8 *header = frame_add(frame, 40);

	header[0] = 0x60;
	put16(header + 4, payload);
	header[6] = next;
	memcpy(header + 8, addr6[0], 16);
	memcpy(header + 24, addr6[1], 16);
	return header;
}

static __u8 *add_extension(struct frame *frame, __u8 next, __u8 units, __u32 size)
{
	__u8 *header = frame_add(frame, size);

	header[0] = next;
	header[1] = units;
	return header;
}

static void add_fragment(struct frame *frame, __u8 next, unsigned int off, unsigned int more)
{
	__u8 *header = add_extension(frame, next, 0, 8);

	put16(header + 2, off | more);
	put16(header + 4, 0xdead);
	put16(header + 6, 0xbeef);
}

static void add_udp(struct frame *frame, unsigned int len, __u32 payload)
{
	__u8 *header = frame_add(frame, 8 + payload);

	put16(header, 38908);
	put16(header + 2, 56789);
	put16(header + 4, len);
	put16(header + 6, 0xabcd);
}

static void add_icmp(struct frame *frame, __u8 type, __u8 code)
{
	__u8 *header = frame_add(frame, 8);

	header[0] = type;
	header[1] = code;
}

/* Parses one layer. A rejection must leave cursor and result unchanged. */
#define PARSE(parsed, out, call)                                                         \
	do {                                                                             \
		const struct packet_cursor before = (parsed)->cursor;                    \
		__u8 poison[sizeof(*(out))];                                             \
                                                                                         \
		memset(poison, 0xa5, sizeof(poison));                                    \
		memcpy((out), poison, sizeof(poison));                                   \
		(parsed)->verdict = (call);                                              \
		if ((parsed)->verdict != PACKET_OK) {                                    \
			assert_memory_equal((out), poison, sizeof(poison));              \
			assert_memory_equal(&(parsed)->cursor, &before, sizeof(before)); \
			return;                                                          \
		}                                                                        \
	} while (0)

static void parse_layers(struct parsed *parsed, int with_eth)
{
	struct packet_cursor *cursor = &parsed->cursor;
	__u8 nothing;

	if (with_eth)
		PARSE(parsed, &nothing, packet_parse_eth(cursor));
	PARSE(parsed, &parsed->ip, packet_parse_ip(cursor, PACKET_WHOLE, &parsed->ip));
	if (parsed->ip.protocol != IPPROTO_ICMP && parsed->ip.protocol != IPPROTO_ICMPV6) {
		PARSE(parsed, &parsed->udp, packet_parse_udp(cursor, &parsed->ip, &parsed->udp));
		return;
	}
	PARSE(parsed, &parsed->error, packet_parse_icmp_error(cursor, &parsed->ip, &parsed->error));
	PARSE(parsed, &parsed->inner, packet_parse_ip(cursor, PACKET_QUOTED, &parsed->inner));
	PARSE(parsed, &parsed->inner_udp,
	      packet_parse_udp(cursor, &parsed->inner, &parsed->inner_udp));
}

/* Parses a packet of @len bytes, of which the first @there bytes are linear. */
static struct parsed parse_part(const struct frame *frame, __u32 there, __u32 len, int with_eth,
				unsigned int proto)
{
	struct parsed parsed = {};
	__u8 *copy = malloc(there + 1);

	assert_non_null(copy);
	memcpy(copy + 1, frame->bytes, there);
	parsed.cursor = packet_begin(copy + 1, copy + 1 + there, len, PACKET_BE16(proto));
	parse_layers(&parsed, with_eth);
	free(copy);
	return parsed;
}

static struct parsed parse_proto(const struct frame *frame, unsigned int proto)
{
	return parse_part(frame, frame->len, frame->len, NO_ETH, proto);
}

static struct parsed parse(const struct frame *frame)
{
	return parse_proto(frame, 0);
}

static struct parsed parse_eth(const struct frame *frame)
{
	return parse_part(frame, frame->len, frame->len, WITH_ETH, 0);
}

#define assert_verdict(frame, expected) assert_int_equal(parse(frame).verdict, expected)

/* A complete datagram, cut anywhere: TRUNCATED. With linear headers: OK. */
static void check_cuts(const struct frame *frame, int with_eth)
{
	struct parsed whole = parse_part(frame, frame->len, frame->len, with_eth, 0);
	__u32 n;

	assert_int_equal(whole.verdict, PACKET_OK);
	for (n = 0; n < frame->len; n++)
		assert_int_equal(parse_part(frame, n, n, with_eth, 0).verdict, PACKET_TRUNCATED);
	for (n = 0; n <= frame->len; n++)
		assert_int_equal(parse_part(frame, n, frame->len, with_eth, 0).verdict,
				 n < whole.cursor.off ? PACKET_TRUNCATED : PACKET_OK);
}

static void assert_addrs4(const struct packet_ip *ip)
{
	static const __u8 prefix[12] = { [10] = 0xff, [11] = 0xff };

	assert_memory_equal(&ip->saddr, prefix, 12);
	assert_memory_equal(&ip->daddr, prefix, 12);
	assert_memory_equal((const __u8 *)&ip->saddr + 12, addr4[0], 4);
	assert_memory_equal((const __u8 *)&ip->daddr + 12, addr4[1], 4);
	assert_int_equal(ip->version, 4);
}

static void assert_addrs6(const struct packet_ip *ip)
{
	assert_memory_equal(&ip->saddr, addr6[0], 16);
	assert_memory_equal(&ip->daddr, addr6[1], 16);
	assert_int_equal(ip->version, 6);
}

static void assert_udp(const struct packet_udp *udp, unsigned int len)
{
	assert_int_equal(PACKET_BE16(udp->source_be), 38908);
	assert_int_equal(PACKET_BE16(udp->dest_be), 56789);
	assert_int_equal(PACKET_BE16(udp->check_be), 0xabcd);
	assert_int_equal(udp->len, len);
}

static void test_ipv4_udp(void **state)
{
	struct frame frame = {};
	struct parsed parsed;

	(void)state;
	add_ipv4(&frame, IPPROTO_UDP, 15);
	add_udp(&frame, 15, 7);
	parsed = parse(&frame);
	assert_int_equal(parsed.verdict, PACKET_OK);
	assert_addrs4(&parsed.ip);
	assert_int_equal(parsed.ip.protocol, IPPROTO_UDP);
	assert_int_equal(parsed.ip.total_len, 35);
	assert_int_equal(parsed.ip.l3_off, 0);
	assert_int_equal(parsed.ip.l4_off, 20);
	assert_int_equal(parsed.ip.fragment, PACKET_UNFRAGMENTED);
	assert_int_equal(parsed.ip.fragment_id_be, PACKET_BE16(0x1234));
	assert_int_equal(parsed.ip.addresses_fixed, 0);
	assert_udp(&parsed.udp, 15);
	assert_int_equal(parsed.cursor.off, 28);
	assert_int_equal(parsed.cursor.len, 35);
	check_cuts(&frame, NO_ETH);
}

static void test_ipv4_ihl(void **state)
{
	struct parsed parsed;
	__u8 ihl;

	(void)state;
	for (ihl = 5; ihl <= 15; ihl++) {
		struct frame frame = {};

		add_ipv4_options(&frame, IPPROTO_UDP, 9, ihl);
		add_udp(&frame, 9, 1);
		parsed = parse(&frame);
		assert_int_equal(parsed.verdict, PACKET_OK);
		assert_int_equal(parsed.ip.l4_off, ihl * 4);
		assert_udp(&parsed.udp, 9);
		check_cuts(&frame, NO_ETH);
		/* a total length that ends within the header */
		put16(frame.bytes + 2, ihl * 4 - 1);
		assert_verdict(&frame, PACKET_LYING);
	}
	for (ihl = 0; ihl < 5; ihl++) {
		struct frame frame = {};

		add_ipv4(&frame, IPPROTO_UDP, 9)[0] = 0x40 | ihl;
		add_udp(&frame, 9, 1);
		assert_verdict(&frame, PACKET_LYING);
	}
}

static void test_ipv4_total_len(void **state)
{
	struct frame frame = {};

	(void)state;
	add_ipv4(&frame, IPPROTO_UDP, 12);
	add_udp(&frame, 12, 4);
	put16(frame.bytes + 2, 33);
	assert_verdict(&frame, PACKET_TRUNCATED);
	put16(frame.bytes + 2, 65535);
	assert_verdict(&frame, PACKET_TRUNCATED);
	put16(frame.bytes + 2, 19);
	assert_verdict(&frame, PACKET_LYING);
	put16(frame.bytes + 2, 0);
	assert_verdict(&frame, PACKET_JUMBO);
	/* the header announces no UDP, whatever follows */
	put16(frame.bytes + 2, 27);
	assert_verdict(&frame, PACKET_LYING_UDP);
	put16(frame.bytes + 2, 31);
	assert_verdict(&frame, PACKET_LYING_UDP);
	put16(frame.bytes + 2, 32);
	assert_verdict(&frame, PACKET_OK);
}

static void test_version(void **state)
{
	struct frame four = {}, six = {};
	int version;

	(void)state;
	add_ipv4(&four, IPPROTO_UDP, 8);
	add_udp(&four, 8, 0);
	add_ipv6(&six, IPPROTO_UDP, 8);
	add_udp(&six, 8, 0);
	assert_int_equal(parse_proto(&four, ETH_P_IP).verdict, PACKET_OK);
	assert_int_equal(parse_proto(&four, ETH_P_IPV6).verdict, PACKET_LYING);
	assert_int_equal(parse_proto(&four, ETH_P_ARP).verdict, PACKET_NOT_IP);
	assert_int_equal(parse_proto(&six, ETH_P_IPV6).verdict, PACKET_OK);
	assert_int_equal(parse_proto(&six, ETH_P_IP).verdict, PACKET_LYING);
	for (version = 0; version < 16; version++) {
		if (version == 4 || version == 6)
			continue;
		four.bytes[0] = version << 4 | 5;
		assert_int_equal(parse(&four).verdict, PACKET_NOT_IP);
		assert_int_equal(parse_proto(&four, ETH_P_IP).verdict, PACKET_LYING);
	}
}

static void test_ethernet(void **state)
{
	static const unsigned int others[] = { ETH_P_ARP, 46, 0x0600, 0xffff };
	struct frame frame = {};
	struct parsed parsed;
	size_t i;

	(void)state;
	add_eth(&frame, ETH_P_IP);
	add_ipv4(&frame, IPPROTO_UDP, 10);
	add_udp(&frame, 10, 2);
	check_cuts(&frame, WITH_ETH);
	frame_add(&frame, 6);
	parsed = parse_eth(&frame);
	assert_int_equal(parsed.verdict, PACKET_OK);
	assert_int_equal(parsed.ip.l3_off, 14);
	assert_int_equal(parsed.ip.l4_off, 34);
	assert_int_equal(parsed.cursor.len, 44);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		put16(frame.bytes + 12, others[i]);
		assert_int_equal(parse_eth(&frame).verdict, PACKET_NOT_IP);
	}
	put16(frame.bytes + 12, ETH_P_IPV6);
	assert_int_equal(parse_eth(&frame).verdict, PACKET_LYING);
}

static void test_vlan(void **state)
{
	static const unsigned int outer[] = { ETH_P_8021Q, ETH_P_8021AD };
	struct frame frame = {};
	struct parsed parsed;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(outer); i++) {
		frame.len = 0;
		add_eth(&frame, outer[i]);
		add_vlan(&frame, ETH_P_IP);
		add_ipv4(&frame, IPPROTO_UDP, 8);
		add_udp(&frame, 8, 0);
		check_cuts(&frame, WITH_ETH);

		frame.len = 0;
		add_eth(&frame, outer[i]);
		add_vlan(&frame, ETH_P_8021Q);
		add_vlan(&frame, ETH_P_IPV6);
		add_ipv6(&frame, IPPROTO_UDP, 8);
		add_udp(&frame, 8, 0);
		check_cuts(&frame, WITH_ETH);
		parsed = parse_eth(&frame);
		assert_int_equal(parsed.ip.l3_off, 22);
		assert_addrs6(&parsed.ip);

		frame.len = 0;
		add_eth(&frame, outer[i]);
		add_vlan(&frame, ETH_P_8021Q);
		add_vlan(&frame, ETH_P_8021Q);
		add_vlan(&frame, ETH_P_IP);
		add_ipv4(&frame, IPPROTO_UDP, 8);
		add_udp(&frame, 8, 0);
		assert_int_equal(parse_eth(&frame).verdict, PACKET_TOO_DEEP);
	}
}

/* Bytes in the padding after the IP packet are never parsed as a header. */
static void test_padding(void **state)
{
	struct frame frame = {};

	(void)state;
	add_ipv4(&frame, IPPROTO_UDP, 0);
	add_udp(&frame, 8, 18);
	assert_verdict(&frame, PACKET_LYING_UDP);

	frame.len = 0;
	add_ipv4(&frame, IPPROTO_ICMP, 8 + 20 + 4);
	add_icmp(&frame, 3, 3);
	add_ipv4(&frame, IPPROTO_UDP, 8);
	add_udp(&frame, 8, 18);
	assert_verdict(&frame, PACKET_TRUNCATED);

	frame.len = 0; /* half an ICMP header of another type */
	add_ipv4(&frame, IPPROTO_ICMP, 4);
	add_icmp(&frame, 8, 0);
	assert_verdict(&frame, PACKET_TRUNCATED);

	frame.len = 0; /* the same for a quoted header of another protocol */
	add_ipv6(&frame, IPPROTO_ICMPV6, 8 + 39);
	add_icmp(&frame, 1, 4);
	add_ipv6(&frame, IPPROTO_TCP, 8);
	frame_add(&frame, 8);
	assert_verdict(&frame, PACKET_TRUNCATED);

	frame.len = 0; /* half a quoted header, whose padding would make the header invalid */
	add_ipv4(&frame, IPPROTO_ICMP, 8 + 18);
	add_icmp(&frame, 3, 3);
	add_ipv4(&frame, IPPROTO_UDP, 8);
	put16(frame.bytes + 28 + 2, 0);
	assert_verdict(&frame, PACKET_TRUNCATED);

	frame.len = 0;
	add_ipv6(&frame, IPPROTO_DSTOPTS, 4);
	add_extension(&frame, IPPROTO_UDP, 0, 8);
	add_udp(&frame, 8, 0);
	assert_verdict(&frame, PACKET_LYING_EXTENSION);
}

static void test_udp_length(void **state)
{
	static const struct {
		unsigned int len;
		enum packet_verdict four, six;
	} cases[] = {
		{ 0, PACKET_LYING_UDP, PACKET_JUMBO },
		{ 1, PACKET_LYING_UDP, PACKET_LYING_UDP },
		{ 7, PACKET_LYING_UDP, PACKET_LYING_UDP },
		{ 8, PACKET_OK, PACKET_OK },
		{ 20, PACKET_OK, PACKET_OK },
		{ 21, PACKET_LYING_UDP, PACKET_LYING_UDP },
		{ 65535, PACKET_LYING_UDP, PACKET_LYING_UDP },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct frame frame = {};

		add_ipv4(&frame, IPPROTO_UDP, 20);
		add_udp(&frame, cases[i].len, 12);
		assert_verdict(&frame, cases[i].four);
		frame.len = 0;
		add_ipv6(&frame, IPPROTO_UDP, 20);
		add_udp(&frame, cases[i].len, 12);
		assert_verdict(&frame, cases[i].six);
	}
}

static void test_other_protocols(void **state)
{
	static const __u8 protocols[] = { IPPROTO_TCP, IPPROTO_SCTP, IPPROTO_ESP, IPPROTO_NONE,
					  IPPROTO_UDPLITE };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(protocols); i++) {
		struct frame frame = {};
		struct parsed parsed;

		add_ipv4(&frame, protocols[i], 0);
		parsed = parse(&frame);
		assert_int_equal(parsed.verdict, PACKET_NOT_UDP);
		assert_int_equal(parsed.ip.protocol, protocols[i]);
		frame.len = 0;
		add_ipv6(&frame, protocols[i], 0);
		parsed = parse(&frame);
		assert_int_equal(parsed.verdict, PACKET_NOT_UDP);
		assert_int_equal(parsed.ip.protocol, protocols[i]);
	}
}

/* AH in IPv4 is not parsed, so its packets must not be rewritten. */
static void test_ipv4_ah(void **state)
{
	struct frame frame = {};
	struct parsed parsed;

	(void)state;
	add_ipv4(&frame, IPPROTO_AH, 24);
	frame_add(&frame, 24);
	parsed = parse(&frame);
	assert_int_equal(parsed.verdict, PACKET_NOT_UDP);
	assert_int_equal(parsed.ip.addresses_fixed, 1);
}

static void test_ipv4_fragments(void **state)
{
	struct frame frame = {};
	struct parsed parsed;
	__u8 *header;

	(void)state;
	header = add_ipv4(&frame, IPPROTO_UDP, 24);
	add_udp(&frame, 8000, 16);
	put16(header + 6, 0x2000);
	parsed = parse(&frame);
	assert_int_equal(parsed.verdict, PACKET_OK);
	assert_int_equal(parsed.ip.fragment, PACKET_FIRST_FRAGMENT);
	assert_int_equal(parsed.ip.more_fragments, 1);
	assert_int_equal(parsed.ip.fragment_off, 0);
	assert_udp(&parsed.udp, 8000);
	put16(header + 6, 0x4000); /* DF alone does not make a fragment */
	assert_verdict(&frame, PACKET_LYING_UDP);
	put16(header + 6, 0x2000 | 185);
	parsed = parse(&frame);
	assert_int_equal(parsed.verdict, PACKET_NO_L4);
	assert_int_equal(parsed.ip.fragment, PACKET_LATER_FRAGMENT);
	assert_int_equal(parsed.ip.more_fragments, 1);
	assert_int_equal(parsed.ip.fragment_off, 1480);
	assert_int_equal(parsed.ip.fragment_id_be, PACKET_BE16(0x1234));
	put16(header + 6, 0x1fff - 2); /* 65512 + 24 bytes */
	assert_verdict(&frame, PACKET_LYING_FRAGMENT);
	put16(header + 6, 0x1fff - 3);
	parsed = parse(&frame);
	assert_int_equal(parsed.verdict, PACKET_NO_L4);
	assert_int_equal(parsed.ip.more_fragments, 0);
	assert_int_equal(parsed.ip.fragment_off, 65504);

	frame.len = 0; /* RFC 1858: a first fragment too short for the UDP header */
	header = add_ipv4(&frame, IPPROTO_UDP, 7);
	frame_add(&frame, 7);
	put16(header + 6, 0x2000);
	assert_verdict(&frame, PACKET_LYING_UDP);

	frame.len = 0; /* a later fragment of one byte */
	header = add_ipv4(&frame, IPPROTO_UDP, 1);
	frame_add(&frame, 1);
	put16(header + 6, 1);
	assert_verdict(&frame, PACKET_NO_L4);
}

static void test_ipv6_udp(void **state)
{
	struct frame frame = {};
	struct parsed parsed;

	(void)state;
	add_ipv6(&frame, IPPROTO_UDP, 15);
	add_udp(&frame, 15, 7);
	check_cuts(&frame, NO_ETH);
	frame_add(&frame, 3);
	parsed = parse(&frame);
	assert_addrs6(&parsed.ip);
	assert_int_equal(parsed.ip.total_len, 55);
	assert_int_equal(parsed.ip.l4_off, 40);
	assert_int_equal(parsed.ip.protocol, IPPROTO_UDP);
	assert_int_equal(parsed.ip.fragment, PACKET_UNFRAGMENTED);
	assert_int_equal(parsed.ip.fragment_id_be, 0);
	assert_int_equal(parsed.ip.addresses_fixed, 0);
	assert_int_equal(parsed.cursor.len, 55);
	assert_udp(&parsed.udp, 15);
	put16(frame.bytes + 4, 19);
	assert_verdict(&frame, PACKET_TRUNCATED);
	put16(frame.bytes + 4, 0);
	assert_verdict(&frame, PACKET_LYING_UDP);
	frame.bytes[6] = IPPROTO_HOPOPTS;
	assert_verdict(&frame, PACKET_JUMBO);
}

/* Tests each extension header alone, in each size up to 64 bytes. */
static void test_ipv6_each_extension(void **state)
{
	static const struct {
		__u8 protocol;
		__u8 unit, first; /* size is first + unit * length field */
	} kinds[] = {
		{ IPPROTO_HOPOPTS, 8, 8 }, { IPPROTO_ROUTING, 8, 8 },  { IPPROTO_DSTOPTS, 8, 8 },
		{ IPPROTO_AH, 4, 8 },	   { IPPROTO_FRAGMENT, 0, 8 }, /* the second byte is
									  reserved */
	};
	size_t i;
	__u8 units;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (units = 0; units < 8; units++) {
			__u32 size = kinds[i].first + kinds[i].unit * units;
			struct frame frame = {};
			struct parsed parsed;

			add_ipv6(&frame, kinds[i].protocol, size + 8);
			add_extension(&frame, IPPROTO_UDP, units, size);
			add_udp(&frame, 8, 0);
			parsed = parse(&frame);
			assert_int_equal(parsed.verdict, PACKET_OK);
			assert_int_equal(parsed.ip.l4_off, 40 + size);
			assert_int_equal(parsed.ip.addresses_fixed,
					 kinds[i].protocol == IPPROTO_AH);
			assert_udp(&parsed.udp, 8);
			check_cuts(&frame, NO_ETH);
		}
	}
}

static void test_ipv6_extension_lengths(void **state)
{
	unsigned int units;

	(void)state;
	/*
	 * 8 bytes of options and 8 of UDP: a larger size is invalid, and a size of up to 16 leaves
	 * no UDP
	 */
	for (units = 0; units < 256; units++) {
		struct frame frame = {};

		add_ipv6(&frame, IPPROTO_DSTOPTS, 16);
		add_extension(&frame, IPPROTO_UDP, units, 8);
		add_udp(&frame, 8, 0);
		if (units == 0)
			assert_verdict(&frame, PACKET_OK);
		else if (units == 1)
			assert_verdict(&frame, PACKET_LYING_UDP);
		else
			assert_verdict(&frame, PACKET_LYING_EXTENSION);
	}
	/* a header whose last byte exceeds the payload length, then a truncated header */
	for (units = 1; units < 8; units++) {
		struct frame frame = {};

		add_ipv6(&frame, IPPROTO_DSTOPTS, units * 8 + 7);
		add_extension(&frame, IPPROTO_NONE, units, units * 8 + 8);
		assert_verdict(&frame, PACKET_LYING_EXTENSION);
	}
	for (units = 1; units < 8; units++) {
		struct frame frame = {};

		add_ipv6(&frame, IPPROTO_ROUTING, units);
		frame_add(&frame, units);
		assert_verdict(&frame, PACKET_LYING_EXTENSION);
	}
}

static void test_ipv6_routing(void **state)
{
	struct frame frame = {};
	struct parsed parsed;
	__u8 *header;

	(void)state;
	add_ipv6(&frame, IPPROTO_ROUTING, 32);
	header = add_extension(&frame, IPPROTO_UDP, 2, 24);
	header[2] = 4;
	add_udp(&frame, 8, 0);
	parsed = parse(&frame);
	assert_int_equal(parsed.verdict, PACKET_OK);
	assert_int_equal(parsed.ip.addresses_fixed, 0);
	header[3] = 1;
	parsed = parse(&frame);
	assert_int_equal(parsed.verdict, PACKET_OK);
	assert_int_equal(parsed.ip.addresses_fixed, 1);
}

/* Adds @n option headers of 8 bytes, then UDP. */
static void build_chain(struct frame *frame, __u8 first, unsigned int n)
{
	frame->len = 0;
	add_ipv6(frame, first, n * 8 + 8);
	while (n--)
		add_extension(frame, n ? IPPROTO_DSTOPTS : IPPROTO_UDP, 0, 8);
	add_udp(frame, 8, 0);
}

static void test_ipv6_chain(void **state)
{
	struct frame frame = {};
	unsigned int n;

	(void)state;
	for (n = 1; n <= 8; n++) {
		build_chain(&frame, IPPROTO_HOPOPTS, n);
		assert_int_equal(parse(&frame).ip.l4_off, 40 + n * 8);
		check_cuts(&frame, NO_ETH);
	}
	for (; n <= 32; n++) {
		build_chain(&frame, IPPROTO_DSTOPTS, n);
		assert_verdict(&frame, PACKET_TOO_DEEP);
	}
	/* a header of maximum length, then two such headers */
	frame.len = 0;
	add_ipv6(&frame, IPPROTO_DSTOPTS, 2048 + 8);
	add_extension(&frame, IPPROTO_UDP, 255, 2048);
	add_udp(&frame, 8, 0);
	assert_verdict(&frame, PACKET_OK);
	frame.len = 0;
	add_ipv6(&frame, IPPROTO_DSTOPTS, 4096 + 8);
	add_extension(&frame, IPPROTO_DSTOPTS, 255, 2048);
	add_extension(&frame, IPPROTO_UDP, 255, 2048);
	add_udp(&frame, 8, 0);
	assert_verdict(&frame, PACKET_TOO_DEEP);
}

/* Each of the eight headers in turn claims more bytes than the packet has. */
static void test_ipv6_nested_lies(void **state)
{
	struct frame frame = {};
	unsigned int n;

	(void)state;
	for (n = 0; n < 8; n++) {
		build_chain(&frame, IPPROTO_HOPOPTS, 8);
		frame.bytes[40 + n * 8 + 1] = 9 - n;
		assert_verdict(&frame, PACKET_LYING_EXTENSION);
	}
	for (n = 1; n < 8; n++) { /* hop-by-hop options anywhere except first */
		build_chain(&frame, IPPROTO_HOPOPTS, 8);
		frame.bytes[40 + (n - 1) * 8] = IPPROTO_HOPOPTS;
		assert_verdict(&frame, PACKET_LYING_EXTENSION);
	}
	for (n = 1; n < 8; n++) { /* a second fragment header */
		build_chain(&frame, IPPROTO_FRAGMENT, 8);
		frame.bytes[40 + 1] = 0;
		frame.bytes[40 + (n - 1) * 8] = IPPROTO_FRAGMENT;
		assert_verdict(&frame, PACKET_LYING_EXTENSION);
	}
}

static void test_ipv6_fragments(void **state)
{
	struct frame frame = {};
	struct parsed parsed;

	(void)state;
	add_ipv6(&frame, IPPROTO_DSTOPTS, 8 + 8 + 24);
	add_extension(&frame, IPPROTO_FRAGMENT, 0, 8);
	add_fragment(&frame, IPPROTO_UDP, 0, 1);
	add_udp(&frame, 8000, 16);
	check_cuts(&frame, NO_ETH);
	parsed = parse(&frame);
	assert_int_equal(parsed.ip.fragment, PACKET_FIRST_FRAGMENT);
	assert_int_equal(parsed.ip.more_fragments, 1);
	assert_int_equal(parsed.ip.fragment_id_be, PACKET_BE32(0xdeadbeef));
	assert_int_equal(parsed.ip.l4_off, 56);
	assert_udp(&parsed.udp, 8000);

	put16(frame.bytes + 40 + 8 + 2, 1448 | 1);
	parsed = parse(&frame);
	assert_int_equal(parsed.verdict, PACKET_NO_L4);
	assert_int_equal(parsed.ip.fragment, PACKET_LATER_FRAGMENT);
	assert_int_equal(parsed.ip.fragment_off, 1448);
	assert_int_equal(parsed.ip.more_fragments, 1);
	assert_int_equal(parsed.ip.protocol, IPPROTO_UDP);
	put16(frame.bytes + 40 + 8 + 2, 65512); /* plus 24 bytes of header */
	assert_verdict(&frame, PACKET_LYING_FRAGMENT);
	put16(frame.bytes + 40 + 8 + 2, 65504);
	assert_verdict(&frame, PACKET_NO_L4);

	put16(frame.bytes + 40 + 8 + 2, 7); /* the reserved bits are ignored */
	assert_int_equal(parse(&frame).ip.fragment, PACKET_FIRST_FRAGMENT);
	put16(frame.bytes + 40 + 8 + 2, 6); /* atomic (RFC 6946), with its reserved bits set */
	assert_verdict(&frame, PACKET_LYING_UDP);
	put16(frame.bytes + 56 + 4, 24);
	parsed = parse(&frame);
	assert_int_equal(parsed.verdict, PACKET_OK);
	assert_int_equal(parsed.ip.fragment, PACKET_UNFRAGMENTED);
	assert_int_equal(parsed.ip.fragment_id_be, PACKET_BE32(0xdeadbeef));
}

/* The bytes after the fragment header of a later fragment are data, whatever they look like. */
static void test_ipv6_later_fragment_is_data(void **state)
{
	static const __u8 nexts[] = { IPPROTO_DSTOPTS, IPPROTO_FRAGMENT, IPPROTO_HOPOPTS };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(nexts); i++) {
		struct frame frame = {};
		struct parsed parsed;

		add_ipv6(&frame, IPPROTO_FRAGMENT, 8 + 3);
		add_fragment(&frame, nexts[i], 8, 0);
		memset(frame_add(&frame, 3), 0xff, 3);
		parsed = parse(&frame);
		assert_int_equal(parsed.verdict, PACKET_NO_L4);
		assert_int_equal(parsed.ip.l4_off, 48);
		assert_int_equal(parsed.ip.protocol, nexts[i]);
	}
}

/* A later fragment as the eighth header does not exceed the limit, as a UDP header does not. */
static void test_ipv6_fragment_last(void **state)
{
	struct frame frame = {};

	(void)state;
	build_chain(&frame, IPPROTO_HOPOPTS, 8);
	frame.bytes[40 + 6 * 8] = IPPROTO_FRAGMENT;
	frame.bytes[40 + 7 * 8] = IPPROTO_DSTOPTS;
	put16(frame.bytes + 40 + 7 * 8 + 2, 8);
	assert_verdict(&frame, PACKET_NO_L4);
	put16(frame.bytes + 40 + 7 * 8 + 2, 1);
	assert_verdict(&frame, PACKET_TOO_DEEP);
	/* a first fragment is followed by headers, whatever its reserved bits */
	build_chain(&frame, IPPROTO_FRAGMENT, 2);
	put16(frame.bytes + 40 + 2, 7);
	assert_verdict(&frame, PACKET_OK);
}

/* Builds an error that quotes @quoted bytes of L4 and payload. */
static void build_error4(struct frame *frame, __u8 type, __u8 code, __u32 quoted)
{
	frame->len = 0;
	add_ipv4(frame, IPPROTO_ICMP, 8 + 24 + quoted);
	add_icmp(frame, type, code);
	add_ipv4_options(frame, IPPROTO_UDP, 1000, 6);
	add_udp(frame, 1000, 1000);
	frame->len = 20 + 8 + 24 + quoted;
}

static void build_error6(struct frame *frame, __u8 type, __u8 code, __u32 quoted)
{
	frame->len = 0;
	add_ipv6(frame, IPPROTO_ICMPV6, 8 + 40 + 8 + quoted);
	add_icmp(frame, type, code);
	add_ipv6(frame, IPPROTO_DSTOPTS, 1008);
	add_extension(frame, IPPROTO_UDP, 0, 8);
	add_udp(frame, 1000, 1000);
	frame->len = 40 + 8 + 40 + 8 + quoted;
}

static void test_icmp_types(void **state)
{
	struct frame frame = {};
	struct parsed parsed;
	int type;

	(void)state;
	for (type = 0; type < 256; type++) {
		build_error4(&frame, type, 4, 8);
		parsed = parse(&frame);
		if (type != 3 && type != 11 && type != 12) {
			assert_int_equal(parsed.verdict, PACKET_NOT_ICMP_ERROR);
			continue;
		}
		assert_int_equal(parsed.verdict, PACKET_OK);
		assert_int_equal(parsed.error.type, type);
		assert_int_equal(parsed.error.code, 4);
		assert_int_equal(parsed.error.inner_off, 28);
		assert_int_equal(parsed.inner.l3_off, 28);
		assert_int_equal(parsed.inner.l4_off, 52);
		assert_int_equal(parsed.inner.total_len, 1024);
		assert_addrs4(&parsed.inner);
		assert_udp(&parsed.inner_udp, 1000);
	}
	for (type = 0; type < 256; type++) {
		build_error6(&frame, type, 0, 8);
		parsed = parse(&frame);
		if (type < 1 || type > 4) {
			assert_int_equal(parsed.verdict, PACKET_NOT_ICMP_ERROR);
			continue;
		}
		assert_int_equal(parsed.verdict, PACKET_OK);
		assert_int_equal(parsed.error.type, type);
		assert_int_equal(parsed.error.inner_off, 48);
		assert_int_equal(parsed.inner.l4_off, 96);
		assert_addrs6(&parsed.inner);
		assert_udp(&parsed.inner_udp, 1000);
	}
}

static void test_icmp_quote_cut(void **state)
{
	struct frame frame = {};
	__u32 quoted;

	(void)state;
	for (quoted = 0; quoted < 32; quoted++) {
		build_error4(&frame, 3, 3, quoted);
		assert_verdict(&frame, quoted < 8 ? PACKET_TRUNCATED : PACKET_OK);
		build_error6(&frame, 1, 4, quoted);
		assert_verdict(&frame, quoted < 8 ? PACKET_TRUNCATED : PACKET_OK);
	}
	build_error4(&frame, 3, 3, 8);
	check_cuts(&frame, NO_ETH);
	build_error6(&frame, 2, 0, 8);
	check_cuts(&frame, NO_ETH);
	/* truncate the outer packet and the quote together, down to zero bytes */
	for (quoted = 0; quoted < 24 + 8; quoted++) {
		build_error4(&frame, 3, 3, 8);
		frame.len = 28 + quoted;
		put16(frame.bytes + 2, frame.len);
		assert_verdict(&frame, PACKET_TRUNCATED);
	}
	for (quoted = 0; quoted < 48 + 8; quoted++) {
		build_error6(&frame, 1, 4, 8);
		frame.len = 48 + quoted;
		put16(frame.bytes + 4, frame.len - 40);
		assert_verdict(&frame, PACKET_TRUNCATED);
	}
}

static void test_icmp_quote_lies(void **state)
{
	struct frame frame = {};

	(void)state;
	build_error4(&frame, 3, 3, 8);
	frame.bytes[28] = 0x44;
	assert_verdict(&frame, PACKET_LYING);
	frame.bytes[28] = 0x66; /* an IPv4 error that quotes IPv4 */
	assert_verdict(&frame, PACKET_LYING);
	build_error4(&frame, 3, 3, 8);
	put16(frame.bytes + 28 + 2, 23);
	assert_verdict(&frame, PACKET_LYING);
	put16(frame.bytes + 28 + 2, 24 + 7);
	assert_verdict(&frame, PACKET_LYING_UDP);
	put16(frame.bytes + 28 + 2, 24 + 999);
	assert_verdict(&frame, PACKET_LYING_UDP);
	build_error6(&frame, 1, 4, 8);
	put16(frame.bytes + 4, 8 + 40 + 7); /* options that extend into the padding are invalid */
	frame.bytes[48 + 40 + 1] = 255;
	assert_verdict(&frame, PACKET_TRUNCATED);
	build_error6(&frame, 1, 4, 8);
	frame.bytes[48 + 40 + 1] = 126; /* options of 1016 bytes in a payload of 1008 */
	assert_verdict(&frame, PACKET_LYING_EXTENSION);
	frame.bytes[48 + 40 + 1] = 125; /* valid length, but beyond the quote */
	assert_verdict(&frame, PACKET_TRUNCATED);
}

static void test_icmp_fragments(void **state)
{
	struct frame frame = {};

	(void)state;
	build_error4(&frame, 3, 4, 8);
	put16(frame.bytes + 6, 10);
	assert_verdict(&frame, PACKET_NO_L4);
	build_error4(&frame, 3, 4, 8); /* quotes a later fragment */
	put16(frame.bytes + 28 + 6, 10);
	assert_verdict(&frame, PACKET_NO_L4);
	build_error4(&frame, 3, 4, 8); /* quotes a first fragment */
	put16(frame.bytes + 28 + 2, 24 + 16);
	assert_verdict(&frame, PACKET_LYING_UDP);
	put16(frame.bytes + 28 + 6, 0x2000);
	assert_verdict(&frame, PACKET_OK);
}

static void test_icmp_of_the_other_version(void **state)
{
	struct frame frame = {};

	(void)state;
	build_error4(&frame, 3, 3, 8);
	frame.bytes[9] = IPPROTO_ICMPV6;
	assert_verdict(&frame, PACKET_NOT_ICMP_ERROR);
	build_error6(&frame, 3, 0, 8);
	frame.bytes[6] = IPPROTO_ICMP;
	assert_verdict(&frame, PACKET_NOT_ICMP_ERROR);
}

/* The maximum of extension headers still leaves room for an error and its quote. */
static void test_icmp_deep(void **state)
{
	struct frame frame = {};
	struct parsed parsed;

	(void)state;
	add_ipv6(&frame, IPPROTO_DSTOPTS, 3800 + 8 + 40 + 8);
	add_extension(&frame, IPPROTO_DSTOPTS, 255, 2048);
	add_extension(&frame, IPPROTO_ICMPV6, 218, 1752);
	add_icmp(&frame, 1, 4);
	add_ipv6(&frame, IPPROTO_UDP, 8);
	add_udp(&frame, 8, 0);
	assert_int_equal(frame.len, 40 + 3800 + 56);
	parsed = parse(&frame);
	assert_int_equal(parsed.verdict, PACKET_OK);
	assert_int_equal(parsed.inner.l4_off, PACKET_CHAIN_MAX + 48);
	frame.bytes[40 + 2048 + 1]++; /* the second header is one unit longer */
	assert_verdict(&frame, PACKET_TOO_DEEP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_udp),
		cmocka_unit_test(test_ipv4_ihl),
		cmocka_unit_test(test_ipv4_total_len),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_ethernet),
		cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_udp_length),
		cmocka_unit_test(test_other_protocols),
		cmocka_unit_test(test_ipv4_ah),
		cmocka_unit_test(test_ipv4_fragments),
		cmocka_unit_test(test_ipv6_udp),
		cmocka_unit_test(test_ipv6_each_extension),
		cmocka_unit_test(test_ipv6_extension_lengths),
		cmocka_unit_test(test_ipv6_routing),
		cmocka_unit_test(test_ipv6_chain),
		cmocka_unit_test(test_ipv6_nested_lies),
		cmocka_unit_test(test_ipv6_fragments),
		cmocka_unit_test(test_ipv6_later_fragment_is_data),
		cmocka_unit_test(test_ipv6_fragment_last),
		cmocka_unit_test(test_icmp_types),
		cmocka_unit_test(test_icmp_quote_cut),
		cmocka_unit_test(test_icmp_quote_lies),
		cmocka_unit_test(test_icmp_fragments),
		cmocka_unit_test(test_icmp_of_the_other_version),
		cmocka_unit_test(test_icmp_deep),
	};

	return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}
