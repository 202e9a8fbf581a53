// SPDX-License-Identifier: GPL-2.0-or-later
/* The interval derived from probes, and the packet of a keepalive. */
#include "hold/packet.h"
#include "hold/ttl.h"
#include "nat/interval.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define A NAT_LIFETIME_ALIVE
#define X NAT_LIFETIME_EXPIRED
#define R NAT_LIFETIME_REMAPPED
#define U NAT_LIFETIME_UNKNOWN

static unsigned int interval_ds(const struct nat_finding *finding, unsigned int max_s)
{
	return (unsigned int)(nat_interval_ns(finding, max_s) / 100000000ULL);
}

static void test_interval(void **state)
{
	static const struct {
		enum nat_lifetime results[NAT_INTERVAL_STEPS];
		unsigned int proven, max, interval_ds;
	} cases[] = {
		{ { U, U, U, U, U }, 0, 25, 180 },  /* no result: the default */
		{ { A, U, U, U, U }, 20, 25, 180 }, /* 16 s would be below the default */
		{ { A, A, U, U, U }, 30, 25, 240 },
		{ { A, A, A, U, U }, 60, 25, 250 }, /* capped */
		{ { A, A, A, A, A }, 180, 150, 1440 },
		{ { A, A, X, U, U }, 30, 150, 240 },
		{ { X, U, U, U, U }, 0, 25, 100 }, /* even 20 s failed */
		{ { R, A, A, A, A }, 0, 25, 100 },
		{ { A, X, A, A, A }, 20, 150, 180 }, /* a longer step then proves nothing */
		{ { U, A, X, U, U }, 30, 25, 240 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nat_finding finding = { 0 };

		nat_finding_update(&finding, cases[i].results);
		assert_int_equal(finding.proven_s, cases[i].proven);
		assert_int_equal(interval_ds(&finding, cases[i].max), cases[i].interval_ds);
	}
}

/* A later probe may raise or lower the interval; a probe without a result changes nothing. */
static void test_later_probes(void **state)
{
	static const enum nat_lifetime none[NAT_INTERVAL_STEPS] = { U, U, U, U, U };
	static const enum nat_lifetime sixty[NAT_INTERVAL_STEPS] = { A, A, A, X, X };
	static const enum nat_lifetime twenty[NAT_INTERVAL_STEPS] = { A, X, X, X, X };
	static const enum nat_lifetime less[NAT_INTERVAL_STEPS] = { X, X, X, X, X };
	struct nat_finding finding = { 0 };

	nat_finding_update(&finding, sixty);
	assert_int_equal(interval_ds(&finding, 100), 480);
	nat_finding_update(&finding, none);
	assert_int_equal(interval_ds(&finding, 100), 480);
	nat_finding_update(&finding, twenty);
	assert_int_equal(interval_ds(&finding, 100), 180);
	nat_finding_update(&finding, less);
	assert_int_equal(interval_ds(&finding, 100), 100);
	nat_finding_update(&finding, none);
	assert_int_equal(interval_ds(&finding, 100), 100);
	nat_finding_update(&finding, sixty);
	assert_int_equal(interval_ds(&finding, 100), 480);
}

static void test_steps(void **state)
{
	assert_int_equal(nat_interval_steps(15), 1);
	assert_int_equal(nat_interval_steps(16), 1);
	assert_int_equal(nat_interval_steps(25), 3); /* 30 s yield 24 s, 60 s yield 25 s */
	assert_int_equal(nat_interval_steps(48), 3);
	assert_int_equal(nat_interval_steps(3600), NAT_INTERVAL_STEPS);
}

static void test_ttl(void **state)
{
	assert_int_equal(hold_ttl_before_peer(64), 0);
	assert_int_equal(hold_ttl_before_peer(63), 1);
	assert_int_equal(hold_ttl_before_peer(128), 0);
	assert_int_equal(hold_ttl_before_peer(120), 8);
	assert_int_equal(hold_ttl_before_peer(255), 0);
	assert_int_equal(hold_ttl_before_peer(240), 15);
	assert_int_equal(hold_ttl_before_peer(1), 63);
}

static struct sluice_hold_key key_of(const char *local, const char *peer)
{
	struct sluice_hold_key key = { .local_port_be = htons(4000), .peer_port_be = htons(7000) };

	assert_int_equal(inet_pton(AF_INET6, local, &key.local), 1);
	assert_int_equal(inet_pton(AF_INET6, peer, &key.peer), 1);
	return key;
}

/* Sums the packet as a receiver does: a correct packet yields 0xffff. */
static unsigned int sum(const void *data, size_t length, unsigned int from)
{
	const unsigned char *at = data;
	size_t i;

	for (i = 0; i < length; i++)
		from += i % 2 ? at[i] : (unsigned int)at[i] << 8;
	while (from >> 16)
		from = (from & 0xffff) + (from >> 16);
	return from;
}

static void test_packet4(void **state)
{
	static const size_t sizes[] = { 0, 28, 2, 1, 1 };
	struct sluice_hold_key key = key_of("::ffff:10.0.0.2", "::ffff:203.0.113.2");
	__u8 packet[HOLD_PACKET_MAX];
	struct udphdr udp;
	struct iphdr ip;
	unsigned int payload;
	size_t length;

	for (payload = HOLD_PAYLOAD_EMPTY; payload <= HOLD_PAYLOAD_ZERO; payload++) {
		length = hold_packet_build(packet, &key, payload, 4, 1);
		assert_int_equal(length, sizeof(ip) + sizeof(udp) + sizes[payload]);
		memcpy(&ip, packet, sizeof(ip));
		memcpy(&udp, packet + sizeof(ip), sizeof(udp));
		assert_int_equal(ip.ttl, payload == HOLD_PAYLOAD_EMPTY ? 4 : 64);
		assert_int_not_equal(ip.id, 0);
		assert_int_equal(ip.protocol, IPPROTO_UDP);
		assert_int_equal(ntohs(udp.uh_sport), 4000);
		assert_int_equal(ntohs(udp.uh_dport), 7000);
		assert_int_equal(ntohs(udp.uh_ulen), length - sizeof(ip));
		assert_int_equal(sum(packet + 12, 8,
				     sum(packet + sizeof(ip), length - sizeof(ip),
					 IPPROTO_UDP + (unsigned int)(length - sizeof(ip)))),
				 0xffff);
	}
}

static void test_packet6(void **state)
{
	struct sluice_hold_key key = key_of("fd0a::2", "fd71::2");
	__u8 packet[HOLD_PACKET_MAX];
	struct ip6_hdr ip;
	unsigned int payload;
	size_t length;

	for (payload = HOLD_PAYLOAD_EMPTY; payload <= HOLD_PAYLOAD_ZERO; payload++) {
		length = hold_packet_build(packet, &key, payload, 4, 1);
		assert_true(length <= sizeof(packet));
		memcpy(&ip, packet, sizeof(ip));
		assert_int_equal(ntohl(ip.ip6_flow) >> 20, 0x600);
		assert_int_not_equal(ntohl(ip.ip6_flow) & 0xfffff, 0);
		assert_int_equal(ntohs(ip.ip6_plen), length - sizeof(ip));
		assert_int_equal(sum(packet + 8, 32,
				     sum(packet + sizeof(ip), length - sizeof(ip),
					 IPPROTO_UDP + (unsigned int)(length - sizeof(ip)))),
				 0xffff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interval), cmocka_unit_test(test_later_probes),
		cmocka_unit_test(test_steps),	 cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_packet4),	 cmocka_unit_test(test_packet6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
