// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A session and the relay: when the relay is used, how the path moves between the relay and a
 * direct address without loss, and the effect of --relay-only and --direct-only. The NATs are
 * simulated.
 */
#include "meet/peer/predict.h"
#include "meet/peer/relay.h"
#include "meet/scope.h"
#include "peer_sim.h"

#define MINUTE_NS (60 * SECOND_NS)
/*
 * A NAT that maps by port, and a NAT that does not: no direct path while the second NAT filters by
 * port.
 */
#define PUBLIC_A "198.51.100.1:1"
#define PUBLIC_B "203.0.113.2:1"

static void lay_out(enum sim_kind filtering_of_b)
{
	sim_reset(7);
	sim.has_relay = true;
	sim_nat(0, INTERNET, PUBLIC_A, BY_ADDRESS_AND_PORT, BY_ADDRESS_AND_PORT);
	sim_nat(1, INTERNET, PUBLIC_B, INDEPENDENT, filtering_of_b);
	sim_host(0, 0, "10.0.0.5:40000");
	sim_host(1, 1, "10.1.0.7:40001");
}

static void begin(unsigned int initiator)
{
	sim_register(0);
	sim_register(1);
	sim_introduce(initiator, 0);
	sim_begin();
}

static void want_relayed(bool relayed)
{
	unsigned int side;

	for (side = 0; side < SIDES; side++)
		assert_int_equal(sim_is_relayed(side), relayed);
}

/* Sends in both directions ten times a second. All datagrams must arrive. */
static void run_with_data(uint64_t duration_ns)
{
	const unsigned int before[SIDES] = { sim.host[0].data, sim.host[1].data };
	unsigned int i, count = (unsigned int)(duration_ns / (100 * MS_NS));

	for (i = 0; i < count; i++) {
		sim_send_data(0);
		sim_send_data(1);
		sim_run(100 * MS_NS);
	}
	sim_run(SECOND_NS);
	assert_int_equal(sim.host[0].data - before[0], count);
	assert_int_equal(sim.host[1].data - before[1], count);
}

static const struct peer_session_remote *find_kind(unsigned int side, unsigned int kind)
{
	const struct peer_session_remote *remote;
	unsigned int i, count;

	remote = peer_session_remotes(sim.host[side].session, &count);
	for (i = 0; i < count; i++)
		if (remote[i].kind == kind)
			return &remote[i];
	return NULL;
}

/* --- predicted ports */

/* The peer behind the NAT that maps by port predicts that its next port is @first. */
static void predict(uint16_t first, int step)
{
	const struct sluice_rendezvous_predicted predicted = { .first_be = htons(first),
							       .step = (__s8)step };
	const struct sim_host *host = &sim.host[0];

	peer_session_set_predicted(host->session, host->introduction.id, &predicted,
				   sim_clock(host));
}

static unsigned int count_kind(unsigned int side, unsigned int kind)
{
	const struct peer_session_remote *remote;
	unsigned int i, count, found = 0;

	remote = peer_session_remotes(sim.host[side].session, &count);
	for (i = 0; i < count; i++)
		found += remote[i].kind == kind;
	return found;
}

static void lay_out_predicted(unsigned int initiator)
{
	lay_out(BY_ADDRESS_AND_PORT);
	sim.nat[0].next_port = 41000;
	begin(initiator);
}

/* The prediction arrives before or after the relay, with a port that another host has used. */
static void test_predicted(void **state)
{
	unsigned int initiator, late;

	for (initiator = 0; initiator < SIDES; initiator++)
		for (late = 0; late < 2; late++) {
			lay_out_predicted(initiator);
			if (late)
				sim_run(2 * SECOND_NS);
			predict(41000, 1);
			sim_run(3 * SECOND_NS);
			want_relayed(false);
			assert_non_null(find_kind(1, PEER_SESSION_REMOTE_PREDICTED));
			assert_int_equal(peer_session_path(sim.host[1].session)->kind,
					 PEER_SESSION_REMOTE_PREDICTED);
			run_with_data(30 * SECOND_NS);
			want_relayed(false);
		}
}

/* A wrong prediction costs some checks, once per introduction, and the path stays relayed. */
static void test_wrongly_predicted(void **state)
{
	lay_out_predicted(0);
	predict(50000, 2);
	sim_run(2 * SECOND_NS);
	assert_int_equal(count_kind(1, PEER_SESSION_REMOTE_PREDICTED), 6);
	predict(51000, 2);
	sim_run(2 * SECOND_NS);
	assert_int_equal(count_kind(1, PEER_SESSION_REMOTE_PREDICTED), 6);
	want_relayed(true);
}

/* Ports beyond the range, and ports below 1024, get no check. */
static void test_impossible_ports(void **state)
{
	lay_out_predicted(0);
	predict(65534, 1);
	sim_run(2 * SECOND_NS);
	assert_int_equal(count_kind(1, PEER_SESSION_REMOTE_PREDICTED), 2);
	lay_out_predicted(0);
	predict(1026, -1);
	sim_run(2 * SECOND_NS);
	assert_int_equal(count_kind(1, PEER_SESSION_REMOTE_PREDICTED), 6);
	assert_int_equal(find_kind(1, PEER_SESSION_REMOTE_PREDICTED)->reason,
			 PEER_SESSION_REASON_NONE);
	want_relayed(true);
}

/* Without a constant distance between the ports of the sockets, there is no prediction. */
static void test_predict_ports(void **state)
{
	static const struct {
		uint16_t port[PREDICT_SOCKETS];
		bool known;
		uint16_t first;
		int step;
	} cases[] = {
		{ { 40000, 40001, 40002 }, true, 40003, 1 },
		{ { 40000, 40002, 40004 }, true, 40006, 2 },
		{ { 40002, 40001, 40000 }, true, 39999, -1 },
		{ { 40000, 40001, 40003 }, false, 0, 0 },
		{ { 40000, 40000, 40000 }, false, 0, 0 },
		{ { 40000, 40005, 40010 }, false, 0, 0 },
		{ { 12345, 50321, 1029 }, false, 0, 0 },
		{ { 65533, 65534, 65535 }, false, 0, 0 },
		{ { 3, 2, 1 }, false, 0, 0 },
	};
	struct sluice_rendezvous_predicted predicted;
	in_port_t ports_be[PREDICT_SOCKETS];
	size_t i, k;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (k = 0; k < PREDICT_SOCKETS; k++)
			ports_be[k] = htons(cases[i].port[k]);
		assert_int_equal(predict_ports(ports_be, &predicted), cases[i].known);
		if (!cases[i].known)
			continue;
		assert_int_equal(ntohs(predicted.first_be), cases[i].first);
		assert_int_equal(predicted.step, cases[i].step);
	}
}

/* --- when the relay is used */

static void test_endpoint(void **state)
{
	struct stun_endpoint at = relay_endpoint(3, 0x4fff),
			     other = sim_endpoint("192.0.2.1:20479");

	assert_true(relay_is_endpoint(&at));
	assert_int_equal(relay_server(&at), 3);
	assert_int_equal(relay_channel(&at), 0x4fff);
	assert_int_equal(scope_of(&at.addr), SCOPE_NONE);
	assert_false(relay_is_endpoint(&other));
	other = sim_endpoint("[2001:db8::1]:20479");
	assert_false(relay_is_endpoint(&other));
}

/* A direct path needs no relay, and none is requested. */
static void test_not_needed(void **state)
{
	lay_out(INDEPENDENT);
	begin(0);
	assert_true(sim_run_up(5 * SECOND_NS));
	run_with_data(10 * SECOND_NS);
	want_relayed(false);
	assert_false(sim.host[0].leg[1].bound || sim.host[1].leg[1].bound);
	assert_int_equal(sim.host[0].relayed + sim.host[1].relayed, 0);
}

static void test_relayed(void **state)
{
	const struct peer_session_remote *path, *direct;

	lay_out(BY_ADDRESS_AND_PORT);
	begin(0);
	assert_true(sim_run_up(2 * SECOND_NS));
	want_relayed(true);
	run_with_data(10 * SECOND_NS);
	path = peer_session_path(sim.host[0].session);
	assert_true(path->full);
	assert_int_equal(path->kind, PEER_SESSION_REMOTE_RELAYED);
	assert_string_equal(peer_session_remote_kinds[path->kind], "relayed");
	assert_in_range(path->rtt_ns, 80 * MS_NS, 100 * MS_NS);
	/* the reason for using the relay */
	direct = find_kind(0, PEER_SESSION_REMOTE_REFLEXIVE);
	assert_non_null(direct);
	assert_int_equal(direct->reason, PEER_SESSION_REASON_SILENT);
}

/* A NAT starts to pass the checks: the path becomes direct, and no datagram is lost. */
static void test_becomes_direct(void **state)
{
	unsigned int initiator;

	for (initiator = 0; initiator < SIDES; initiator++) {
		lay_out(BY_ADDRESS_AND_PORT);
		begin(initiator);
		assert_true(sim_run_up(2 * SECOND_NS));
		run_with_data(20 * SECOND_NS);
		want_relayed(true);
		sim.nat[1].filtering = INDEPENDENT;
		run_with_data(MINUTE_NS);
		want_relayed(false);
		run_with_data(MINUTE_NS);
		want_relayed(false);
	}
}

/* The attempts continue with back-off, up to ten minutes. */
static void test_back_off(void **state)
{
	unsigned int introductions;

	lay_out(BY_ADDRESS_AND_PORT);
	begin(0);
	assert_true(sim_run_up(2 * SECOND_NS));
	sim_run(5 * MINUTE_NS);
	assert_in_range(sim.introductions, 4, 6);
	sim_run(60 * MINUTE_NS);
	assert_in_range(sim.introductions, 9, 13);
	want_relayed(true);
	assert_true(sim_passes());
	/* a network change restarts them */
	introductions = sim.introductions;
	peer_session_network_changed(sim.host[0].session, sim_clock(&sim.host[0]));
	sim_flush(0);
	sim_run(5 * SECOND_NS);
	assert_int_equal(sim.introductions, introductions + 1);
	assert_true(sim_passes());
}

/* A direct path is lost permanently: the relay replaces it. */
static void test_becomes_relayed(void **state)
{
	lay_out(INDEPENDENT);
	begin(0);
	assert_true(sim_run_up(5 * SECOND_NS));
	want_relayed(false);
	sim.nat[1].filtering = BY_ADDRESS_AND_PORT;
	memset(sim.nat[0].map, 0, sizeof(sim.nat[0].map));
	memset(sim.nat[1].map, 0, sizeof(sim.nat[1].map));
	sim_register(0);
	sim_register(1);
	sim_send_data(0);
	sim_run(20 * SECOND_NS);
	want_relayed(true);
	run_with_data(10 * SECOND_NS);
}

/*
 * A direct path has replaced the relay and breaks while data flows and the channels are still
 * bound. Both peers must return to the relay.
 */
static void test_becomes_relayed_again(void **state)
{
	unsigned int i;

	lay_out(BY_ADDRESS_AND_PORT);
	begin(0);
	assert_true(sim_run_up(2 * SECOND_NS));
	sim.nat[1].filtering = INDEPENDENT;
	for (i = 0; i < 60 && (sim_is_relayed(0) || sim_is_relayed(1)); i++)
		run_with_data(SECOND_NS);
	want_relayed(false);
	sim.nat[1].filtering = BY_ADDRESS_AND_PORT;
	memset(sim.nat[0].map, 0, sizeof(sim.nat[0].map));
	memset(sim.nat[1].map, 0, sizeof(sim.nat[1].map));
	sim_register(0);
	sim_register(1);
	/*
	 * one peer detects this at once; datagrams that the other peer then receives must not hide
	 * the failure
	 */
	peer_session_network_changed(sim.host[0].session, sim_clock(&sim.host[0]));
	sim_flush(0);
	for (i = 0; i < 20; i++) {
		sim_send_data(0);
		sim_send_data(1);
		sim_run(100 * MS_NS);
	}
	want_relayed(true);
	run_with_data(10 * SECOND_NS);
}

/* A lost channel that is bound again is checked. */
static void test_same_channel(void **state)
{
	struct peer_session *session;
	struct stun_endpoint at;
	uint64_t checks;

	lay_out(BY_ADDRESS_AND_PORT);
	begin(0);
	assert_true(sim_run_up(2 * SECOND_NS));
	sim_run(5 * SECOND_NS);
	sim.server_gone = true;
	session = sim.host[0].session;
	at = peer_session_path(session)->at;
	assert_true(relay_is_endpoint(&at));
	peer_session_lose(session, &at, sim_clock(&sim.host[0]));
	sim_run(SECOND_NS);
	assert_null(peer_session_path(session));
	checks = find_kind(0, PEER_SESSION_REMOTE_RELAYED)->checks;
	assert_true(peer_session_set_relay(session, sim.host[0].introduction.id, &at,
					   sim_clock(&sim.host[0])));
	sim_run(SECOND_NS);
	assert_true(find_kind(0, PEER_SESSION_REMOTE_RELAYED)->checks > checks);
}

/* The restarted server has lost the bindings: another introduction, and new channels. */
static void test_server_restarts(void **state)
{
	lay_out(BY_ADDRESS_AND_PORT);
	begin(0);
	assert_true(sim_run_up(2 * SECOND_NS));
	sim_run(5 * SECOND_NS);
	sim_forget_relay();
	sim_run(5 * SECOND_NS);
	want_relayed(true);
	assert_true(sim_is_up());
	assert_int_equal(sim.introductions, 2);
	run_with_data(5 * SECOND_NS);
	/* without the server, the path is lost */
	sim_forget_relay();
	sim.server_gone = true;
	sim_run(2 * MINUTE_NS);
	assert_int_equal(peer_session_state(sim.host[0].session), PEER_SESSION_FAILED);
	assert_int_equal(peer_session_state(sim.host[1].session), PEER_SESSION_FAILED);
	assert_true(peer_session_due_ns(sim.host[0].session) == UINT64_MAX);
	/* a later introduction restores the path, again through the relay */
	sim.server_gone = false;
	sim_register(0);
	sim_register(1);
	sim_introduce(0, 0);
	peer_session_introduce(sim.host[0].session, &sim.host[0].introduction,
			       sim_clock(&sim.host[0]));
	peer_session_introduce(sim.host[1].session, &sim.host[1].introduction,
			       sim_clock(&sim.host[1]));
	assert_true(sim_run_up(5 * SECOND_NS));
	want_relayed(true);
	run_with_data(5 * SECOND_NS);
}

static unsigned int direct;

static void count_direct(int host, const struct stun_endpoint *to, const void *data, size_t length)
{
	direct += !host && !relay_is_endpoint(to);
}

/* No datagram leaves to a direct address, and none from a direct address is accepted. */
static void test_relay_only(void **state)
{
	const struct peer_session_remote *remote;
	unsigned int i, count;

	lay_out(INDEPENDENT);
	/* the checks of the other peer arrive */
	sim.nat[0].mapping = sim.nat[0].filtering = INDEPENDENT;
	sim.host[0].relay = PEER_SESSION_RELAY_ONLY;
	direct = 0;
	sim.tap = count_direct;
	begin(0);
	assert_true(sim_run_up(5 * SECOND_NS));
	run_with_data(2 * MINUTE_NS);
	want_relayed(true);
	assert_int_equal(direct, 0);
	remote = peer_session_remotes(sim.host[0].session, &count);
	for (i = 0; i < count; i++)
		assert_int_equal(remote[i].reason, remote[i].kind == PEER_SESSION_REMOTE_RELAYED
							   ? PEER_SESSION_REASON_NONE
							   : PEER_SESSION_REASON_DISABLED);
	assert_string_equal(peer_session_reasons[PEER_SESSION_REASON_DISABLED], "disabled");
}

static void test_direct_only(void **state)
{
	lay_out(BY_ADDRESS_AND_PORT);
	sim.host[0].relay = PEER_SESSION_RELAY_NEVER;
	begin(0);
	assert_false(sim_run_up(MINUTE_NS));
	assert_false(sim.host[0].leg[1].bound);
	assert_int_equal(peer_session_state(sim.host[0].session), PEER_SESSION_FAILED);
	lay_out(INDEPENDENT);
	sim.host[0].relay = sim.host[1].relay = PEER_SESSION_RELAY_NEVER;
	begin(0);
	assert_true(sim_run_up(5 * SECOND_NS));
	want_relayed(false);
}

/* A server cannot inject a channel as a candidate, and a relay without a session is ignored. */
static void test_not_injected(void **state)
{
	static const uint8_t other_id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE] = { 1 };
	struct stun_endpoint at = relay_endpoint(0, 0x4001);
	const struct peer_session_remote *remote;
	unsigned int i, count;

	lay_out(INDEPENDENT);
	sim_register(0);
	sim_register(1);
	sim_introduce(0, 0);
	sim_put_candidate(&sim.host[0].introduction, &at, CANDIDATE_HOST);
	sim_begin();
	at = relay_endpoint(0, 0x4002);
	assert_false(peer_session_set_relay(sim.host[0].session, other_id, &at,
					    sim_clock(&sim.host[0])));
	assert_true(sim_run_up(5 * SECOND_NS));
	remote = peer_session_remotes(sim.host[0].session, &count);
	for (i = 0; i < count; i++) {
		if (!relay_is_endpoint(&remote[i].at))
			continue;
		assert_int_equal(remote[i].reason, PEER_SESSION_REASON_SCOPE);
		assert_int_equal(remote[i].checks, 0);
	}
	want_relayed(false);
}

static int teardown(void **state)
{
	sim_reset(1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_predict_ports),
		cmocka_unit_test(test_predicted),
		cmocka_unit_test(test_wrongly_predicted),
		cmocka_unit_test(test_impossible_ports),
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_not_needed),
		cmocka_unit_test(test_relayed),
		cmocka_unit_test(test_becomes_direct),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_becomes_relayed),
		cmocka_unit_test(test_becomes_relayed_again),
		cmocka_unit_test(test_same_channel),
		cmocka_unit_test(test_server_restarts),
		cmocka_unit_test(test_relay_only),
		cmocka_unit_test(test_direct_only),
		cmocka_unit_test(test_not_injected),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
