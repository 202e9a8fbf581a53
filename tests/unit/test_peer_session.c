// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A session with a path: idle and busy, with NAT timeouts, peers that move, a dead server, and
 * attackers.
 */
#include "meet/peer/session.h"
#include "meet/peer/session_state.h"
#include "meet/scope.h"
#include "net/stun_build.h"
#include "peer_sim.h"

#include <errno.h>
#include <limits.h>

#define MINUTE_NS (60 * SECOND_NS)
#define STORM_MAX 600

/* Two peers behind port-restricted NATs, with a path. */
static int setup(void **state)
{
	sim_reset(7);
	sim_put_nats(BY_ADDRESS_AND_PORT);
	sim_meet();
	assert_true(sim_run_up(5 * SECOND_NS));
	sim_run(15 * SECOND_NS); /* also ends the search for a private path */
	return 0;
}

static int teardown(void **state)
{
	sim_reset(1);
	return 0;
}

static const struct peer_session_stats *stats(unsigned int side)
{
	return peer_session_stats(sim.host[side].session);
}

/* The ephemeral key does not outlive the derivation of the secrets. */
static void test_erased(void **state)
{
	static const uint8_t zeros[KEY_SIZE];

	assert_memory_not_equal(sim.host[0].introduction.ephemeral_secret, zeros, KEY_SIZE);
	assert_memory_equal(peer_session_introduction(sim.host[0].session)->ephemeral_secret, zeros,
			    KEY_SIZE);
}

/* --- time to a path */

/* One RTT after the start; the full-size path at most half an RTT later. */
static void test_time_to_path(void **state)
{
	uint64_t start_ns;

	sim_reset(3);
	sim_put_nats(BY_ADDRESS_AND_PORT);
	sim.delay_ns = 50 * MS_NS;
	sim_meet();
	start_ns = sim.now_ns + 50 * MS_NS;
	assert_true(sim_run_up(5 * SECOND_NS));
	assert_in_range(sim.now_ns - start_ns, 0, 2 * 100 * MS_NS + 20 * MS_NS);
}

static void test_private_first(void **state)
{
	const struct peer_session_remote *path;
	unsigned int count;

	sim_reset(3);
	sim_nat(0, INTERNET, "198.51.100.1:1", INDEPENDENT, INDEPENDENT);
	sim_host(0, 0, "10.0.0.5:40000");
	sim_host(1, 0, "10.0.0.7:40000");
	sim_meet();
	assert_true(sim_run_up(SECOND_NS));
	sim_run(SECOND_NS);
	path = peer_session_path(sim.host[0].session);
	assert_non_null(path);
	assert_true(path->private_scope);
	assert_true(path->full);
	assert_ptr_equal(path, peer_session_remotes(sim.host[0].session, &count));
	assert_true(sim_passes());
	/* only keepalives follow */
	sim.host[0].sent = sim.host[1].sent = 0;
	sim_run(MINUTE_NS);
	assert_in_range(sim.host[0].sent + sim.host[1].sent, 2, 10);
}

/* The path through a hairpin is found first; the private path takes over once it works. */
static void test_private_takes_over(void **state)
{
	sim_reset(3);
	sim_nat(0, INTERNET, "198.51.100.1:1", INDEPENDENT, INDEPENDENT);
	sim_host(0, 0, "10.0.0.5:40000");
	sim_host(1, 0, "10.0.0.7:40000");
	sim_meet();
	sim.isolated = true;
	assert_true(sim_run_up(SECOND_NS));
	assert_false(peer_session_path(sim.host[0].session)->private_scope);
	sim_run(SECOND_NS);
	sim.isolated = false;
	sim_run(2 * SECOND_NS);
	assert_true(peer_session_path(sim.host[0].session)->private_scope);
	assert_true(peer_session_path(sim.host[1].session)->private_scope);
	assert_true(sim_passes());
}

/* --- keepalive and consent */

/* RFC 7675: sends no traffic for more than 30 seconds to a peer that does not answer. */
static void test_consent(void **state)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		sim_send_data(0);
		sim_send_data(1);
		sim_run(100 * MS_NS);
	}
	sim.server_gone = true;
	sim.host[1].realm = NOWHERE;
	for (i = 0; i < 300; i++) {
		sim_send_data(0);
		sim_run(100 * MS_NS);
	}
	assert_null(peer_session_path(sim.host[0].session));
	assert_int_equal(peer_session_state(sim.host[0].session), PEER_SESSION_PUNCHING);
}

/*
 * An idle path through NATs with a timeout of 20 seconds. A keepalive from one side and its answer
 * refresh both mappings, so 2 datagrams every 15 to 18 seconds suffice.
 */
static void test_idle(void **state)
{
	sim.nat[0].timeout_ns = sim.nat[1].timeout_ns = 20 * SECOND_NS;
	sim.host[0].sent = sim.host[1].sent = 0;
	sim_run(60 * MINUTE_NS);
	assert_in_range(sim.host[0].sent + sim.host[1].sent, 2 * 3600 / 18, 2 * 3600 / 15);
	assert_int_equal(stats(0)->repunches, 0);
	assert_true(sim_passes());
	assert_in_range(stats(0)->keepalives_sent + stats(1)->keepalives_sent, 3600 / 18,
			3600 / 15);
}

/* With traffic, there are no keepalives, only the consent checks of RFC 7675. */
static void test_busy(void **state)
{
	uint64_t sent_before = stats(0)->keepalives_sent, checks_before = stats(0)->checks_sent;
	uint64_t path_changes = stats(0)->path_changes;
	unsigned int i;

	for (i = 0; i < 3000; i++) {
		sim_send_data(0);
		sim_send_data(1);
		sim_run(100 * MS_NS);
	}
	assert_int_equal(stats(0)->keepalives_sent, sent_before);
	assert_int_equal(stats(0)->path_changes, path_changes);
	assert_in_range(stats(0)->checks_sent - checks_before, 300 / 6, 300 / 4 + 1);
	assert_in_range(stats(0)->keepalives_saved, 300 / 18 - 2, 300 / 18 + 1);
	assert_int_equal(stats(0)->repunches, 0);
}

static void test_interval(void **state)
{
	sim_reset(7);
	sim_put_nats(BY_ADDRESS_AND_PORT);
	sim.host[0].interval_ns = sim.host[1].interval_ns = 100 * SECOND_NS;
	sim_meet();
	assert_true(sim_run_up(5 * SECOND_NS));
	sim_run(MINUTE_NS);
	sim.host[0].sent = sim.host[1].sent = 0;
	sim_run(60 * MINUTE_NS);
	assert_in_range(sim.host[0].sent + sim.host[1].sent, 2 * 3600 / 101, 2 * 3600 / 80);
	assert_true(sim_passes());
	/* an interval that is measured later */
	peer_session_set_interval(sim.host[0].session, 10 * SECOND_NS);
	sim_run(2 * MINUTE_NS);
	sim.host[0].sent = sim.host[1].sent = 0;
	sim_run(60 * MINUTE_NS);
	assert_in_range(sim.host[0].sent, 3600 / 10, 3600 * 6 / 50);
}

/* 30 % of the datagrams are lost for an hour; the path survives. */
static void test_lossy(void **state)
{
	unsigned int i;

	sim.loss = 300;
	for (i = 0; i < 3600; i++) {
		sim_send_data(0);
		sim_send_data(1);
		sim_run(SECOND_NS);
		assert_non_null(peer_session_path(sim.host[0].session));
	}
	assert_true(sim_passes());
	/* the number of additional datagrams is small */
	assert_in_range(sim.host[0].sent, 1800, 3600 * 3);
}

/* --- recovery */

/* Reboots a NAT: it loses all mappings, and the traffic then comes from another port. */
static void reboot(int nat)
{
	memset(sim.nat[nat].map, 0, sizeof(sim.nat[nat].map));
}

static uint64_t time_to_recover(unsigned int sender)
{
	uint64_t start_ns = sim.now_ns;
	unsigned int i, before = sim.host[!sender].data;

	for (i = 0; i < 1200; i++) {
		sim_send_data(sender);
		sim_send_data(!sender);
		sim_run(50 * MS_NS);
		if (sim.host[!sender].data > before + 10)
			return sim.now_ns - start_ns;
	}
	fail_msg("traffic does not pass again");
	return 0;
}

/* During traffic: detected after a second, then punched again through the server. */
static void test_reboot(void **state)
{
	unsigned int side;

	for (side = 0; side < SIDES; side++) {
		setup(state);
		sim_send_data(0);
		sim_send_data(1);
		sim_run(SECOND_NS);
		reboot((int)side);
		assert_in_range(time_to_recover(0), 0, 4 * SECOND_NS);
		assert_in_range(stats(0)->repunches, 1, 3);
		sim_run(MINUTE_NS);
		assert_true(sim_passes());
		assert_in_range(stats(0)->repunches, 1, 3);
	}
}

/*
 * While idle: both NATs lose their mappings at once, and the other peer's NAT gets a new address.
 */
static void test_reboot_idle(void **state)
{
	reboot(0);
	reboot(1);
	sim.nat[1].addr = sim_endpoint("203.0.113.99:1").addr;
	sim_run(30 * SECOND_NS);
	assert_true(sim_is_up());
	assert_true(sim_passes());
}

/* Without the server, checks alone move the path if the other NAT does not filter. */
static void test_roaming(void **state)
{
	sim_reset(9);
	sim_put_nats(INDEPENDENT);
	sim_meet();
	assert_true(sim_run_up(5 * SECOND_NS));
	sim_run(5 * SECOND_NS);
	sim.server_gone = true;
	sim_nat(2, INTERNET, "192.0.2.77:1", INDEPENDENT, BY_ADDRESS_AND_PORT);
	sim_host(1, 2, "172.16.0.9:40001");
	peer_session_network_changed(sim.host[1].session, sim_clock(&sim.host[1]));
	sim_run(2 * SECOND_NS);
	assert_true(sim_passes());
	assert_true(IN6_ARE_ADDR_EQUAL(&peer_session_path(sim.host[0].session)->at.addr,
				       &sim.nat[2].addr));
}

/*
 * The server is dead: the path survives while the NATs do, and ends one minute after they reboot.
 */
static void test_server_gone(void **state)
{
	sim.server_gone = true;
	sim_run(60 * MINUTE_NS);
	assert_true(sim_passes());
	/* each peer sees the other one's NAT map as the server does */
	assert_true(stun_endpoint_is_same(&peer_session_path(sim.host[0].session)->mapped,
					  &sim.host[0].introduction.mapped));
	assert_int_equal(stats(0)->consents_lost, 0);
	reboot(0);
	reboot(1);
	sim_run(2 * MINUTE_NS);
	assert_int_equal(peer_session_state(sim.host[0].session), PEER_SESSION_FAILED);
	assert_int_equal(peer_session_state(sim.host[1].session), PEER_SESSION_FAILED);
	assert_null(peer_session_path(sim.host[0].session));
	assert_true(peer_session_due_ns(sim.host[0].session) == UINT64_MAX);
	assert_int_equal(stats(0)->consents_lost, 1);
	/* a later introduction revives the session */
	sim.server_gone = false;
	sim_register(0);
	sim_register(1);
	sim_introduce(0, 0);
	assert_int_equal(peer_session_introduce(sim.host[0].session, &sim.host[0].introduction,
						sim_clock(&sim.host[0])),
			 0);
	assert_int_equal(peer_session_introduce(sim.host[1].session, &sim.host[1].introduction,
						sim_clock(&sim.host[1])),
			 0);
	assert_true(sim_run_up(5 * SECOND_NS));
	assert_true(sim_passes());
}

/* The other peer's process has exited: the session must not send forever. */
static void test_peer_gone(void **state)
{
	sim.server_gone = true;
	sim.host[1].realm = NOWHERE;
	sim_run(3 * MINUTE_NS);
	assert_int_equal(peer_session_state(sim.host[0].session), PEER_SESSION_FAILED);
	assert_in_range(sim.host[0].sent, 1, 150);
}

/* No path exists: the attempt ends after 10 seconds with the reason, and sends few datagrams. */
static void test_no_path(void **state)
{
	const struct peer_session_remote *remote;
	unsigned int count, i;

	sim_reset(5);
	sim_put_nats(BY_ADDRESS_AND_PORT);
	sim.nat[0].mapping = sim.nat[1].mapping = BY_ADDRESS_AND_PORT;
	sim_meet();
	assert_false(sim_run_up(MINUTE_NS));
	assert_in_range(sim.now_ns - CLOCK_START, 10 * SECOND_NS, 11 * SECOND_NS);
	assert_in_range(sim.host[0].sent, 10, 60);
	remote = peer_session_remotes(sim.host[0].session, &count);
	assert_int_equal(count, 2);
	for (i = 0; i < count; i++)
		assert_int_equal(remote[i].reason, PEER_SESSION_REASON_SILENT);
}

/* Each check between these NATs comes from a new address, which must not multiply the checks. */
static void test_no_storm(void **state)
{
	sim_reset(5);
	sim_put_nats(INDEPENDENT);
	sim.nat[0].mapping = sim.nat[1].mapping = BY_ADDRESS_AND_PORT;
	sim_meet();
	assert_false(sim_run_up(MINUTE_NS));
	assert_in_range(sim.host[0].sent, 10, STORM_MAX);
	assert_in_range(sim.host[1].sent, 10, STORM_MAX);
}

/* If full-size datagrams are lost, there is no usable path. */
static void test_black_hole(void **state)
{
	const struct peer_session_remote *remote;
	unsigned int count;

	sim_reset(5);
	sim_put_nats(INDEPENDENT);
	sim.mtu = 1100;
	sim_meet();
	assert_false(sim_run_up(MINUTE_NS));
	remote = peer_session_remotes(sim.host[0].session, &count);
	assert_int_equal(remote[0].reason, PEER_SESSION_REASON_TOO_BIG);
	assert_string_equal(peer_session_reasons[remote[0].reason], "too-big");
}

/* Clocks may differ, and may be about to wrap in 32 bits of milliseconds. */
static void test_clocks(void **state)
{
	sim_reset(5);
	sim_put_nats(BY_ADDRESS_AND_PORT);
	sim.host[0].clock_ns = (int64_t)(49 * 86400 + 61360) * (int64_t)SECOND_NS;
	sim.host[1].clock_ns = (int64_t)(24 * 86400 + 73880) * (int64_t)SECOND_NS;
	sim_meet();
	assert_true(sim_run_up(5 * SECOND_NS));
	sim_run(60 * MINUTE_NS);
	assert_int_equal(stats(0)->repunches, 0);
	assert_true(sim_passes());
}

/* --- attacks */

static struct stun_endpoint last_to;
static uint8_t last_data[PACKET_MAX];
static size_t last_length;
static unsigned int victims;

static void keep_last(int host, const struct stun_endpoint *to, const void *data, size_t length)
{
	if (host)
		return;
	last_to = *to;
	last_length = length;
	memcpy(last_data, data, length);
}

static void count_victims(int host, const struct stun_endpoint *to, const void *data, size_t length)
{
	victims += scope_of(&to->addr) == SCOPE_NONE || ntohs(to->port_be) < 1024;
}

/* A candidate list with addresses of victims: no datagram goes to services or special addresses. */
static void test_victims(void **state)
{
	static const char *const named[] = { "169.254.169.254:4000", "127.0.0.1:4000",
					     "224.0.0.251:5353",     "198.51.100.77:53",
					     "[::1]:4000",	     "[fe80::1]:4000",
					     "255.255.255.255:4000", "[64:ff9b::7f00:1]:4000" };
	struct introduction *introduction = &sim.host[0].introduction;
	unsigned int i, count;
	struct stun_endpoint at;
	const struct peer_session_remote *remote;

	sim_reset(5);
	sim_put_nats(INDEPENDENT);
	sim_register(0);
	sim_register(1);
	sim_introduce(0, 0);
	introduction->candidates = 1;
	for (i = 0; i < sizeof(named) / sizeof(*named); i++) {
		at = sim_endpoint(named[i]);
		sim_put_candidate(introduction, &at, CANDIDATE_HOST);
	}
	victims = 0;
	sim.tap = count_victims;
	sim_begin();
	assert_true(sim_run_up(5 * SECOND_NS));
	sim_run(20 * SECOND_NS);
	assert_int_equal(victims, 0);
	remote = peer_session_remotes(sim.host[0].session, &count);
	for (i = 0; i < count; i++)
		assert_int_equal(remote[i].reason == PEER_SESSION_REASON_SCOPE,
				 remote[i].kind == PEER_SESSION_REMOTE_HOST);
}

/* RFC 8445, section 5.1.2.2, and RFC 6544, section 4.2; private addresses last. */
static void test_order(void **state)
{
	static const struct {
		const char *at;
		unsigned int kind;
	} named[] = {
		{ "192.168.7.7:4000", CANDIDATE_HOST },
		{ "198.51.100.77:4001", CANDIDATE_MAPPED },
		{ "198.51.100.77:4000", CANDIDATE_HOST },
		{ "100.64.0.7:4000", CANDIDATE_MAPPED },
	};
	static const unsigned int order[] = { 2, 1, UINT_MAX, 0, 3 };
	struct introduction *introduction = &sim.host[0].introduction;
	const struct peer_session_remote *remote;
	struct stun_endpoint at;
	unsigned int i, count;

	sim_reset(5);
	sim_put_nats(INDEPENDENT);
	sim_register(0);
	sim_register(1);
	sim_introduce(0, 0);
	introduction->candidates = 1;
	assert_int_equal(introduction->candidate[0].kind, CANDIDATE_REFLEXIVE);
	for (i = 0; i < sizeof(named) / sizeof(*named); i++) {
		at = sim_endpoint(named[i].at);
		sim_put_candidate(introduction, &at, named[i].kind);
	}
	sim_begin();
	remote = peer_session_remotes(sim.host[0].session, &count);
	assert_int_equal(count, sizeof(order) / sizeof(*order));
	for (i = 0; i < count; i++) {
		if (order[i] == UINT_MAX) {
			assert_int_equal(remote[i].kind, CANDIDATE_REFLEXIVE);
			continue;
		}
		at = sim_endpoint(named[order[i]].at);
		assert_true(stun_endpoint_is_same(&remote[i].at, &at));
		assert_int_equal(remote[i].kind, named[order[i]].kind);
	}
}

/* Passes a datagram to peer @side. Returns true if its session accepts it. */
static bool hand_over(unsigned int side, const char *from, const uint8_t *data, size_t length)
{
	struct stun_endpoint at = sim_endpoint(from);
	struct stun_message message;
	uint8_t *copy = malloc(length ? length : 1);
	bool taken;

	assert_non_null(copy);
	memcpy(copy, data, length);
	taken = !stun_parse(copy, length, &message) &&
		peer_session_receive(sim.host[side].session, &at, &message,
				     sim_clock(&sim.host[side]));
	free(copy);
	return taken;
}

static void keep_check(void)
{
	sim.tap = keep_last;
	last_length = 0;
	while (!last_length || (last_data[0] | last_data[1]) != 1)
		sim_run(SECOND_NS);
	sim.tap = NULL;
	sim_run(SECOND_NS);
}

/*
 * Captures a check that the peer has not received, since its replay window would reject a known
 * check.
 */
static void keep_unseen_check(void)
{
	sim.tap = keep_last;
	last_length = 0;
	sim.loss = 1000;
	while (!last_length || (last_data[0] | last_data[1]) != 1)
		sim_run(SECOND_NS);
	sim.tap = NULL;
}

/* An authentic check with a forged source address triggers neither an answer nor a check to it. */
static void test_forged_source(void **state)
{
	static const char *const forged[] = { "169.254.169.254:4000", "127.0.0.1:4000",
					      "198.51.100.77:53", "[::1]:4000", "[fe80::1]:4000" };
	unsigned int i;

	keep_unseen_check();
	victims = 0;
	sim.tap = count_victims;
	for (i = 0; i < sizeof(forged) / sizeof(*forged); i++)
		assert_false(hand_over(1, forged[i], last_data, last_length));
	sim_flush(1);
	sim_run(20 * SECOND_NS);
	assert_int_equal(victims, 0);
}

/* An answered check is not answered again, whatever its source. */
static void test_replay(void **state)
{
	const struct stun_endpoint stranger = sim_endpoint("192.0.2.66:6666");
	uint64_t sent;

	keep_check();
	sent = sim.host[1].sent;
	assert_false(hand_over(1, "192.0.2.66:6666", last_data, last_length));
	assert_false(hand_over(1, "198.51.100.1:6666", last_data, last_length));
	sim_flush(1);
	assert_int_equal(sim.host[1].sent, sent);
	assert_int_equal(stats(1)->rejected, 2);
	assert_false(peer_session_knows(sim.host[1].session, &stranger));
}

/* A check that is reflected to its sender is not authentic there. */
static void test_reflected(void **state)
{
	keep_check();
	assert_false(hand_over(0, "10.0.0.5:40000", last_data, last_length));
	assert_int_equal(stats(0)->rejected, 1);
}

/* Every flipped bit and every truncation is rejected; no datagram is sent, and no state changes. */
static void test_forged(void **state)
{
	uint8_t copy[PACKET_MAX];
	unsigned int count, before;
	uint64_t sent;
	size_t i;

	keep_unseen_check();
	sent = sim.host[1].sent;
	peer_session_remotes(sim.host[1].session, &before);
	for (i = 0; i < last_length * 8; i++) {
		memcpy(copy, last_data, last_length);
		copy[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(hand_over(1, "192.0.2.66:6666", copy, last_length));
	}
	for (i = 0; i < last_length; i++)
		assert_false(hand_over(1, "192.0.2.66:6666", last_data, i));
	sim_flush(1);
	assert_int_equal(sim.host[1].sent, sent);
	peer_session_remotes(sim.host[1].session, &count);
	assert_int_equal(count, before);
	/* the original check */
	assert_true(hand_over(1, "192.0.2.66:6666", last_data, last_length));
}

static uint64_t in_bytes, out_bytes;

/* No answer is longer than its request. */
static void test_amplification(void **state)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		keep_check();
		in_bytes = sim.host[0].bytes;
		out_bytes = sim.host[1].bytes;
	}
	assert_true(out_bytes <= in_bytes + 2 * PEER_SESSION_FULL_SIZE);
}

/* A hostile server introduces many peers at once, each with addresses of third parties. */
static void test_many_searches(void **state)
{
	static struct peer_session *many[200];
	unsigned int i, step, sent = 0;
	uint8_t buffer[PEER_SESSION_DATAGRAM_MAX];
	uint64_t searches_full_ns = 0, now_ns;
	struct peer_session_options options = { .random = sim_fill,
						.searches_full_ns = &searches_full_ns };
	struct stun_endpoint to;

	sim_reset(3);
	sim_put_nats(BY_ADDRESS_AND_PORT);
	sim_register(0);
	sim_register(1);
	sim_introduce(0, 0);
	memcpy(options.secret, sim.static_key[0], KEY_SIZE);
	now_ns = sim_clock(&sim.host[0]);
	for (i = 0; i < 200; i++)
		assert_int_equal(
			peer_session_new(&many[i], &options, &sim.host[0].introduction, now_ns), 0);
	for (step = 0; step < 200; step++) {
		now_ns += 10 * MS_NS;
		for (i = 0; i < 200; i++) {
			if (peer_session_due_ns(many[i]) <= now_ns)
				peer_session_timeout(many[i], now_ns);
			while (peer_session_send(many[i], buffer, &to, now_ns))
				sent++;
			/* all due datagrams have been sent */
			assert_true(peer_session_due_ns(many[i]) > now_ns);
		}
	}
	/*
	 * the budget of two seconds plus a full bucket; without the budget, each session would send
	 * 22
	 */
	assert_in_range(sent, 2 * PEER_SESSION_SEARCHES, 3 * PEER_SESSION_SEARCHES);
	for (i = 0; i < 200; i++)
		peer_session_free(many[i]);
}

static bool owns_response(const struct peer_session *session, const uint8_t *id)
{
	uint8_t response[SLUICE_STUN_HEADER_SIZE];
	struct stun_builder builder;
	struct stun_message message;

	stun_begin(&builder, response, sizeof(response), SLUICE_STUN_BINDING, SLUICE_STUN_SUCCESS,
		   id);
	assert_int_equal(stun_parse(response, stun_end(&builder), &message), 0);
	return peer_session_owns(session, &message);
}

/*
 * A stranger can send any number of responses. However many checks a session has sent, it compares
 * few of these responses with its checks, and knows those to its own.
 */
static void test_strange_responses(void **state)
{
	struct peer_session_options options = { .random = sim_fill };
	uint8_t buffer[PEER_SESSION_DATAGRAM_MAX], id[SLUICE_STUN_ID_SIZE];
	struct stun_endpoint to, silent = sim_endpoint("10.9.9.9:4000");
	struct introduction introduction;
	struct peer_session *session;
	unsigned int i, sent = 0, marked = 0;
	uint64_t now_ns;

	introduction = sim.host[0].introduction;
	introduction.candidates = 0;
	for (i = 0; i < CANDIDATES_MAX; i++) {
		silent.port_be = htons((uint16_t)(4000 + i));
		sim_put_candidate(&introduction, &silent, CANDIDATE_HOST);
	}
	memcpy(options.secret, sim.static_key[0], KEY_SIZE);
	introduction.start_ns = now_ns = sim_clock(&sim.host[0]);
	assert_int_equal(peer_session_new(&session, &options, &introduction, now_ns), 0);
	while (sent < 3 * SESSION_MARKS_MAX) {
		if (peer_session_due_ns(session) <= now_ns)
			peer_session_timeout(session, now_ns);
		/* begins again */
		if (peer_session_state(session) == PEER_SESSION_FAILED) {
			introduction.start_ns = now_ns;
			assert_int_equal(peer_session_introduce(session, &introduction, now_ns), 0);
		}
		while (peer_session_send(session, buffer, &to, now_ns)) {
			sent++;
			assert_true(owns_response(session, buffer + SLUICE_STUN_HEADER_SIZE -
								   SLUICE_STUN_ID_SIZE));
		}
		now_ns += 10 * MS_NS;
	}
	for (i = 0; i < sizeof(session->marks.bits) / sizeof(*session->marks.bits); i++)
		marked += (unsigned int)__builtin_popcountll(session->marks.bits[i]);
	/* of 4096 */
	assert_in_range(marked, 1, SESSION_MARKS_MAX + PEER_SESSION_REMOTES_MAX * SESSION_SENT);
	for (i = 0; i < 1000; i++) {
		sim_fill(id, sizeof(id), NULL);
		assert_false(owns_response(session, id));
	}
	peer_session_free(session);
}

/* An introduction that is forged by the server or replayed by an attacker does not end the path. */
static void test_bogus_introduction(void **state)
{
	struct introduction bogus = sim.host[1].introduction;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		bogus.id[0]++;
		sim_fill(bogus.ephemeral_secret, KEY_SIZE, NULL);
		bogus.candidate[0].at = sim_endpoint("192.0.2.66:6666");
		bogus.candidates = 1;
		bogus.start_ns = sim_clock(&sim.host[1]);
		assert_int_equal(peer_session_introduce(sim.host[1].session, &bogus,
							sim_clock(&sim.host[1])),
				 0);
		sim_run(MINUTE_NS);
		assert_true(sim_passes());
	}
	assert_int_equal(stats(0)->repunches, 0);
}

static void test_weak_introduction(void **state)
{
	struct introduction weak = sim.host[1].introduction;

	memset(weak.peer_ephemeral, 0, KEY_SIZE);
	assert_int_equal(
		peer_session_introduce(sim.host[1].session, &weak, sim_clock(&sim.host[1])),
		-EINVAL);
	assert_true(sim_passes());
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(erased),
		TEST(time_to_path),
		TEST(private_first),
		TEST(private_takes_over),
		TEST(consent),
		TEST(no_storm),
		TEST(idle),
		TEST(busy),
		TEST(interval),
		TEST(lossy),
		TEST(reboot),
		TEST(reboot_idle),
		TEST(roaming),
		TEST(server_gone),
		TEST(peer_gone),
		TEST(no_path),
		TEST(black_hole),
		TEST(clocks),
		TEST(victims),
		TEST(order),
		TEST(forged_source),
		TEST(replay),
		TEST(reflected),
		TEST(forged),
		TEST(amplification),
		TEST(many_searches),
		TEST(strange_responses),
		TEST(bogus_introduction),
		TEST(weak_introduction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
