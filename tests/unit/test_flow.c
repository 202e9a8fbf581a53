// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The hash of the flow table: set indexes are within the table, every part of a flow matters, and
 * similar flows, as real peers have them, spread as evenly as random flows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sluice/flow.h>

#define SEED  0x9e3779b97f4a7c15ULL
#define SETS  1024
#define FLOWS (SETS * 100)

static struct sluice_addr ip4(uint32_t address)
{
	struct sluice_addr addr = { .word_be = { 0, 0, htonl(0xffff), htonl(address) } };

	return addr;
}

/* @server: the network namespace in the upper half, the port in the lower 16 bits */
static uint32_t set_of(uint64_t seed, uint32_t sets, uint64_t server,
		       const struct sluice_addr *peer, uint16_t port_be)
{
	return sluice_flow_set_index(
		sluice_flow_hash(seed, server >> 32, (uint16_t)server, peer, port_be, 0), sets);
}

static void test_range(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 3, 7, 1000, 1024, 131072, 0x7fffffff, 0xffffffff };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint32_t n, highest = 0;

		for (n = 0; n < 20000; n++) {
			struct sluice_addr peer = ip4(n * 2654435761U);
			uint32_t index = set_of(SEED + n, sizes[i], n, &peer, htons(n));

			assert_true(index < sizes[i]);
			if (index > highest)
				highest = index;
		}
		/* 20,000 draws all miss the last hundredth of a range with probability e^-200 */
		assert_true(highest >= sizes[i] - 1 - sizes[i] / 100);
	}
}

static void test_same_flow_same_set(void **state)
{
	struct sluice_addr peer = ip4(0xac110003), again = ip4(0xac110003);

	assert_int_equal(set_of(SEED, SETS, 7, &peer, htons(53)),
			 set_of(SEED, SETS, 7, &again, htons(53)));
}

/* A changed flow keeps its set with probability 1/SETS; 64 changed flows never all keep theirs. */
static void test_every_part_counts(void **state)
{
	enum {
		SERVER_PORT,
		NETNS,
		PEER_HIGH,
		PEER_LOW,
		PORT,
		THE_SEED,
		PARTS
	};
	int part;

	for (part = 0; part < PARTS; part++) {
		unsigned int bit, moved = 0,
				  bits = part == PORT || part == SERVER_PORT ? 16
					 : part == NETNS		     ? 32
									     : 64;

		for (bit = 0; bit < bits; bit++) {
			struct sluice_addr peer = ip4(0xac110003), other = peer;
			uint64_t flip = 1ULL << bit;
			uint32_t before, after;

			other.half[0] ^= part == PEER_HIGH ? flip : 0;
			other.half[1] ^= part == PEER_LOW ? flip : 0;
			before = set_of(SEED, SETS, 7, &peer, 0x3500);
			after = set_of(SEED ^ (part == THE_SEED ? flip : 0), SETS,
				       7 ^ (part == SERVER_PORT ? flip
					    : part == NETNS	? flip << 32
								: 0),
				       &other, 0x3500 ^ (part == PORT ? (uint16_t)flip : 0));
			moved += before != after;
		}
		assert_true(moved >= bits - 2);
	}
}

/*
 * Chi-square over the sets: with SETS - 1 degrees of freedom the mean is SETS - 1 and the standard
 * deviation sqrt(2 (SETS - 1)), about 45. A value six standard deviations above the mean is not
 * random.
 */
static void assert_spread(const uint32_t *load)
{
	const double mean = (double)FLOWS / SETS;
	double chi = 0;
	int i;

	for (i = 0; i < SETS; i++)
		chi += (load[i] - mean) * (load[i] - mean) / mean;
	assert_true(chi < SETS - 1 + 6 * 45.3);
}

/* One busy client or NAT: consecutive ports. */
static void test_spread_of_ports(void **state)
{
	uint32_t n, load[SETS] = { 0 };

	for (n = 0; n < FLOWS; n++) {
		struct sluice_addr peer = ip4(0x0a000001 + n / 50000);

		load[set_of(SEED, SETS, 4711, &peer, htons(10000 + n % 50000))]++;
	}
	assert_spread(load);
}

/* A network of clients that all use the same port. */
static void test_spread_of_addresses(void **state)
{
	uint32_t n, load[SETS] = { 0 };

	for (n = 0; n < FLOWS; n++) {
		struct sluice_addr peer = ip4(0x0a000000 + n);

		load[set_of(SEED, SETS, 4711, &peer, htons(5060))]++;
	}
	assert_spread(load);
}

/* IPv6: one host in each of many networks, and many hosts in one network. */
static void test_spread_of_ip6(void **state)
{
	uint32_t n, networks[SETS] = { 0 }, hosts[SETS] = { 0 };

	for (n = 0; n < FLOWS; n++) {
		struct sluice_addr network = { .word_be = { htonl(0x20010db8), htonl(n), 0,
							    htonl(1) } };
		struct sluice_addr host = { .word_be = { htonl(0x20010db8), 0, 0, htonl(n) } };

		networks[set_of(SEED, SETS, 4711, &network, htons(5060))]++;
		hosts[set_of(SEED, SETS, 4711, &host, htons(5060))]++;
	}
	assert_spread(networks);
	assert_spread(hosts);
}

/* One peer with the same server in many namespaces, whose inode numbers are consecutive. */
static void test_spread_of_netns(void **state)
{
	struct sluice_addr peer = ip4(0x0a000001);
	uint32_t n, load[SETS] = { 0 };

	for (n = 0; n < FLOWS; n++)
		load[set_of(SEED, SETS, (uint64_t)n << 32 | 53, &peer, htons(5060))]++;
	assert_spread(load);
}

/* Collisions under one seed do not predict collisions under another seed. */
static void test_seed_parts_what_met(void **state)
{
	uint32_t n, found = 0, met = 0;

	for (n = 0; n < FLOWS; n++) {
		struct sluice_addr peer = ip4(0x0a000000 + n);

		if (set_of(SEED, SETS, 1, &peer, htons(53)))
			continue;
		found++;
		met += !set_of(SEED + 1, SETS, 1, &peer, htons(53));
	}
	assert_true(found > FLOWS / SETS / 2);
	assert_true(met < found / 4);
}

/* Tag 0 marks a free slot, so no flow may have it. */
static void test_tag_is_never_free(void **state)
{
	uint32_t n;

	for (n = 0; n < 64; n++) {
		assert_int_not_equal(sluice_flow_tag(0), 0);
		assert_int_not_equal(sluice_flow_tag(1ULL << n), 0);
		assert_int_not_equal(sluice_flow_tag(0xffffULL << n), 0);
		assert_int_not_equal(sluice_flow_tag(~(0xffffULL << n)), 0);
	}
}

/*
 * A tag saves comparisons only if it is independent of the set: among flows of one set, equal tags
 * must be as rare as random ones. FLOWS * 100 / 2 pairs are compared, each equal with probability
 * 2^-16: 78 are expected, and 122 are five standard deviations more.
 */
static void assert_tags_part(uint64_t (*hash_of)(uint32_t n))
{
	static uint16_t tags[SETS][400];
	uint32_t load[SETS] = { 0 }, n, i, shared = 0;

	for (n = 0; n < FLOWS; n++) {
		uint32_t set = sluice_flow_set_index(hash_of(n), SETS);
		uint16_t tag = sluice_flow_tag(hash_of(n));

		assert_true(load[set] < 400);
		for (i = 0; i < load[set]; i++)
			shared += tags[set][i] == tag;
		tags[set][load[set]++] = tag;
	}
	assert_true(shared < 122);
}

static uint64_t hash_of_address(uint32_t n)
{
	struct sluice_addr peer = ip4(0x0a000000 + n);

	return sluice_flow_hash(SEED, 4711, 53, &peer, htons(5060), 0);
}

static uint64_t hash_of_port(uint32_t n)
{
	struct sluice_addr peer = ip4(0x0a000001 + n / 50000);

	return sluice_flow_hash(SEED, 4711, 53, &peer, htons(10000 + n % 50000), 0);
}

static uint64_t hash_of_netns(uint32_t n)
{
	struct sluice_addr peer = ip4(0x0a000001);

	return sluice_flow_hash(SEED, n, 53, &peer, htons(5060), 0);
}

static uint64_t hash_of_scope(uint32_t n)
{
	struct sluice_addr peer = { .byte = { 0xfe, 0x80, [15] = 1 } };

	return sluice_flow_hash(SEED, 4711, 53, &peer, htons(5060), n);
}

static void test_tags_part_what_shares_a_set(void **state)
{
	assert_tags_part(hash_of_address);
	assert_tags_part(hash_of_port);
	assert_tags_part(hash_of_netns);
	assert_tags_part(hash_of_scope);
}

/* Changing any sealed bit breaks the seal. */
static void test_seal(void **state)
{
	struct sluice_addr local = ip4(0xac100d0d);
	uint64_t seal = sluice_flow_seal(SEED, 9, &local, 7);
	unsigned int bit;

	assert_true(seal == sluice_flow_seal(SEED, 9, &local, 7));
	for (bit = 0; bit < 64; bit++) {
		struct sluice_addr high = local, low = local;

		high.half[0] ^= 1ULL << bit;
		low.half[1] ^= 1ULL << bit;
		assert_true(seal != sluice_flow_seal(SEED ^ 1ULL << bit, 9, &local, 7));
		assert_true(seal != sluice_flow_seal(SEED, 9 ^ 1ULL << bit, &local, 7));
		assert_true(seal != sluice_flow_seal(SEED, 9, &high, 7));
		assert_true(seal != sluice_flow_seal(SEED, 9, &low, 7));
		assert_true(seal != sluice_flow_seal(SEED, 9, &local, 7 ^ 1U << bit % 32));
	}
}

/* Ages are differences, valid across the wraparound. */
static void test_clock(void **state)
{
	const uint64_t unit = 1ULL << SLUICE_FLOW_CLOCK_SHIFT, wrap = unit << 32;

	assert_int_equal(sluice_flow_clock(0), 0);
	assert_int_equal(sluice_flow_clock(unit - 1), 0);
	assert_int_equal(sluice_flow_clock(unit), 1);
	assert_int_equal(sluice_flow_clock(wrap - 1), UINT32_MAX);
	assert_int_equal(sluice_flow_clock(wrap), 0);
	assert_int_equal(
		(uint32_t)(sluice_flow_clock(wrap + 5 * unit) - sluice_flow_clock(wrap - 5 * unit)),
		10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_same_flow_same_set),
		cmocka_unit_test(test_every_part_counts),
		cmocka_unit_test(test_spread_of_ports),
		cmocka_unit_test(test_spread_of_addresses),
		cmocka_unit_test(test_spread_of_ip6),
		cmocka_unit_test(test_spread_of_netns),
		cmocka_unit_test(test_seed_parts_what_met),
		cmocka_unit_test(test_tag_is_never_free),
		cmocka_unit_test(test_tags_part_what_shares_a_set),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
