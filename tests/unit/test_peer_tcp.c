// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A session and TCP: when a path uses TCP, the rank of TCP addresses, and the effect of the
 * options. The NATs are simulated; test_tcp_paths tests the connections.
 */
#include "meet/peer/relay.h"
#include "peer_sim.h"

static void lay_out(enum sim_kind filtering_of_b)
{
	sim_reset(7);
	sim.has_relay = sim.has_tcp = true;
	sim_nat(0, INTERNET, "198.51.100.1:1", INDEPENDENT, BY_ADDRESS_AND_PORT);
	sim_nat(1, INTERNET, "203.0.113.2:1", INDEPENDENT, filtering_of_b);
	sim_host(0, 0, "10.0.0.5:40000");
	sim_host(1, 1, "10.1.0.7:40001");
}

static void begin(void)
{
	sim_register(0);
	sim_register(1);
	sim_introduce(0, 0);
	sim_begin();
}

static bool uses_tcp(unsigned int side)
{
	const struct peer_session_remote *path = peer_session_path(sim.host[side].session);

	return path && path->at.tcp;
}

static bool uses_udp(unsigned int side)
{
	const struct peer_session_remote *path = peer_session_path(sim.host[side].session);

	return path && !path->at.tcp && !relay_is_endpoint(&path->at);
}

static const struct peer_session_remote *find_tcp(unsigned int side)
{
	const struct peer_session_remote *remote;
	unsigned int i, count;

	remote = peer_session_remotes(sim.host[side].session, &count);
	for (i = 0; i < count; i++)
		if (remote[i].at.tcp)
			return &remote[i];
	return NULL;
}

static unsigned int tcp_messages;

static void count_tcp(int host, const struct stun_endpoint *to, const void *data, size_t length)
{
	tcp_messages += to->tcp;
}

/* The UDP path is found first, and nothing is sent by TCP afterwards. */
static void test_udp_first(void **state)
{
	lay_out(BY_ADDRESS_AND_PORT);
	begin();
	assert_true(sim_run_up(5 * SECOND_NS));
	sim_run(SECOND_NS);
	assert_true(uses_udp(0) && uses_udp(1));
	tcp_messages = 0;
	sim.tap = count_tcp;
	sim_run(20 * SECOND_NS);
	assert_int_equal(tcp_messages, 0);
}

/* Without UDP the path uses TCP; it does not need the relay, which takes longer. */
static void test_udp_blocked(void **state)
{
	lay_out(BY_ADDRESS_AND_PORT);
	sim.no_udp = true;
	begin();
	assert_true(sim_run_up(500 * MS_NS));
	assert_true(uses_tcp(0) && uses_tcp(1));
	assert_true(sim_passes());
	assert_false(sim.host[0].leg[1].bound || sim.host[1].leg[1].bound);
	assert_true(find_tcp(0)->full);
}

/* A UDP path is found later in the same search, and replaces the TCP path. */
static void test_udp_later(void **state)
{
	lay_out(BY_ADDRESS_AND_PORT);
	sim.no_udp = true;
	begin();
	assert_true(sim_run_up(SECOND_NS));
	sim_run(2 * SECOND_NS);
	assert_true(uses_tcp(0) && uses_tcp(1));
	sim.no_udp = false;
	sim_run(4 * SECOND_NS);
	assert_true(uses_udp(0) && uses_udp(1));
	assert_int_equal(sim.introductions, 1);
}

/* UDP works again: a later introduction moves the path; until then, the TCP path stays in use. */
static void test_back_to_udp(void **state)
{
	unsigned int i, before;

	lay_out(BY_ADDRESS_AND_PORT);
	sim.no_udp = true;
	begin();
	assert_true(sim_run_up(SECOND_NS));
	sim_run(12 * SECOND_NS);
	assert_true(uses_tcp(0) && uses_tcp(1));
	sim.no_udp = false;
	before = sim.host[1].data;
	for (i = 0; i < 300; i++) {
		sim_send_data(0);
		sim_run(100 * MS_NS);
	}
	assert_true(uses_udp(0) && uses_udp(1));
	assert_int_equal(sim.host[1].data - before, 300);
}

/* The path moves from the relay to TCP, as it does to UDP. */
static void test_leaves_relay(void **state)
{
	lay_out(BY_ADDRESS_AND_PORT);
	sim.no_udp = true;
	sim.has_tcp = false;
	begin();
	assert_true(sim_run_up(2 * SECOND_NS));
	assert_true(sim_is_relayed(0) && sim_is_relayed(1));
	sim.has_tcp = true;
	sim_register(0);
	sim_run(20 * SECOND_NS);
	assert_true(uses_tcp(0) && uses_tcp(1));
}

/* The connection has ended: the relay is used until a new connection exists. */
static void test_lost(void **state)
{
	struct stun_endpoint at;
	unsigned int side;

	lay_out(BY_ADDRESS_AND_PORT);
	sim.no_udp = true;
	begin();
	assert_true(sim_run_up(SECOND_NS));
	sim_run(15 * SECOND_NS);
	for (side = 0; side < SIDES; side++) {
		at = peer_session_path(sim.host[side].session)->at;
		peer_session_lose(sim.host[side].session, &at, sim_clock(&sim.host[side]));
		assert_null(peer_session_path(sim.host[side].session));
		assert_int_equal(find_tcp(side)->answered, 0);
		sim_flush(side);
	}
	sim_run(5 * SECOND_NS);
	assert_true(uses_tcp(0) && uses_tcp(1));
	assert_true(sim_passes());
}

/* Once connected, the check is sent at once, without pacing. */
static void test_connected(void **state)
{
	lay_out(BY_ADDRESS_AND_PORT);
	sim.no_udp = true;
	begin();
	sim_run(45 * MS_NS);
	tcp_messages = 0;
	sim.tap = count_tcp;
	peer_session_connected(sim.host[0].session, &sim.host[1].mapped_tcp,
			       sim_clock(&sim.host[0]));
	sim_flush(0);
	assert_int_equal(tcp_messages, 0); /* before the start */
	sim_run(10 * MS_NS);
	tcp_messages = 0;
	peer_session_connected(sim.host[0].session, &sim.host[1].mapped_tcp,
			       sim_clock(&sim.host[0]));
	sim_flush(0);
	assert_int_equal(tcp_messages, 1);
}

/* An option of one peer excludes a transport; neither peer sends or answers by this transport. */
static void test_excluded(void **state)
{
	lay_out(INDEPENDENT);
	sim.host[1].no_tcp = true;
	sim.no_udp = true;
	sim.tap = count_tcp;
	tcp_messages = 0;
	begin();
	assert_true(sim_run_up(5 * SECOND_NS));
	assert_true(sim_is_relayed(0) && sim_is_relayed(1));
	assert_int_equal(find_tcp(1)->reason, PEER_SESSION_REASON_DISABLED);
	assert_int_equal(find_tcp(1)->checks, 0);
	assert_int_not_equal(tcp_messages, 0); /* of the other one */

	lay_out(INDEPENDENT);
	sim.host[0].no_udp = true;
	begin();
	assert_true(sim_run_up(5 * SECOND_NS));
	sim_run(60 * SECOND_NS);
	assert_true(uses_tcp(0) && uses_tcp(1));

	lay_out(INDEPENDENT);
	sim.host[0].relay = sim.host[1].relay = PEER_SESSION_RELAY_ONLY;
	tcp_messages = 0;
	sim.tap = count_tcp;
	begin();
	assert_true(sim_run_up(5 * SECOND_NS));
	assert_true(sim_is_relayed(0) && sim_is_relayed(1));
	assert_int_equal(tcp_messages, 0);
}

static const char *const victims[] = { "127.0.0.1:8080", "169.254.169.254:8080", "224.0.0.1:8080",
				       "198.18.0.1:25" };

static void want_no_victim(int host, const struct stun_endpoint *to, const void *data,
			   size_t length)
{
	struct stun_endpoint victim;
	unsigned int i;

	for (i = 0; i < sizeof(victims) / sizeof(*victims); i++) {
		victim = sim_endpoint(victims[i]);
		assert_memory_not_equal(&victim.addr, &to->addr, sizeof(victim.addr));
	}
}

/* A server that names victims: addresses and ports are refused as for UDP. */
static void test_victims(void **state)
{
	struct introduction *introduction = &sim.host[0].introduction;
	const struct peer_session_remote *remote;
	unsigned int i, count, scopes = 0;
	struct stun_endpoint at;

	lay_out(INDEPENDENT);
	sim_register(0);
	sim_register(1);
	sim_introduce(0, 0);
	introduction->candidates = 0;
	for (i = 0; i < sizeof(victims) / sizeof(*victims); i++) {
		at = sim_endpoint(victims[i]);
		at.tcp = true;
		sim_put_candidate(introduction, &at, CANDIDATE_HOST);
	}
	sim.tap = want_no_victim;
	sim_begin();
	sim_run(10 * SECOND_NS); /* another introduction is later */
	remote = peer_session_remotes(sim.host[0].session, &count);
	for (i = 0; i < count; i++)
		scopes += remote[i].reason == PEER_SESSION_REASON_SCOPE;
	assert_int_equal(scopes, 4);
}

static int teardown(void **state)
{
	sim_reset(1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp_first),    cmocka_unit_test(test_udp_blocked),
		cmocka_unit_test(test_udp_later),    cmocka_unit_test(test_back_to_udp),
		cmocka_unit_test(test_leaves_relay), cmocka_unit_test(test_lost),
		cmocka_unit_test(test_connected),    cmocka_unit_test(test_excluded),
		cmocka_unit_test(test_victims),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
