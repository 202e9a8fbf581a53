// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Path MTU discovery of a session: grows, shrinks in mid-traffic without ICMP, and starts again on
 * another path. The NATs are simulated.
 */
#include "meet/peer/session.h"
#include "peer_sim.h"

#define MINUTE_NS (60 * SECOND_NS)

/* UDP payload of an IPv4 packet */
#define IP4(packet) ((packet)-28)

/* Only the selected address, which has answered a full-size check, gets more than 1,200 bytes. */
static void on_sent(int host, const struct stun_endpoint *to, const void *data, size_t length)
{
	const struct peer_session_remote *path = peer_session_path(sim.host[host].session);

	if (length <= PEER_SESSION_FULL_SIZE)
		return;
	assert_true(path && path->full && stun_endpoint_is_same(&path->at, to));
	assert_true(path->kind != PEER_SESSION_REMOTE_RELAYED);
}

static void lay_out(size_t mtu)
{
	sim_reset(7);
	sim.tap = on_sent;
	sim.mtu = mtu;
	sim_put_nats(BY_ADDRESS_AND_PORT);
}

static void begin(void)
{
	sim_meet();
	assert_true(sim_run_up(5 * SECOND_NS));
}

static int teardown(void **state)
{
	sim_reset(1);
	return 0;
}

static size_t mtu(unsigned int side)
{
	return peer_session_mtu(sim.host[side].session);
}

static const struct peer_session_stats *stats(unsigned int side)
{
	return peer_session_stats(sim.host[side].session);
}

/* Sends in both directions ten times a second; @stalls: the traffic of host 0 stalls. */
static void run_with_data(uint64_t duration_ns, bool stalls)
{
	uint64_t end_ns = sim.now_ns + duration_ns;

	while (sim.now_ns < end_ns) {
		sim_send_data(0);
		sim_send_data(1);
		if (stalls)
			peer_session_stalled(sim.host[0].session, sim_clock(&sim.host[0]));
		sim_run(100 * MS_NS);
	}
}

/* Each link gets the largest probed size that it passes, within seconds and with few probes. */
static void test_sizes(void **state)
{
	static const struct {
		size_t link, mtu;
	} cases[] = { { 0, IP4(1500) },		{ IP4(1500), IP4(1500) }, { IP4(1499), IP4(1492) },
		      { IP4(1492), IP4(1492) }, { IP4(1400), IP4(1400) }, { IP4(1399), IP4(1280) },
		      { IP4(1280), IP4(1280) }, { IP4(1279), 1200 },	  { 1200, 1200 } };
	unsigned int i, side;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		lay_out(cases[i].link);
		begin();
		sim_run(10 * SECOND_NS);
		for (side = 0; side < SIDES; side++) {
			assert_int_equal(mtu(side), cases[i].mtu);
			assert_int_equal(stats(side)->black_holes, 0);
			assert_int_equal(stats(side)->path_changes, 1);
			assert_in_range(stats(side)->checks_sent, 2, 50);
		}
	}
}

/* One round trip after the path, on a link of 1,500 bytes. */
static void test_at_once(void **state)
{
	lay_out(IP4(1500));
	begin();
	sim_run(100 * MS_NS);
	assert_int_equal(mtu(0), IP4(1500));
	assert_int_equal(mtu(1), IP4(1500));
}

/* IPv6 headers are 20 bytes larger. */
static void test_ip6(void **state)
{
	lay_out(0);
	sim_host(0, INTERNET, "[2001:db8::1]:40000");
	sim_host(1, INTERNET, "[2001:db8::2]:40001");
	begin();
	sim_run(SECOND_NS);
	assert_int_equal(mtu(0), 1500 - 48);
}

static void shrink(bool stalls, uint64_t duration_ns)
{
	lay_out(IP4(1500));
	begin();
	run_with_data(10 * SECOND_NS, false);
	assert_int_equal(mtu(0), IP4(1500));
	sim.mtu = IP4(1400);
	run_with_data(duration_ns, stalls);
	assert_true(mtu(0) <= IP4(1400));
	run_with_data(5 * SECOND_NS, false);
	assert_int_equal(mtu(0), IP4(1400));
	assert_int_equal(stats(0)->black_holes, 1);
	/* the path itself was never in doubt */
	assert_int_equal(stats(0)->path_changes, 1);
	assert_int_equal(stats(0)->repunches, 0);
	run_with_data(MINUTE_NS, true);
	assert_int_equal(mtu(0), IP4(1400));
	assert_int_equal(stats(0)->black_holes, 1);
}

/* Within 1.5 seconds after QUIC stalls, otherwise with the next check for consent. */
static void test_shrinks(void **state)
{
	shrink(true, 1500 * MS_NS);
	shrink(false, 7 * SECOND_NS);
}

/* The link carries larger packets again, found after ten minutes. */
static void test_grows(void **state)
{
	lay_out(IP4(1280));
	begin();
	run_with_data(10 * SECOND_NS, false);
	assert_int_equal(mtu(0), IP4(1280));
	sim.mtu = 0;
	run_with_data(11 * MINUTE_NS, false);
	assert_int_equal(mtu(0), IP4(1500));
	assert_int_equal(mtu(1), IP4(1500));
}

/* An outage is no black hole: neither a confirmed size nor a search is given up for it. */
static void test_outage(void **state)
{
	lay_out(IP4(1500));
	begin();
	run_with_data(10 * SECOND_NS, false);
	sim.loss = 1000;
	run_with_data(4 * SECOND_NS, true);
	sim.loss = 0;
	run_with_data(10 * SECOND_NS, true);
	assert_int_equal(mtu(0), IP4(1500));
	assert_int_equal(stats(0)->black_holes, 0);

	lay_out(IP4(1500));
	begin();
	sim.loss = 1000;
	run_with_data(4 * SECOND_NS, false);
	sim.loss = 0;
	run_with_data(10 * SECOND_NS, false);
	assert_int_equal(mtu(0), IP4(1500));
}

/* Another address starts with 1,200 bytes, and is probed. */
static void test_moves(void **state)
{
	lay_out(IP4(1500));
	sim.nat[0].filtering = INDEPENDENT;
	begin();
	sim_run(10 * SECOND_NS);
	assert_int_equal(mtu(0), IP4(1500));
	sim.server_gone = true;
	sim.mtu = IP4(1400);
	sim_nat(2, INTERNET, "192.0.2.77:1", INDEPENDENT, BY_ADDRESS_AND_PORT);
	sim_host(1, 2, "172.16.0.9:40001");
	peer_session_network_changed(sim.host[1].session, sim_clock(&sim.host[1]));
	assert_int_equal(mtu(1), PEER_SESSION_FULL_SIZE);
	sim_run(5 * SECOND_NS);
	assert_int_equal(stats(0)->path_changes, 2);
	assert_int_equal(mtu(0), IP4(1400));
	assert_int_equal(mtu(1), IP4(1400));
	/* it is not a fall of the size on one path */
	assert_int_equal(stats(0)->black_holes, 0);
}

/* The relay keeps 1,200 bytes, and a direct address after it is probed. */
static void test_relay(void **state)
{
	lay_out(0);
	sim.has_relay = true;
	sim.nat[0].mapping = BY_ADDRESS_AND_PORT;
	begin();
	sim_run(5 * SECOND_NS);
	assert_true(sim_is_relayed(0));
	assert_int_equal(mtu(0), PEER_SESSION_FULL_SIZE);
	assert_int_equal(mtu(1), PEER_SESSION_FULL_SIZE);
	sim.nat[0].mapping = INDEPENDENT;
	sim_run(2 * MINUTE_NS);
	assert_false(sim_is_relayed(0));
	assert_int_equal(mtu(0), IP4(1500));
}

/* TCP has no path MTU. */
static void test_tcp(void **state)
{
	lay_out(0);
	sim.has_tcp = true;
	sim.no_udp = true;
	begin();
	sim_run(5 * SECOND_NS);
	assert_true(peer_session_path(sim.host[0].session)->at.tcp);
	assert_int_equal(mtu(0), PEER_SESSION_FULL_SIZE);
}

/* An idle path sends no probes. */
static void test_idle(void **state)
{
	uint64_t sent;

	lay_out(IP4(1280));
	begin();
	sim_run(MINUTE_NS);
	sent = stats(0)->checks_sent - stats(0)->keepalives_sent;
	sim_run(60 * MINUTE_NS);
	assert_int_equal(stats(0)->checks_sent - stats(0)->keepalives_sent, sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_sizes, teardown),
		cmocka_unit_test_teardown(test_at_once, teardown),
		cmocka_unit_test_teardown(test_ip6, teardown),
		cmocka_unit_test_teardown(test_shrinks, teardown),
		cmocka_unit_test_teardown(test_grows, teardown),
		cmocka_unit_test_teardown(test_outage, teardown),
		cmocka_unit_test_teardown(test_moves, teardown),
		cmocka_unit_test_teardown(test_relay, teardown),
		cmocka_unit_test_teardown(test_tcp, teardown),
		cmocka_unit_test_teardown(test_idle, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
