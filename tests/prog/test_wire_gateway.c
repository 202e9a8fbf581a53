// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The wire programs of a gateway; the server 10.8.0.1, 10.8.1.1 is behind its interface.
 */
#include "wire_lab.h"

static void server_remove(const char *addr)
{
	struct sluice_addr key = { .word_be = { 0, 0, htonl(0xffff) } };

	addr_put(addr, key.byte + 12);
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(gateway.skel->maps.sluice_w_server), &key),
			 0);
}

/* --- the gateway's rewriting */

static void test_gateway(void **state)
{
	struct shape request = { .source = "192.0.2.7",
				 .target = B1,
				 .source_port = next_port(),
				 .target_port = 53,
				 .payload = 40 };
	struct shape onward = to_target(request, B2), reply = answer(&request, B2);
	struct shape fixed = answer(&request, B1), right = fixed, other = answer(&request, B3);
	struct shape error, wanted;

	/* without a request */
	pass(&gateway, gateway.in, &reply, &reply, SLUICE_WIRE_reply_no_flow);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);
	pass_uncounted(&gateway, gateway.in, &other);
	pass(&gateway, gateway.in, &right, &right, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.in, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
	/* its socket may be connected by now, and then only B2 reaches it */
	pass(&gateway, gateway.out, &request, &onward, SLUICE_WIRE_request_rewritten);
	pass(&gateway, gateway.in, &reply, &fixed, SLUICE_WIRE_reply_rewritten);

	/* the server about a request, and a router about an answer */
	error = error_about(&onward, B2, "192.0.2.7", &errors[0]);
	wanted = error_about(&request, B1, "192.0.2.7", &errors[0]);
	pass(&gateway, gateway.in, &error, &wanted, SLUICE_WIRE_error_translated);
	error = error_about(&fixed, "192.0.2.1", B1, &errors[1]);
	wanted = error_about(&reply, "192.0.2.1", B2, &errors[1]);
	pass(&gateway, gateway.out, &error, &wanted, SLUICE_WIRE_error_translated);

	/* not one of the server's addresses */
	other = to_target(request, B3);
	pass_uncounted(&gateway, gateway.out, &other);
	/* back to the requested address */
	pass(&gateway, gateway.in, &right, &right, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);
}

/* A client port that changes to another server address reaches exactly that address. */
static void test_gateway_turns(void **state)
{
	struct shape to_b1 = request_behind(), to_b2 = to_target(to_b1, B2);
	struct shape from_b1 = answer(&to_b1, B1), from_b2 = answer(&to_b2, B2);
	struct shape onward = to_b2;

	/* B1 is down: no answer, or one from B2, where another server listens */
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &from_b2, &from_b2, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
	/* one late answer, and only one, is not attributed to the last requested address */
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &from_b2, &from_b2, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.in, &from_b2, &from_b1, SLUICE_WIRE_reply_rewritten);
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);

	/* one server on both, which answers from B2: requests to B1, then to B2 */
	to_b1 = request_behind();
	to_b2 = onward = to_target(to_b1, B2);
	from_b1 = answer(&to_b1, B1);
	from_b2 = answer(&to_b2, B2);
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &from_b2, &from_b1, SLUICE_WIRE_reply_rewritten);
	pass(&gateway, gateway.out, &to_b1, &onward, SLUICE_WIRE_request_rewritten);
	pass(&gateway, gateway.in, &from_b2, &from_b1, SLUICE_WIRE_reply_rewritten);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &from_b2, &from_b2, SLUICE_WIRE_reply_right);
}

/* A client port uses two addresses in a row, and each answers for itself. */
static void test_gateway_pending_reply(void **state)
{
	struct shape to_b1 = request_behind(), to_b2 = to_target(to_b1, B2), error;
	struct shape from_b1 = answer(&to_b1, B1), from_b2 = answer(&to_b2, B2);
	uint64_t moved = counter(&gateway, SLUICE_WIRE_moved);
	int round;

	for (round = 0; round < 3; round++) {
		pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
		pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
		/* nor is an error about the first attributed to the second */
		error = error_about(&to_b1, B1, to_b1.source, &errors[0]);
		pass(&gateway, gateway.in, &error, &error, SLUICE_WIRE_error_left);
		error = error_about(&from_b2, from_b2.target, B2, &errors[0]);
		pass(&gateway, gateway.out, &error, &error, SLUICE_WIRE_error_left);
		pass(&gateway, gateway.in, round ? &from_b2 : &from_b1, round ? &from_b2 : &from_b1,
		     SLUICE_WIRE_reply_right);
		pass(&gateway, gateway.in, round ? &from_b1 : &from_b2, round ? &from_b1 : &from_b2,
		     SLUICE_WIRE_reply_right);
	}
	/* each change of the client, and nothing else */
	assert_int_equal(counter(&gateway, SLUICE_WIRE_moved) - moved, 5);
	/* after a while the reply is no longer pending, and stays so */
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
	flow_past(&gateway, &to_b1, 4000, 4000);
	pass(&gateway, gateway.in, &from_b2, &from_b2, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.in, &from_b1, &from_b2, SLUICE_WIRE_reply_rewritten);
	/* nor is an expired reply attributed */
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
	flow_past(&gateway, &to_b1, 2 * AGE_MS, 2 * AGE_MS);
	pass(&gateway, gateway.in, &from_b1, &from_b1, SLUICE_WIRE_reply_expired);
}

/*
 * Without an answer from the rewritten address, requests alternate between it and the requested
 * one.
 */
static void test_gateway_waits(void **state)
{
	struct shape request = request_behind(), onward = to_target(request, B2);
	struct shape reply = answer(&request, B2), right = answer(&request, B1);
	int turn;

	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &reply, &right, SLUICE_WIRE_reply_rewritten);
	flow_past(&gateway, &request, 10000, 10000);
	/* a pause of the client is no silence of the server */
	for (turn = 0; turn < 4; turn++) {
		pass(&gateway, gateway.out, &request, turn % 2 ? &request : &onward,
		     turn % 2 ? SLUICE_WIRE_request_right : SLUICE_WIRE_request_rewritten);
		flow_past(&gateway, &request, 0, 3000);
	}
	/* B2 answers */
	pass(&gateway, gateway.in, &reply, &right, SLUICE_WIRE_reply_rewritten);
	pass(&gateway, gateway.out, &request, &onward, SLUICE_WIRE_request_rewritten);
	/* B2 has gone, and B1 answers */
	flow_past(&gateway, &request, 0, 1000);
	pass(&gateway, gateway.out, &request, &onward, SLUICE_WIRE_request_rewritten);
	flow_past(&gateway, &request, 0, 3000);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &right, &right, SLUICE_WIRE_reply_right);
	flow_past(&gateway, &request, 0, 9000);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);

	/* after the age the server may still be connected at B2, and answer from there */
	pass(&gateway, gateway.in, &reply, &right, SLUICE_WIRE_reply_rewritten);
	flow_past(&gateway, &request, 2 * AGE_MS, 2 * AGE_MS);
	pass(&gateway, gateway.in, &reply, &right, SLUICE_WIRE_reply_rewritten);
	flow_past(&gateway, &request, 2 * AGE_MS, 2 * AGE_MS);
	pass(&gateway, gateway.out, &request, &onward, SLUICE_WIRE_request_rewritten);
	/* unless the requested address is no longer configured */
	flow_past(&gateway, &request, 2 * AGE_MS, 2 * AGE_MS);
	server_remove(B1);
	pass(&gateway, gateway.in, &reply, &reply, SLUICE_WIRE_reply_address_gone);
	assert_int_equal(server_add(B1), 0);
}

static void test_gateway_fragments(void **state)
{
	struct shape request = {
		.source = "192.0.2.7", .target = B1, .source_port = next_port(), .target_port = 53
	};
	struct shape reply = answer(&request, B2);

	fragments(&gateway, gateway.out, request, request.source, B1, SLUICE_WIRE_request_right);
	fragments(&gateway, gateway.in, reply, B1, reply.target, SLUICE_WIRE_reply_rewritten);
	fragments(&gateway, gateway.out, request, request.source, B2,
		  SLUICE_WIRE_request_rewritten);
}

static int setup(void **state)
{
	return wire_lab_up() || wire_lab_load(&gateway, SLUICE_WIRE_GATEWAY);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateway),	      cmocka_unit_test(test_gateway_fragments),
		cmocka_unit_test(test_gateway_turns), cmocka_unit_test(test_gateway_pending_reply),
		cmocka_unit_test(test_gateway_waits),
	};

	return cmocka_run_group_tests(tests, setup, wire_lab_down);
}
