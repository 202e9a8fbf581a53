// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The wire programs of a host with local servers: which requests and answers they change, by
 * address, socket and route, for how long, and on a bridge port.
 *
 * runs alone: two threads race, and each needs a CPU of its own
 */
#include "wire_lab.h"

#include <pthread.h>

/* --- left alone */

static void test_not_local(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);

		request.body = BODY_TCP;
		pass_uncounted(&host, host.in, &request);
		pass_uncounted(&host, host.out, &request);
		request.body = BODY_UDP;
		request.target_port = UNMANAGED;
		request.source_port = UNMANAGED;
		pass_uncounted(&host, host.in, &request);
		pass_uncounted(&host, host.out, &request);
	}
}

static void left(const char *source, const char *target, uint16_t port,
		 enum sluice_wire_counter which)
{
	struct shape request = { .source = source,
				 .target = target,
				 .source_port = next_port(),
				 .target_port = port,
				 .payload = 5 };

	pass(&host, host.in, &request, &request, which);
	pass(&host, host.in, &request, &request, which);
}

static void test_targets(void **state)
{
	left(CLIENT4, NEAR4, WILDCARD, SLUICE_WIRE_request_right);
	left(CLIENT6, NEAR6, WILDCARD, SLUICE_WIRE_request_right);
	left(CLIENT4, "10.3.0.1", WILDCARD, SLUICE_WIRE_request_not_local);
	left(CLIENT4, "10.1.0.10", WILDCARD, SLUICE_WIRE_request_not_local);
	left(CLIENT6, "fd03::1", WILDCARD, SLUICE_WIRE_request_not_local);
	/* whole networks of this host */
	left(CLIENT4, "10.2.0.255", WILDCARD, SLUICE_WIRE_request_not_local);
	left(CLIENT6, "fd02::", WILDCARD, SLUICE_WIRE_request_not_local);
	left(CLIENT4, "255.255.255.255", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left(CLIENT4, "224.0.0.251", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left(CLIENT4, "127.0.0.1", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left("0.0.0.0", FAR4, WILDCARD, SLUICE_WIRE_request_not_unicast);
	left("169.254.7.7", FAR4, WILDCARD, SLUICE_WIRE_request_not_unicast);
	left(CLIENT6, "ff02::fb", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left(CLIENT6, "fe80::1", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left(CLIENT6, "::1", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left("fe80::9", FAR6, WILDCARD, SLUICE_WIRE_request_not_unicast);
	/* a client without a route */
	left("203.0.113.9", FAR4, WILDCARD, SLUICE_WIRE_request_no_source);
	left("2001:db8::9", FAR6, WILDCARD, SLUICE_WIRE_request_no_source);
}

/* An Ethernet broadcast is a broadcast, whatever its IP address. */
static void test_broadcast(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct frame frame;

		build_frame(&request, &frame);
		memset(frame.byte, 0xff, 6);
		pass_frame(&host, host.in, &frame, &frame, SLUICE_WIRE_request_not_unicast);
		frame.byte[0] = 0x33;
		pass_frame(&host, host.in, &frame, &frame, SLUICE_WIRE_request_not_unicast);
	}
}

/* Keeps targets cached as remote until the cache expires. */
static void forget_away(void)
{
	int fd = bpf_map__fd(host.skel->maps.sluice_w_away);
	struct sluice_away *each = calloc((size_t)libbpf_num_possible_cpus(),
					  sizeof(struct sluice_away));
	uint32_t slot;

	for (slot = 0; slot < SLUICE_AWAY_SLOTS; slot++)
		assert_int_equal(bpf_map_update_elem(fd, &slot, each, BPF_ANY), 0);
	free(each);
}

/* A new address, which user space had not seen when it read the routes. */
static void test_new_address(void **state)
{
	struct shape request = to_target(request4(next_port(), WILDCARD), "10.2.0.77");
	struct shape inside = to_target(request, NEAR4);

	pass(&host, host.in, &request, &request, SLUICE_WIRE_request_not_local);
	assert_int_equal(system("ip addr add 10.2.0.77/24 dev far"), 0);
	forget_away();
	pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
	assert_int_equal(system("ip addr del 10.2.0.77/24 dev far"), 0);
	request.source_port = next_port();
	pass(&host, host.in, &request, &request, SLUICE_WIRE_request_not_local);
	pass(&host, host.in, &request, &request, SLUICE_WIRE_request_not_local);
}

static void test_sockets(void **state)
{
	struct shape request;
	int version;

	left(CLIENT4, FAR4, NOBODY, SLUICE_WIRE_request_no_socket);
	left(CLIENT6, FAR6, NOBODY, SLUICE_WIRE_request_no_socket);
	left(CLIENT4, FAR4, BOUND, SLUICE_WIRE_request_right);
	left(CLIENT6, FAR6, BOUND, SLUICE_WIRE_request_right);
	left(CLIENT4, NEAR4, BOUND, SLUICE_WIRE_request_no_socket);
	for (version = 4; version <= 6; version += 2) {
		/* the request is to the wildcard socket, and another service has the near address
		 */
		request = request_of(version, next_port(), BOUND_NEAR);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_other_socket);
		request = request_of(version, CONNECTED, CONNECTED);
		converse(&host, &request);
		request = request_of(version, CONNECTED_OTHERS, CONNECTED_OTHERS);
		converse(&host, &request);
		request = request_of(version, next_port(), CONNECTED_OTHERS);
		converse(&host, &request);
		/* the socket belongs to another client */
		request = request_of(version, next_port(), CONNECTED);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_no_socket);
	}
}

/* One client port uses two addresses: the last one counts. */
static void test_moved(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape direct = to_target(request, near_of(&request));
		struct shape reply = answer(&request, near_of(&request));

		converse(&host, &request);
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		converse(&host, &request);
	}
}

/*
 * One client port uses two addresses in a row, as ntpd does: a pending reply of the first is not
 * attributed to the second.
 */
static void test_pending_reply(void **state)
{
	int version, i;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape inside = to_target(request, near_of(&request)), direct = inside;
		struct shape reply = answer(&request, near_of(&request));
		struct shape fixed = answer(&request, request.target);

		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		/* also where the second is decided again meanwhile */
		flow_past(&host, &request, 300, 300);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
		pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
		/* again, in reverse order, by a server that sets its source */
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		pass(&host, host.out, &fixed, &fixed, SLUICE_WIRE_reply_right);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		/* after a while the reply is no longer pending */
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		flow_past(&host, &request, 4000, 4000);
		pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		flow_past(&host, &request, 4000, 4000);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
		/* and no longer if the client continues to send */
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		for (i = 0; i < 8; i++) {
			pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
			flow_past(&host, &request, 500, 500);
		}
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
	}
}

#define RACES 1000

/* A thread that sends one answer for each answer of the main thread. */
struct race {
	struct frame reply;
	_Atomic int started, done;
	_Atomic int left; /* unchanged answers */
};

static void race_send(struct race *race)
{
	struct frame out;

	if (!run_frame(host.out, &race->reply, 0, &out) &&
	    !memcmp(out.byte, race->reply.byte, race->reply.len))
		race->left++;
}

static void *race_follow(void *arg)
{
	struct race *race = arg;
	int i;

	for (i = 1; i <= RACES; i++) {
		/* busy-waits to keep the two answers close together */
		while (race->started < i)
			;
		race_send(race);
		race->done = i;
	}
	return NULL;
}

/* Of two concurrent answers, at most one is attributed to the pending reply. */
static void test_pending_reply_once(void **state)
{
	struct shape request = request4(next_port(), WILDCARD);
	struct shape direct = to_target(request, NEAR4), reply = answer(&request, NEAR4);
	int i, taken = 0, twice = 0, fd = bpf_map__fd(host.skel->maps.sluice_w_flows);
	static struct race race; /* the thread may outlive a failure */
	struct sluice_wire_set set;
	pthread_t thread;
	uint32_t index;

	build_frame(&reply, &race.reply);
	assert_int_equal(pthread_create(&thread, NULL, race_follow, &race), 0);
	for (i = 1; i <= RACES; i++) {
		/* only now and then, as the reply is pending for three seconds */
		if (i % 100 == 1) {
			pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
			pass(&host, host.in, &request, &direct, SLUICE_WIRE_request_rewritten);
			assert_true(flow_find(&host, &request, &set, &index) >= 0);
		}
		assert_int_equal(bpf_map_update_elem(fd, &index, &set, BPF_ANY), 0);
		race.left = 0;
		race.started = i;
		race_send(&race);
		while (race.done < i)
			sched_yield();
		taken += race.left > 0;
		twice += race.left > 1;
	}
	pthread_join(thread, NULL);
	assert_true(taken > 0);
	assert_int_equal(twice, 0);
}

static void test_replies(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape inside = to_target(request, near_of(&request)), reply;

		reply = answer(&request, near_of(&request));
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_no_flow);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		/* a server that sets its source */
		reply = answer(&request, request.target);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		reply = answer(&request, version == 4 ? "10.4.0.1" : "fd04::1");
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_other_source);
	}
}

/* Rewrites a late answer as long as the flow has its slot. */
static void test_aged(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape direct = to_target(request, near_of(&request));
		struct shape reply = answer(&request, near_of(&request));
		struct shape fixed = answer(&request, request.target), other;

		converse(&host, &request);
		flow_past(&host, &request, AGE_MS + 5000, AGE_MS + 5000);
		pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
		/* and the next one, by the flow that the first has renewed */
		pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
		flow_past(&host, &request, 40 * AGE_MS, 0);
		pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
		other = answer(&request, version == 4 ? "10.4.0.1" : "fd04::1");
		flow_past(&host, &request, 2 * AGE_MS, 0);
		pass(&host, host.out, &other, &other, SLUICE_WIRE_reply_expired);
		/* an answer that is right is left alone */
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		flow_past(&host, &request, 2 * AGE_MS, 2 * AGE_MS);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_expired);
	}
}

/* Does not rewrite to an address that has left the host. */
static void test_aged_address_gone(void **state)
{
	struct shape request = to_target(request4(next_port(), WILDCARD), "10.2.0.78");
	struct shape reply = answer(&request, NEAR4);
	struct shape fixed = answer(&request, request.target);

	assert_int_equal(system("ip addr add 10.2.0.78/24 dev far"), 0);
	forget_away();
	converse(&host, &request);
	flow_past(&host, &request, 2 * AGE_MS, 2 * AGE_MS);
	pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
	assert_int_equal(system("ip addr del 10.2.0.78/24 dev far"), 0);
	forget_away();
	pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_address_gone);
}

/* Makes the flow of a request one that this host has started, from the requested address. */
static void flow_host_first(const struct shape *request)
{
	struct sluice_wire_set set;
	struct sluice_wire_flow *flow;
	uint32_t index;
	uint64_t hash;
	int way = flow_find(&host, request, &set, &index);

	assert_true(way >= 0);
	flow = &set.flow[way];
	flow->server = flow->requested;
	flow->scope |= SLUICE_WIRE_HOST_FIRST;
	hash = sluice_wire_hash(SEED, &flow->client, flow->client_port_be, flow->server_port_be,
				flow->scope);
	flow->seal = sluice_wire_seal(hash, &flow->requested, &flow->server,
				      SLUICE_WIRE_HOST_FIRST);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(host.skel->maps.sluice_w_flows), &index,
					     &set, BPF_ANY),
			 0);
}

/*
 * Where this host sent first, answers come to the address that it used. test_run has no socket that
 * sends, so tests/net/wire/host-first.sh covers the host's part.
 */
static void test_host_first(void **state)
{
	uint64_t before = counter(&host, SLUICE_WIRE_host_first);
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape inside = to_target(request, near_of(&request));
		struct shape reply = answer(&request, near_of(&request));
		struct shape own = answer(&request, request.target);
		struct sluice_wire_set set;
		uint32_t index;

		/* a datagram without a local socket makes no flow */
		pass(&host, host.out, &own, &own, SLUICE_WIRE_reply_no_flow);
		assert_int_equal(flow_find(&host, &request, &set, &index), -1);
		converse(&host, &request);
		flow_host_first(&request);
		flow_past(&host, &request, 0, 60000);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_right);
		pass(&host, host.out, &own, &own, SLUICE_WIRE_reply_right);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_right);
		/* now it sends from another address */
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_other_source);
		flow_past(&host, &request, 0, 1000);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		/* the peer sends to another address, or too late */
		flow_host_first(&request);
		pass(&host, host.in, &inside, &inside, SLUICE_WIRE_request_right);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		converse(&host, &request);
		flow_host_first(&request);
		flow_past(&host, &request, 2 * AGE_MS, 2 * AGE_MS);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
	}
	assert_int_equal(counter(&host, SLUICE_WIRE_host_first), before);
}

/* --- a bridge port */

static void forget_bridge(void)
{
	struct sluice_bridge each[128] = { 0 };
	uint32_t slot = port_index % SLUICE_BRIDGE_SLOTS;

	assert_in_range(libbpf_num_possible_cpus(), 1, 128);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(port.skel->maps.sluice_w_bridge), &slot,
					     each, BPF_ANY),
			 0);
}

/* Passes a frame to the Ethernet address that ends in @last, which is the bridge's or not. */
static void pass_to(const struct shape *in, const struct shape *wanted, uint8_t last,
		    enum sluice_wire_counter which)
{
	struct frame frame_in, frame_wanted;

	build_frame(in, &frame_in);
	build_frame(wanted, &frame_wanted);
	frame_in.byte[5] = frame_wanted.byte[5] = last;
	pass_frame(&port, port.in, &frame_in, &frame_wanted, which);
}

#define BRIDGE	0x02 /* the last byte of the Ethernet address */
#define PORT	0x33
#define ANOTHER 0x77

/*
 * Leaves alone frames that the bridge forwards to another host, even one with an address of this
 * host.
 */
static void test_bridge_port(void **state)
{
	struct shape request, inside, first, later, error, wanted, reply, fixed;
	int version;

	for (version = 4; version <= 6; version += 2) {
		request = request_of(version, next_port(), WILDCARD);
		inside = to_target(request, near_of(&request));
		reply = answer(&request, near_of(&request));
		fixed = answer(&request, request.target);
		pass_to(&request, &request, ANOTHER, SLUICE_WIRE_request_not_local);
		pass_to(&request, &inside, BRIDGE, SLUICE_WIRE_request_rewritten);
		pass_to(&request, &inside, PORT, SLUICE_WIRE_request_rewritten);
		/* also for a known flow */
		pass_to(&request, &request, ANOTHER, SLUICE_WIRE_request_not_local);
		error = error_about(&fixed, request.source, request.target, &errors[0]);
		wanted = error_about(&reply, request.source, near_of(&request), &errors[0]);
		pass_to(&error, &wanted, BRIDGE, SLUICE_WIRE_error_translated);
		pass_to(&error, &error, ANOTHER, SLUICE_WIRE_error_left);
		first = request;
		first.payload = 1400;
		first.fragment = true;
		first.chain = version == 6 ? "f" : NULL;
		first.to = 512;
		later = first;
		later.from = 512;
		later.to = 2000;
		pass_to(&first, &first, ANOTHER, SLUICE_WIRE_request_not_local);
		pass_to(&later, &later, ANOTHER, SLUICE_WIRE_fragment_followed);
	}
}

/* Reads the address from the kernel, so that it may change without another load. */
static void test_bridge_changes(void **state)
{
	struct shape request = request4(next_port(), WILDCARD);
	struct shape inside = to_target(request, NEAR4);

	pass_to(&request, &inside, BRIDGE, SLUICE_WIRE_request_rewritten);
	assert_int_equal(system("ip link set br0 address 02:02:02:02:02:77"), 0);
	forget_bridge();
	pass_to(&request, &request, BRIDGE, SLUICE_WIRE_request_not_local);
	pass_to(&request, &inside, ANOTHER, SLUICE_WIRE_request_rewritten);
	/* no longer a port */
	assert_int_equal(system("ip link set port0 nomaster"), 0);
	forget_bridge();
	pass_to(&request, &request, ANOTHER, SLUICE_WIRE_request_not_local);
	pass_to(&request, &inside, PORT, SLUICE_WIRE_request_rewritten);
	assert_int_equal(system("ip link set dev port0 master br0 &&"
				" ip link set br0 address 02:02:02:02:02:02"),
			 0);
	forget_bridge();
	pass_to(&request, &inside, BRIDGE, SLUICE_WIRE_request_rewritten);
}

/* Without forwarding, the kernel's lookup is unavailable, and the table of routes decides. */
static void test_routes_by_table(void **state)
{
	uint64_t before = counter(&host_by_table, SLUICE_WIRE_routes_by_table);
	struct shape request;

	forwarding(false);
	request = request4(next_port(), WILDCARD);
	converse(&host_by_table, &request);
	request = request6(next_port(), WILDCARD);
	converse(&host_by_table, &request);
	request = to_target(request4(next_port(), WILDCARD), "10.2.0.255");
	pass(&host_by_table, host_by_table.in, &request, &request, SLUICE_WIRE_request_not_local);
	request = to_target(request4(next_port(), WILDCARD), "10.3.0.1");
	pass(&host_by_table, host_by_table.in, &request, &request, SLUICE_WIRE_request_not_local);
	assert_true(counter(&host_by_table, SLUICE_WIRE_routes_by_table) > before);
	forwarding(true);
}

static int setup(void **state)
{
	return wire_lab_up() || wire_lab_load(&host, SLUICE_WIRE_HOST) ||
	       wire_lab_load(&host_by_table, SLUICE_WIRE_HOST) ||
	       wire_lab_load(&port, SLUICE_WIRE_HOST | SLUICE_WIRE_PORT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_local),	  cmocka_unit_test(test_targets),
		cmocka_unit_test(test_broadcast),	  cmocka_unit_test(test_new_address),
		cmocka_unit_test(test_sockets),		  cmocka_unit_test(test_moved),
		cmocka_unit_test(test_pending_reply),	  cmocka_unit_test(test_pending_reply_once),
		cmocka_unit_test(test_replies),		  cmocka_unit_test(test_aged),
		cmocka_unit_test(test_aged_address_gone), cmocka_unit_test(test_host_first),
		cmocka_unit_test(test_bridge_port),	  cmocka_unit_test(test_bridge_changes),
		cmocka_unit_test(test_routes_by_table),
	};

	return cmocka_run_group_tests(tests, setup, wire_lab_down);
}
