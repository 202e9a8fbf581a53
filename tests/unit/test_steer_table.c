// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints, sets and owners of the steering table (sluice/steer_table.h). Keys come from a fixed
 * generator, so that each run is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sluice/steer_table.h>

#define SETS  2048
#define FLOWS (SETS * SLUICE_STEER_WAYS / 2)
#define DRAWS 4096

static __u64 random_state;

/* splitmix64 */
static __u64 random_next(void)
{
	__u64 z = (random_state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static struct sluice_steer_keys keys_draw(void)
{
	struct sluice_steer_keys keys;
	__u64 *word = (__u64 *)&keys;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(*word); i++)
		word[i] = random_next();
	return keys;
}

static int start(void **state)
{
	random_state = 1;
	return 0;
}

static __u64 word_ip4(__u32 source, __u32 target)
{
	const __be32 both_be[2] = { htonl(source), htonl(target) };
	__u64 word;

	memcpy(&word, both_be, sizeof(word));
	return word;
}

/* --- sets */

struct tuple {
	__u64 word;
	__be16 port_be;
};

static struct tuple consecutive_addresses(__u32 i)
{
	return (struct tuple){ word_ip4(0x0a000000 + i, 0xc0a80101), htons(5000) };
}

static struct tuple consecutive_ports(__u32 i)
{
	return (struct tuple){ word_ip4(0x0a000001, 0xc0a80101), htons((__u16)(1024 + i)) };
}

static struct tuple consecutive_networks(__u32 i)
{
	return (struct tuple){ word_ip4(0x0a000001 + (i << 8), 0xc0a80101), htons(5000) };
}

/* Every fourth port of each address, as behind a NAT with a port range per client. */
static struct tuple addresses_and_ports(__u32 i)
{
	return (struct tuple){ word_ip4(0x0a000000 + (i >> 6), 0xc0a80101),
			       htons((__u16)(30000 + (i & 63) * 4)) };
}

/* Returns the number of flows whose set is full. */
static unsigned int overflow(struct tuple (*tuple)(__u32 i))
{
	const struct sluice_steer_keys keys = keys_draw();
	__u8 used[SETS] = { 0 };
	unsigned int over = 0;
	__u32 i;

	for (i = 0; i < FLOWS; i++) {
		struct tuple at = tuple(i);
		__u64 hash = sluice_steer_hash(sluice_steer_print(&keys, &at.word, 1, at.port_be));
		__u32 set = sluice_flow_set_index(hash, SETS);

		assert_true(set < SETS);
		over += ++used[set] > SLUICE_STEER_WAYS;
	}
	return over;
}

/*
 * With random hashes, 69 of 8192 flows get no way in a half-full table; 109 in the worst of 2000
 * draws. Without the fold of the print, the number is up to 7654.
 */
static void test_sets_share_evenly(void **state)
{
	struct tuple (*const kind[])(__u32 i) = { consecutive_addresses, consecutive_ports,
						  consecutive_networks, addresses_and_ports };
	size_t i;
	int draw;

	for (i = 0; i < sizeof(kind) / sizeof(*kind); i++)
		for (draw = 0; draw < 100; draw++)
			assert_true(overflow(kind[i]) < 150);
}

/* All eight ways of a set are equally likely as homes. */
static void test_homes_are_even(void **state)
{
	unsigned int at[SLUICE_STEER_WAYS] = { 0 };
	const struct sluice_steer_keys keys = keys_draw();
	__u32 i;

	for (i = 0; i < FLOWS; i++) {
		struct tuple tuple = consecutive_addresses(i);

		at[sluice_steer_home(sluice_steer_hash(
			sluice_steer_print(&keys, &tuple.word, 1, tuple.port_be)))]++;
	}
	for (i = 0; i < SLUICE_STEER_WAYS; i++)
		assert_in_range(at[i], FLOWS / SLUICE_STEER_WAYS * 3 / 4,
				FLOWS / SLUICE_STEER_WAYS * 5 / 4);
}

/* --- prints */

/*
 * Checks that two different tuples share eight bits in either half of the print for about one key
 * in 256. A pair that an attacker can choose without the keys would share them more often.
 */
static void assert_apart(const __u64 *one, const __u64 *other, int words, __be16 one_port_be,
			 __be16 other_port_be)
{
	unsigned int upper = 0, lower = 0;
	int draw;

	for (draw = 0; draw < DRAWS; draw++) {
		const struct sluice_steer_keys keys = keys_draw();
		__u64 differ = sluice_steer_print(&keys, one, words, one_port_be) ^
			       sluice_steer_print(&keys, other, words, other_port_be);

		assert_true(differ);
		upper += !(differ >> 56);
		lower += !(differ >> 24 & 0xff);
	}
	/* 16 expected; 48 is eight standard deviations above */
	assert_in_range(upper, 0, 48);
	assert_in_range(lower, 0, 48);
}

static void test_bit_flips(void **state)
{
	const __u64 one[4] = { 0x20010db800010000, 1, 0x20010db800020000, 2 };
	int bit;

	for (bit = 0; bit < 256; bit++) {
		__u64 other[4];

		memcpy(other, one, sizeof(other));
		other[bit / 64] ^= 1ULL << bit % 64;
		assert_apart(one, other, 4, 7, 7);
		if (bit < 64)
			assert_apart(one, other, 1, 7, 7);
	}
	for (bit = 0; bit < 16; bit++)
		assert_apart(one, one, 1, 7, (__be16)(7 ^ 1 << bit));
}

/* These pairs collide under every seed of sluice_flow_mix(), so prints must not be based on it. */
static void test_pairs_of_the_mix(void **state)
{
	const __u64 one[4] = { 0x123456789abcdef0, 0x0fedcba987654321, 5, 6 };
	__u64 other[4];
	int i;

	memcpy(other, one, sizeof(other));
	other[0] ^= 1ULL << 63;
	other[1] ^= 1ULL << 63 | 1ULL << 31;
	for (i = 0; i < 100; i++) {
		__u64 seed = random_next();

		assert_int_equal(sluice_flow_mix(sluice_flow_mix(seed, one[0]), one[1]),
				 sluice_flow_mix(sluice_flow_mix(seed, other[0]), other[1]));
	}
	assert_apart(one, other, 4, 7, 7);
}

/* Pairs with the same sum or product, or with the same words in another order. */
static void test_crafted_pairs(void **state)
{
	static const __u64 pairs[][2][4] = {
		{ { 0x1000000020, 3, 4, 5 }, { 0x0f00000021, 3, 4, 5 } },
		{ { 0x1000000020, 3, 4, 5 }, { 0x2000000010, 3, 4, 5 } },
		{ { 0x0600000002, 3, 4, 5 }, { 0x0400000003, 3, 4, 5 } },
		{ { 0xffffffff, 3, 4, 5 }, { 0xffffffff00000000, 3, 4, 5 } },
		{ { 1, 2, 3, 4 }, { 3, 4, 1, 2 } },
		{ { 1, 2, 3, 4 }, { 2, 1, 3, 4 } },
		{ { 1, 2, 3, 4 }, { 2, 1, 4, 3 } },
		{ { 0, 0, 0, 0 }, { 0x8000000080000000, 0, 0, 0 } },
		{ { 0, 0, 0, 0 }, { 0x8000000080000000, 0x8000000080000000, 0, 0 } },
		{ { 0, 0, 0, 0 }, { ~0ULL, ~0ULL, ~0ULL, ~0ULL } },
	};
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		assert_apart(pairs[i][0], pairs[i][1], 4, 7, 7);
		if (pairs[i][0][0] != pairs[i][1][0])
			assert_apart(pairs[i][0], pairs[i][1], 1, 7, 7);
	}
	/* the port against half of the source address: both differences have the same 16 bits */
	assert_apart((__u64[]){ 1 }, (__u64[]){ 2 }, 1, 2, 1);
	assert_apart((__u64[]){ 0x100000000 }, (__u64[]){ 0x200000000 }, 1, 2, 1);
}

static void test_print_is_never_free(void **state)
{
	const struct sluice_steer_keys none = { 0 };
	const __u64 word[4] = { 0 };

	assert_int_not_equal(sluice_steer_print(&none, word, 1, 0), 0);
	assert_int_not_equal(sluice_steer_print(&none, word, 4, 0), 0);
}

/* --- owners */

#define PRINT 0x123456789abcdef1ULL
#define NOW   0x89abcdefU

static void test_owner_fields(void **state)
{
	static const __u32 slots[] = { 0, 1, 512, SLUICE_STEER_SLOTS - 1 };
	static const __u16 incarnations[] = { 1, 0x8000, 0xffff };
	size_t i, j;

	for (i = 0; i < sizeof(slots) / sizeof(*slots); i++)
		for (j = 0; j < sizeof(incarnations) / sizeof(*incarnations); j++) {
			__u64 owner = sluice_steer_owner(PRINT, NOW, slots[i], incarnations[j]);

			assert_int_equal(sluice_steer_owner_slot(owner), slots[i]);
			assert_int_equal(sluice_steer_owner_incarnation(owner), incarnations[j]);
			assert_int_equal(sluice_steer_owner_received(owner), 1);
			assert_int_equal(sluice_steer_owner_idle(owner, NOW), 0);
			assert_true(sluice_steer_owner_checks(owner, PRINT));
			assert_false(sluice_steer_owner_checks(owner, PRINT ^ 1ULL << 32));
		}
}

static void test_owner_counts_to_its_limit(void **state)
{
	__u64 owner = sluice_steer_owner(PRINT, NOW, SLUICE_STEER_SLOTS - 1, 0xffff);
	__u32 received;

	for (received = 2; received < 100; received++) {
		owner = sluice_steer_owner_again(owner, NOW);
		assert_int_equal(sluice_steer_owner_received(owner),
				 received < SLUICE_STEER_RECEIVED_MAX ? received
								      : SLUICE_STEER_RECEIVED_MAX);
		assert_int_equal(sluice_steer_owner_slot(owner), SLUICE_STEER_SLOTS - 1);
		assert_int_equal(sluice_steer_owner_incarnation(owner), 0xffff);
		assert_true(sluice_steer_owner_checks(owner, PRINT));
	}
}

/* The idle time is never too long, and at most 2^28 ns too short. */
static void test_owner_idle(void **state)
{
	__u32 from, passed;

	for (from = NOW; from < NOW + 256; from += 17)
		for (passed = 0; passed < 5000; passed += 37) {
			__u64 owner = sluice_steer_owner(PRINT, from, 3, 4);
			__u32 idle = sluice_steer_owner_idle(owner, from + passed);

			assert_true(idle <= passed);
			assert_true(passed - idle < 256);
			owner = sluice_steer_owner_again(owner, from + passed);
			assert_int_equal(sluice_steer_owner_idle(owner, from + passed), 0);
		}
	/* the clock of another CPU may be ahead */
	assert_int_equal(sluice_steer_owner_idle(sluice_steer_owner(PRINT, NOW, 3, 4), NOW - 500),
			 0);
}

static void test_owner_moves(void **state)
{
	__u64 owner = sluice_steer_owner(PRINT, NOW, 1023, 0xffff);

	owner = sluice_steer_owner_again(owner, NOW + 1000);
	owner = sluice_steer_owner_moved(owner, 5, 6);
	assert_int_equal(sluice_steer_owner_slot(owner), 5);
	assert_int_equal(sluice_steer_owner_incarnation(owner), 6);
	assert_int_equal(sluice_steer_owner_received(owner), 2);
	assert_int_equal(sluice_steer_owner_idle(owner, NOW + 1000), 0);
	assert_true(sluice_steer_owner_checks(owner, PRINT));
}

/* The protection grows from zero by two seconds per datagram, up to the idle time. */
static void test_protection_grows(void **state)
{
	__u32 limit = sluice_flow_clock(130000000000ULL), received, second = 1000000000 >> 20;

	assert_int_equal(sluice_steer_protected(1, limit), 0);
	for (received = 2; received < SLUICE_STEER_RECEIVED_MAX; received++) {
		assert_in_range(sluice_steer_protected(received, limit),
				(received - 1) * 2 * second, (received - 1) * 2 * (second + 1));
		assert_true(sluice_steer_protected(received, limit) < limit);
	}
	assert_int_equal(sluice_steer_protected(SLUICE_STEER_RECEIVED_MAX, limit), limit);
	assert_int_equal(sluice_steer_protected(SLUICE_STEER_RECEIVED_MAX, 5), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sets_share_evenly, start),
		cmocka_unit_test_setup(test_homes_are_even, start),
		cmocka_unit_test_setup(test_bit_flips, start),
		cmocka_unit_test_setup(test_pairs_of_the_mix, start),
		cmocka_unit_test_setup(test_crafted_pairs, start),
		cmocka_unit_test_setup(test_print_is_never_free, start),
		cmocka_unit_test_setup(test_owner_fields, start),
		cmocka_unit_test_setup(test_owner_counts_to_its_limit, start),
		cmocka_unit_test_setup(test_owner_idle, start),
		cmocka_unit_test_setup(test_owner_moves, start),
		cmocka_unit_test_setup(test_protection_grows, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
