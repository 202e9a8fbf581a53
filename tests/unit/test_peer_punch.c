// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pairs of peers behind simulated NATs: each pair gets a direct path if and only if one is possible
 * in theory. With the relay of the server, each pair gets a path. The environment variable PAIRS
 * sets the number of random pairs.
 */
#include "meet/peer/session.h"
#include "peer_sim.h"

#include <nettle/sha2.h>

#define KINDS	      9
#define PAIRS_DEFAULT 800

/*
 * Pairs of NATs that can be punched without guessing ports. Rows and columns: mapping independent
 * of the destination, by address, by address and port; each with filtering of the same three kinds.
 *
 * Let r be a peer's address as the server sees it. A peer whose mapping depends on the destination
 * sends from a different address.
 *  - Both mappings independent: each peer's checks open its own NAT for the r of the other peer.
 *  - One mapping independent: the other peer sends from an unknown port, so the filter of the first
 *    peer must not depend on ports.
 *  - No mapping independent: a check for r meets a mapping that has sent only to the server, so one
 *    of the filters must be independent. The answer comes from an unknown port, so the other filter
 *    must not depend on ports. If both peers map by port, an answer never comes from the port of
 *    its request.
 */
static const char *const theory[KINDS] = {
	/*       independent  address  port */
	"yyy yyy yyy", "yyy yyy yyy", "yyy nnn nnn", /* independent mapping */
	"yyn yyn yyn", "yyn ynn ynn", "yyn nnn nnn", /* by address */
	"yyn yyn nnn", "yyn ynn nnn", "yyn nnn nnn", /* by address and port */
};

/*
 * Replaces the key exchange, which would take most of the run time. test_peer_secret tests it, and
 * test_peer_session uses it.
 */
int peer_secret_derive(struct peer_secret *secret, const uint8_t own_secret[KEY_SIZE],
		       const struct introduction *introduction)
{
	uint8_t *checks[] = { secret->own_checks, secret->peer_checks };
	struct sha256_ctx hash;
	uint8_t direction;
	int i;

	for (i = 0; i < 2; i++) {
		direction = introduction->initiator == !i;
		sha256_init(&hash);
		sha256_update(&hash, sizeof(introduction->id), introduction->id);
		sha256_update(&hash, 1, &direction);
		sha256_digest(&hash, PEER_SECRET_SIZE, checks[i]);
	}
	return 0;
}

static bool is_possible(unsigned int a, unsigned int b)
{
	return theory[a][b + b / 3] == 'y';
}

static void put_nat(int index, int realm, const char *addr, unsigned int kind)
{
	sim_nat(index, realm, addr, (enum sim_kind)(kind / 3), (enum sim_kind)(kind % 3));
}

static void begin(uint64_t skew_ns)
{
	sim_register(0);
	sim_register(1);
	sim_introduce((unsigned int)sim_below(2), skew_ns);
	sim_begin();
}

/*
 * Lays out two NATs with the same private addresses behind each, so that both have a host of a
 * third party.
 */
static void lay_out_pair(unsigned int a, unsigned int b)
{
	put_nat(0, INTERNET, "198.51.100.1:1", a);
	put_nat(1, INTERNET, "203.0.113.2:1", b);
	sim_host(0, 0, "10.0.0.5:40000");
	sim_host(1, 1, "10.0.0.7:40001");
	sim_host(NOBODY, 0, "10.0.0.7:40001"); /* has the other peer's private address */
	sim.host[NOBODY].reflects = true;
}

static void test_table(void **state)
{
	unsigned int a, b;

	for (a = 0; a < KINDS; a++)
		for (b = 0; b < KINDS; b++) {
			sim_reset(a * KINDS + b + 1);
			lay_out_pair(a, b);
			begin(0);
			if (sim_run_up(15 * SECOND_NS) != is_possible(a, b))
				fail_msg("NAT kinds %u and %u: %s", a, b,
					 is_possible(a, b) ? "no path" : "a path");
			if (!is_possible(a, b))
				continue;
			if (!sim_passes())
				fail_msg("NAT kinds %u and %u: no traffic", a, b);
		}
}

struct random_pair {
	unsigned int a, b;
	bool possible, private;
};

/* Lays out one NAT for both peers, which then use the private path. */
static void lay_out_same(struct random_pair *pair)
{
	put_nat(0, INTERNET, "198.51.100.1:1", pair->a);
	sim.nat[0].hairpin = sim_below(2);
	sim_host(0, 0, "192.168.1.5:40000");
	sim_host(1, 0, "192.168.1.7:40001");
	pair->possible = true;
	pair->private = true;
}

/*
 * Returns true if a path is possible when both sides map by destination, in the inner or the outer
 * NAT. If the mapping of a NAT and of the NATs behind it is independent of the destination, the NAT
 * has seen datagrams to the other peer's address. Any other NAT passes a check for r only with
 * independent filtering.
 */
static bool nested_is_possible(const unsigned int inner[SIDES], unsigned int outer)
{
	unsigned int side, mapping[SIDES], filtering[SIDES];
	bool open[SIDES];

	for (side = 0; side < SIDES; side++) {
		mapping[side] = inner[side] / 3 > outer / 3 ? inner[side] / 3 : outer / 3;
		filtering[side] = inner[side] % 3 > outer % 3 ? inner[side] % 3 : outer % 3;
		open[side] = !(outer % 3) &&
			     (!(inner[side] % 3) || (inner[side] % 3 == 1 && inner[side] < 3));
	}
	if (!mapping[0] || !mapping[1])
		return is_possible(3 * mapping[0] + filtering[0], 3 * mapping[1] + filtering[1]);
	return ((open[0] && filtering[1] < BY_ADDRESS_AND_PORT) ||
		(open[1] && filtering[0] < BY_ADDRESS_AND_PORT)) &&
	       !(mapping[0] == BY_ADDRESS_AND_PORT && mapping[1] == BY_ADDRESS_AND_PORT);
}

/*
 * Lays out a NAT behind a NAT for both peers, as with carrier-grade NAT. Each stage adds its
 * restrictions, and only hairpinning of the outer NAT connects the peers. The private addresses
 * collide.
 */
static void lay_out_nested(struct random_pair *pair)
{
	unsigned int outer = (unsigned int)sim_below(KINDS), inner[SIDES] = { pair->a, pair->b };

	put_nat(2, INTERNET, "198.51.100.1:1", outer);
	put_nat(0, 2, "100.64.0.10:1", pair->a);
	put_nat(1, 2, "100.64.0.11:1", pair->b);
	sim.nat[2].hairpin = sim_below(4);
	sim_host(0, 0, "192.168.1.5:40000");
	sim_host(1, 1, "192.168.1.5:40000");
	pair->possible = sim.nat[2].hairpin && nested_is_possible(inner, outer);
}

/* Lays out one side without a NAT. */
static void lay_out_public(struct random_pair *pair)
{
	put_nat(0, INTERNET, "198.51.100.1:1", pair->a);
	sim_host(0, 0, "10.0.0.5:40000");
	sim_host(1, INTERNET, "203.0.113.2:40001");
	pair->possible = true;
}

static void lay_out_random(struct random_pair *pair)
{
	*pair = (struct random_pair){ (unsigned int)sim_below(KINDS),
				      (unsigned int)sim_below(KINDS) };
	sim.loss = (unsigned int)sim_below(301);
	sim.delay_ns = (2 + sim_below(150)) * MS_NS;
	sim.jitter_ns = sim_below(2) * sim_below(60 * MS_NS);
	switch (sim_below(8)) {
	case 0:
		lay_out_same(pair);
		break;
	case 1:
		lay_out_nested(pair);
		break;
	case 2:
		lay_out_public(pair);
		break;
	default:
		lay_out_pair(pair->a, pair->b);
		pair->possible = is_possible(pair->a, pair->b);
	}
	sim.host[0].clock_ns = (int64_t)(sim_below(60) * 86400 * SECOND_NS);
	sim.host[1].clock_ns = (int64_t)(sim_below(60) * 86400 * SECOND_NS);
}

/*
 * Returns true if the path survives idle time behind NATs with timeouts, and is restored within a
 * minute after one NAT reboots, without traffic.
 */
static bool is_held(void)
{
	unsigned int i, rebooted = (unsigned int)sim_below(2);

	for (i = 0; i < NATS_MAX; i++)
		sim.nat[i].timeout_ns = (20 + sim_below(280)) * SECOND_NS;
	sim_run(120 * SECOND_NS);
	if (!sim_passes() || sim.introductions > 1)
		return false;
	memset(sim.nat[rebooted].map, 0, sizeof(sim.nat[rebooted].map));
	sim_run(60 * SECOND_NS);
	return sim_passes();
}

/* At least 99 of 100 possible pairs get a path, and no impossible pair does. */
static void test_random_pairs(void **state)
{
	const char *wanted = getenv("PAIRS");
	unsigned long i, pairs = wanted ? strtoul(wanted, NULL, 10) : PAIRS_DEFAULT;
	unsigned long possible = 0, missed = 0, silent = 0, lost = 0;
	const struct peer_session_remote *path;
	struct random_pair pair;
	bool up;

	for (i = 0; i < pairs; i++) {
		sim_reset(i + 1000);
		lay_out_random(&pair);
		begin(sim_below(200) * MS_NS);
		up = sim_run_up(15 * SECOND_NS);
		if (up && !pair.possible)
			fail_msg("pair %lu of kinds %u and %u has a path", i, pair.a, pair.b);
		if (!pair.possible)
			continue;
		possible++;
		if (!up) {
			missed++;
			continue;
		}
		sim.loss = 0;
		sim_run(3 * SECOND_NS);
		path = peer_session_path(sim.host[0].session);
		if (pair.private && (!path || !path->private_scope))
			fail_msg("pair %lu does not use the private path", i);
		if (!sim_passes())
			silent++;
		else if (i % 8 == 0)
			lost += !is_held();
	}
	print_message(
		"%lu of %lu pairs can have a path; %lu have none, %lu pass no traffic, %lu are lost"
		" later\n",
		possible, pairs, missed, silent, lost);
	assert_true(missed * 100 <= possible);
	assert_int_equal(silent, 0);
	assert_int_equal(lost, 0);
}

/* --- with the relay */

static void test_relayed_table(void **state)
{
	unsigned int a, b, side;

	for (a = 0; a < KINDS; a++)
		for (b = 0; b < KINDS; b++) {
			sim_reset(a * KINDS + b + 1);
			sim.has_relay = true;
			lay_out_pair(a, b);
			begin(0);
			if (!sim_run_up(15 * SECOND_NS))
				fail_msg("NAT kinds %u and %u: no path", a, b);
			sim_run(5 * SECOND_NS);
			if (!sim_passes())
				fail_msg("NAT kinds %u and %u: no traffic", a, b);
			for (side = 0; side < SIDES; side++)
				if (sim_is_relayed(side) == is_possible(a, b))
					fail_msg("NAT kinds %u and %u: peer %u is%s relayed", a, b,
						 side, is_possible(a, b) ? "" : " not");
		}
}

/* As is_held(); in addition, a relayed pair is introduced again to find a direct path. */
static bool is_relay_held(void)
{
	unsigned int i, rebooted = (unsigned int)sim_below(2);

	for (i = 0; i < NATS_MAX; i++)
		sim.nat[i].timeout_ns = (20 + sim_below(280)) * SECOND_NS;
	sim_run(120 * SECOND_NS);
	if (!sim_passes())
		return false;
	memset(sim.nat[rebooted].map, 0, sizeof(sim.nat[rebooted].map));
	sim_run(90 * SECOND_NS);
	return sim_passes();
}

/* All pairs get a path. The loss is halved, because a relayed datagram crosses two links. */
static void test_relayed_pairs(void **state)
{
	const char *wanted = getenv("PAIRS");
	unsigned long i, pairs = wanted ? strtoul(wanted, NULL, 10) / 4 : PAIRS_DEFAULT / 4;
	unsigned long relayed = 0;
	struct random_pair pair;

	for (i = 0; i < pairs; i++) {
		sim_reset(i + 500000);
		sim.has_relay = true;
		lay_out_random(&pair);
		sim.loss /= 2;
		begin(sim_below(200) * MS_NS);
		if (!sim_run_up(20 * SECOND_NS))
			fail_msg("pair %lu of kinds %u and %u has no path", i, pair.a, pair.b);
		sim.loss = 0;
		sim_run(5 * SECOND_NS);
		if (!sim_passes())
			fail_msg("pair %lu of kinds %u and %u passes no traffic", i, pair.a,
				 pair.b);
		relayed += sim_is_relayed(0) && sim_is_relayed(1);
		if (!pair.possible && (!sim_is_relayed(0) || !sim_is_relayed(1)))
			fail_msg("pair %lu of kinds %u and %u has a direct path", i, pair.a,
				 pair.b);
		if (i % 8 == 0 && !is_relay_held())
			fail_msg("pair %lu of kinds %u and %u is lost later", i, pair.a, pair.b);
	}
	print_message("%lu of %lu pairs are relayed\n", relayed, pairs);
}

/*
 * Two NATs that map by port and do not filter: each check comes from a new address. The relay must
 * still be tried, even with a long delay and loss.
 */
static void test_relayed_in_a_crowd(void **state)
{
	unsigned long i;

	for (i = 0; i < 300; i++) {
		sim_reset(i + 700000);
		sim.has_relay = true;
		lay_out_pair(6, 6);
		sim.loss = 100;
		sim.delay_ns = (30 + i % 4 * 40) * MS_NS;
		sim.jitter_ns = i % 5 * 10 * MS_NS;
		begin(0);
		if (!sim_run_up(20 * SECOND_NS))
			fail_msg("pair %lu has no path", i);
		assert_true(sim_is_relayed(0) && sim_is_relayed(1));
	}
}

static int teardown(void **state)
{
	sim_reset(1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_random_pairs),
		cmocka_unit_test(test_relayed_table),
		cmocka_unit_test(test_relayed_pairs),
		cmocka_unit_test(test_relayed_in_a_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
