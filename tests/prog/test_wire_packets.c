// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The wire programs on every packet shape that they support: options, tags and extension headers,
 * fragments, and ICMP errors about rewritten datagrams.
 */
#include "wire_lab.h"

/* --- supported shapes */

static void test_plain(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), BACK);
		size_t payload;

		for (payload = 0; payload < 70; payload++) {
			request.payload = payload;
			request.source_port = next_port();
			converse(&host, &request);
		}
		request.payload = 1400;
		converse(&host, &request);
	}
}

static void test_no_checksum(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), BACK);

		request.no_checksum = true;
		converse(&host, &request);
	}
}

/*
 * A checksum that is computed as 0 is sent as 0xffff. The test varies the source port until the
 * checksum is 0.
 */
static void test_checksum_zero(void **state)
{
	unsigned int found = 0, port;

	for (port = 1; port < 65536 && !found; port++) {
		struct shape request = request4((uint16_t)port, BACK);
		struct shape inside = to_target(request, NEAR4);
		struct frame frame;

		request.payload = inside.payload = 0;
		build_frame(&inside, &frame);
		if (frame.byte[14 + 20 + 6] != 0xff || frame.byte[14 + 20 + 7] != 0xff)
			continue;
		found++;
		converse(&host, &request);
	}
	assert_int_equal(found, 1);
}

static void test_options(void **state)
{
	struct shape request = request4(0, BACK);

	for (request.options = 0; request.options <= 40; request.options += 4) {
		request.source_port = next_port();
		converse(&host, &request);
	}
}

static void test_extension_headers(void **state)
{
	static const char *const chains[] = { "h",  "d",  "r",	 "f",	 "hd",
					      "hr", "hf", "hdr", "hrdf", "hdrfd" };
	struct shape request = request6(0, BACK);
	size_t i;

	for (i = 0; i < sizeof(chains) / sizeof(*chains); i++) {
		request.source_port = next_port();
		request.chain = chains[i];
		converse(&host, &request);
	}
}

static void test_vlan(void **state)
{
	int version, tags;

	for (version = 4; version <= 6; version += 2)
		for (tags = 1; tags <= 2; tags++) {
			struct shape request = request_of(version, next_port(), BACK);

			request.vlan_tags = tags;
			converse(&host, &request);
			request.source_port = next_port();
			request.source = version == 4 ? GUEST4 : GUEST6;
			converse(&port, &request);
		}
}

static void test_padding(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), BACK);

		request.payload = 1;
		request.padding = 17;
		converse(&host, &request);
	}
}

/* The headers may be outside the linear part of a packet (test_run supports this since 6.18). */
static void test_not_linear(void **state)
{
	int version, refused = 0;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), BACK);
		struct shape inside = to_target(request, near_of(&request));
		struct frame in, out, wanted;

		converse(&host, &request);
		build_frame(&request, &in);
		build_frame(&inside, &wanted);
		if (run_frame(host.in, &in, 14, &out)) {
			refused++;
			continue;
		}
		assert_int_equal(out.len, wanted.len);
		assert_frame(&out, &wanted);
	}
	if (refused)
		print_message("this kernel's test_run supports only linear packets\n");
}

/* --- fragments */

static void test_fragments(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), BACK);
		struct shape reply = answer(&request, near_of(&request)), later;

		converse(&host, &request);
		fragments(&host, host.in, request, request.source, near_of(&request),
			  SLUICE_WIRE_request_rewritten);
		fragments(&host, host.out, reply, request.target, reply.target,
			  SLUICE_WIRE_reply_rewritten);
		/* of another protocol, with the same identification (RFC 791) */
		later = request;
		later.fragment = true;
		later.id = 0x1234;
		later.payload = 1400;
		later.from = 512;
		later.to = 1024;
		later.body = BODY_TCP;
		if (version == 4)
			pass_uncounted(&host, host.in, &later);
		/* a datagram with the right source: its fragments are tracked but not changed */
		request.source_port = next_port();
		reply = answer(&request, request.target);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_half_open);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		fragments(&host, host.in, request, request.source, request.target,
			  SLUICE_WIRE_request_right);
	}
}

/* A later fragment that arrives first has no entry. */
static void test_fragment_early(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape early = request_of(version, next_port(), BACK);

		early.payload = 1400;
		early.fragment = true;
		early.chain = version == 6 ? "f" : NULL;
		early.id = 0x9999;
		early.from = 512;
		early.to = 2000;
		pass(&host, host.in, &early, &early, SLUICE_WIRE_fragment_early);
		pass(&host, host.out, &early, &early, SLUICE_WIRE_fragment_early);
	}
}

/* More concurrent datagrams than entries: the oldest entries are evicted and counted. */
static void test_fragment_evicted(void **state)
{
	struct shape first = request4(next_port(), BACK);
	uint64_t before = counter(&host, SLUICE_WIRE_fragment_evicted);
	struct frame in, out;

	first.payload = 1400;
	first.fragment = true;
	first.to = 512;
	for (first.id = 1; first.id < SLUICE_FRAGMENT_SETS * SLUICE_FLOW_WAYS * 2; first.id++) {
		build_frame(&first, &in);
		assert_int_equal(run_frame(host.in, &in, 0, &out), 0);
	}
	assert_true(counter(&host, SLUICE_WIRE_fragment_evicted) - before >=
		    SLUICE_FRAGMENT_SETS * SLUICE_FLOW_WAYS - SLUICE_FLOW_WAYS);
}

/* --- ICMP errors */

/*
 * Sends errors about both datagrams of a flow, in both directions. @change modifies the quoted
 * datagrams; @quote is the number of quoted bytes.
 */
static void error_pair(const struct shape *request, const struct error_kind *kind, size_t quote,
		       const char *router)
{
	const char *near = near_of(request), *far = request->target, *client = request->source;
	struct shape inside = to_target(*request, near);
	struct shape reply = answer(request, near), fixed = answer(request, far);
	struct shape error, wanted;

	converse(&host, request);

	/* an error from the client, or a router near it, about the reply from the far address */
	error = error_about(&fixed, router ? router : client, far, kind);
	wanted = error_about(&reply, router ? router : client, near, kind);
	error.quote = wanted.quote = quote;
	error.vlan_tags = wanted.vlan_tags = request->vlan_tags;
	pass(&host, host.in, &error, &wanted, SLUICE_WIRE_error_translated);

	/* an error from this host about the request to the near address */
	error = error_about(&inside, near, client, kind);
	wanted = error_about(request, far, client, kind);
	error.quote = wanted.quote = quote;
	error.vlan_tags = wanted.vlan_tags = request->vlan_tags;
	pass(&host, host.out, &error, &wanted, SLUICE_WIRE_error_translated);

	/* the same error, from an address that is not in the datagram: left unchanged */
	if (!router)
		return;
	error = error_about(&inside, router, client, kind);
	wanted = error_about(request, router, client, kind);
	pass(&host, host.out, &error, &wanted, SLUICE_WIRE_error_translated);
}

static void test_errors(void **state)
{
	size_t i;
	int version;

	for (version = 4; version <= 6; version += 2)
		for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
			struct shape request = request_of(version, next_port(), BACK);

			error_pair(&request, &errors[i], 0, NULL);
			error_pair(&request, &errors[i], 0,
				   version == 4 ? "10.1.0.77" : "fd01::77");
			/* the IP header and 8 bytes, the minimum of RFC 792; and odd lengths */
			error_pair(&request, &errors[i], version == 4 ? 28 : 48, NULL);
			error_pair(&request, &errors[i], version == 4 ? 33 : 53, NULL);
			request.no_checksum = true;
			error_pair(&request, &errors[i], 0, NULL);
		}
}

static void test_errors_with_options(void **state)
{
	struct shape request4s = request4(next_port(), BACK);
	struct shape request6s = request6(next_port(), BACK);

	request4s.options = 40;
	error_pair(&request4s, &errors[0], 0, NULL);
	request6s.chain = "hdr";
	error_pair(&request6s, &errors[0], 0, NULL);
}

/* Leaves alone errors about flows that are unmanaged, or not rewritten. */
static void test_errors_left(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), BACK);
		struct shape unknown = answer(&request, request.target), error;

		error = error_about(&unknown, request.source, request.target, &errors[0]);
		pass(&host, host.in, &error, &error, SLUICE_WIRE_error_left);
		unknown.body = BODY_TCP;
		pass_uncounted(&host, host.in, &error);
		/* not an error, so there is no quoted datagram */
		error.quoted = NULL;
		error.type = version == 4 ? 8 : 128;
		pass_uncounted(&host, host.in, &error);
	}
}

/* --- with VLAN tags */

/* Repeats the tests of fragments, errors and the gateway with VLAN tags. */
static void test_vlan_all(void **state)
{
	int version, tags;

	for (version = 4; version <= 6; version += 2)
		for (tags = 1; tags <= 2; tags++) {
			struct shape request = tagged(request_of(version, next_port(), BACK), tags);
			struct shape reply = answer(&request, near_of(&request));

			converse(&host, &request);
			fragments(&host, host.in, request, request.source, near_of(&request),
				  SLUICE_WIRE_request_rewritten);
			fragments(&host, host.out, reply, request.target, reply.target,
				  SLUICE_WIRE_reply_rewritten);
			request.source_port = next_port();
			error_pair(&request, &errors[0], 0, NULL);
		}
	for (tags = 1; tags <= 2; tags++) {
		struct shape request = tagged(request_behind(), tags);
		struct shape onward = to_target(request, B2), reply = answer(&request, B2);
		struct shape error, wanted;

		gateway_converse(&request);
		error = tagged(error_about(&onward, B2, request.source, &errors[0]), tags);
		wanted = tagged(error_about(&request, B1, request.source, &errors[0]), tags);
		pass_withheld(&error);
		pass(&gateway, gateway.in, &error, &wanted, SLUICE_WIRE_error_translated);
		fragments(&gateway, gateway.in, reply, B1, reply.target,
			  SLUICE_WIRE_reply_rewritten);
	}
}

static int setup(void **state)
{
	return wire_lab_up() || wire_lab_load(&host, SLUICE_WIRE_HOST) ||
	       wire_lab_load(&port, SLUICE_WIRE_HOST | SLUICE_WIRE_PORT) ||
	       wire_lab_load(&gateway, SLUICE_WIRE_GATEWAY);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_no_checksum),
		cmocka_unit_test(test_checksum_zero),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_extension_headers),
		cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_vlan_all),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_not_linear),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_fragment_early),
		cmocka_unit_test(test_fragment_evicted),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_errors_with_options),
		cmocka_unit_test(test_errors_left),
	};

	return cmocka_run_group_tests(tests, setup, wire_lab_down);
}
