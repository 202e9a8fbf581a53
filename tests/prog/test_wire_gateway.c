// SPDX-License-Identifier: GPL-2.0-or-later
/* The wire programs of a gateway. The server 10.8.0.1, 10.8.1.1 is behind its interface. */
#include "wire_lab.h"

static void server_remove(const char *addr)
{
	struct sluice_addr key = { .word_be = { 0, 0, htonl(0xffff) } };

	addr_put(addr, key.byte + 12);
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(gateway.skel->maps.sluice_w_server), &key),
			 0);
}

static void test_right(void **state)
{
	struct shape request = request_behind(), right = answer(&request, B1);
	struct shape other = answer(&request, B2);

	/* a reply without a request */
	pass(&gateway, gateway.in, &right, &right, SLUICE_WIRE_reply_no_flow);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_half_open);
	pass(&gateway, gateway.in, &right, &right, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);
	/* while the record exists */
	pass(&gateway, gateway.in, &other, &other, SLUICE_WIRE_reply_right);
}

/* A wildcard server replies from another address. Its requests stay unchanged. */
static void test_wrong(void **state)
{
	struct shape request = request_behind(), reply = answer(&request, B2);
	struct shape fixed = answer(&request, B1), error, wanted;
	int i;

	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_half_open);
	for (i = 0; i < 3; i++) {
		pass(&gateway, gateway.in, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
		pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_passed);
	}
	/* an error from a client about a rewritten reply */
	error = error_about(&fixed, request.source, B1, &errors[0]);
	wanted = error_about(&reply, request.source, B2, &errors[0]);
	pass(&gateway, gateway.out, &error, &wanted, SLUICE_WIRE_error_translated);
}

/* Rewrites only to addresses in the set of server addresses, and only while they are in it. */
static void test_set(void **state)
{
	struct shape request = request_behind(), reply = answer(&request, B2);
	struct shape fixed = answer(&request, B1), other = answer(&request, B3);

	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_half_open);
	pass_uncounted(&gateway, gateway.in, &other);
	other = to_target(request, B3);
	pass_uncounted(&gateway, gateway.out, &other);
	server_remove(B1);
	pass(&gateway, gateway.in, &reply, &reply, SLUICE_WIRE_reply_address_gone);
	assert_int_equal(server_add(B1), 0);
	pass(&gateway, gateway.in, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
}

/* A refusal proves that the server has connected back. Other errors pass. */
static void test_refused(void **state)
{
	struct shape request = request_behind(), onward = to_target(request, B2);
	struct shape reply = answer(&request, B2), fixed = answer(&request, B1);
	struct shape refusal = error_about(&request, B1, request.source, &errors[0]), error, wanted;
	int kind;

	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_half_open);
	pass(&gateway, gateway.in, &refusal, &refusal, SLUICE_WIRE_error_left);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_passed);
	pass(&gateway, gateway.in, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
	for (kind = 1; kind < 4; kind++) {
		error = error_about(&request, B1, request.source, &errors[kind]);
		pass(&gateway, gateway.in, &error, &error, SLUICE_WIRE_error_left);
	}
	/* an error from a firewall in between */
	error = error_about(&request, "10.8.9.9", request.source, &errors[0]);
	pass(&gateway, gateway.in, &error, &error, SLUICE_WIRE_error_left);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_passed);
	pass_withheld(&refusal);
	/* the first refusal is withheld, and no other before the server replies */
	pass(&gateway, gateway.in, &refusal, &refusal, SLUICE_WIRE_error_left);

	/* the server has exited */
	request = request_behind();
	onward = to_target(request, B2);
	gateway_converse(&request);
	error = error_about(&onward, B2, request.source, &errors[0]);
	wanted = error_about(&request, B1, request.source, &errors[0]);
	pass(&gateway, gateway.out, &request, &onward, SLUICE_WIRE_request_rewritten);
	pass(&gateway, gateway.out, &request, &onward, SLUICE_WIRE_request_rewritten);
	pass_withheld(&error);
	pass(&gateway, gateway.in, &error, &wanted, SLUICE_WIRE_error_translated);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_passed);
	pass(&gateway, gateway.in, &wanted, &wanted, SLUICE_WIRE_error_left);

	/* after a reply by a stored decision, another refusal is withheld */
	request = request_behind();
	onward = to_target(request, B2);
	reply = answer(&request, B2);
	fixed = answer(&request, B1);
	gateway_converse(&request);
	error = error_about(&onward, B2, request.source, &errors[0]);
	pass_withheld(&error);
	pass(&gateway, gateway.in, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
	pass_withheld(&error);
}

/* A client port that uses two addresses of the server, and then a third. */
static void test_two(void **state)
{
	struct shape to_b1 = request_behind(), to_b2 = to_target(to_b1, B2);
	struct shape from_b1 = answer(&to_b1, B1), from_b2 = answer(&to_b2, B2);
	struct shape to_b3 = to_target(to_b1, B3), from_b3 = answer(&to_b3, B3);

	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_half_open);
	pass(&gateway, gateway.in, &from_b2, &from_b1, SLUICE_WIRE_reply_rewritten);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_passed);
	pass(&gateway, gateway.in, &from_b2, &from_b2, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &from_b1, &from_b1, SLUICE_WIRE_reply_right);

	assert_int_equal(server_add(B3), 0);
	to_b1 = request_behind();
	to_b2 = to_target(to_b1, B2);
	to_b3 = to_target(to_b1, B3);
	from_b3 = answer(&to_b3, B3);
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_half_open);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_passed);
	/* the reply belongs to the older of two pending requests */
	from_b1 = answer(&to_b1, B1);
	pass(&gateway, gateway.in, &from_b3, &from_b1, SLUICE_WIRE_reply_rewritten);
	from_b2 = answer(&to_b2, B2);
	pass(&gateway, gateway.in, &from_b3, &from_b2, SLUICE_WIRE_reply_rewritten);
	pass(&gateway, gateway.out, &to_b3, &to_b3, SLUICE_WIRE_request_mixed);
	pass(&gateway, gateway.in, &from_b3, &from_b3, SLUICE_WIRE_reply_mixed);
	server_remove(B3);
}

static void test_aged(void **state)
{
	struct shape request = request_behind(), reply = answer(&request, B2);

	gateway_converse(&request);
	flow_past(&gateway, &request, AGE_MS + 5000);
	pass(&gateway, gateway.in, &reply, &reply, SLUICE_WIRE_reply_no_flow);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_half_open);
}

static void test_fragments(void **state)
{
	struct shape request = request_behind(), reply = answer(&request, B2);

	gateway_converse(&request);
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
		cmocka_unit_test(test_right),	  cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_set),	  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_two),	  cmocka_unit_test(test_aged),
		cmocka_unit_test(test_fragments),
	};

	return cmocka_run_group_tests(tests, setup, wire_lab_down);
}
