// SPDX-License-Identifier: GPL-2.0-or-later
/* The NAT behaviour derived from the outcomes of the tests (RFC 5780, RFC 4787). */
#include "nat/behaviour.h"

#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct stun_endpoint at(const char *text)
{
	struct stun_endpoint endpoint = { .port_be = 0 };

	assert_true(addr_parse_port(text, &endpoint.addr, &endpoint.port_be));
	return endpoint;
}

static void answer(struct nat_findings *findings, enum nat_test test, const char *mapped)
{
	struct nat_query *query = &findings->tests[test];

	query->outcome = mapped ? NAT_ANSWERED : NAT_SILENT;
	query->sent = true;
	query->from = nat_answerer(findings, test);
	if (mapped)
		query->mapped = at(mapped);
}

static void answer_maps(struct nat_findings *findings, const char *same, const char *addr,
			const char *port, const char *both)
{
	answer(findings, NAT_MAP, same);
	answer(findings, NAT_MAP_ADDR, addr);
	answer(findings, NAT_MAP_PORT, port);
	answer(findings, NAT_MAP_BOTH, both);
}

/*
 * A host at 10.0.0.2 with ports 1 to 4, and a server at 5.0.0.1:3478 and 5.0.0.2:3479. In between,
 * an endpoint-independent NAT at 9.0.0.9 without a filter.
 */
static void begin(struct nat_findings *findings)
{
	static const char *const to[NAT_TESTS] = {
		[NAT_MAP] = "5.0.0.1:3478",
		[NAT_FILTER_MAP] = "5.0.0.1:3478",
		[NAT_HAIRPIN_MAP] = "5.0.0.1:3478",
		[NAT_HAIRPIN_MAP_OTHER] = "5.0.0.1:3478",
		[NAT_MAP_ADDR] = "5.0.0.2:3478",
		[NAT_MAP_PORT] = "5.0.0.1:3479",
		[NAT_MAP_BOTH] = "5.0.0.2:3479",
		[NAT_FILTER_BOTH] = "5.0.0.1:3478",
		[NAT_FILTER_PORT] = "5.0.0.1:3478",
		[NAT_HAIRPIN] = "9.0.0.9:4",
		[NAT_HAIRPIN_OTHER] = "9.0.0.9:3",
		[NAT_FILTER_OPEN_BOTH] = "5.0.0.2:3479",
		[NAT_FILTER_OPEN_PORT] = "5.0.0.1:3479",
		[NAT_FILTER_AGAIN_BOTH] = "5.0.0.1:3478",
		[NAT_FILTER_AGAIN_PORT] = "5.0.0.1:3478",
	};
	int i;

	*findings = (struct nat_findings){ .server = at("5.0.0.1:3478"),
					   .other = at("5.0.0.2:3479"),
					   .local = at("10.0.0.2:1").addr };
	for (i = 0; i < NAT_TESTS; i++)
		findings->tests[i].to = at(to[i]);
	findings->tests[NAT_FILTER_BOTH].change = findings->tests[NAT_FILTER_AGAIN_BOTH].change =
		SLUICE_STUN_CHANGE_IP | SLUICE_STUN_CHANGE_PORT;
	findings->tests[NAT_FILTER_PORT].change = findings->tests[NAT_FILTER_AGAIN_PORT].change =
		SLUICE_STUN_CHANGE_PORT;
	for (i = 0; i < NAT_SOCKETS; i++)
		findings->local_port_be[i] = htons((uint16_t)(i + 1));
	answer_maps(findings, "9.0.0.9:1", "9.0.0.9:1", "9.0.0.9:1", "9.0.0.9:1");
	answer(findings, NAT_FILTER_MAP, "9.0.0.9:2");
	answer(findings, NAT_FILTER_BOTH, "9.0.0.9:2");
	answer(findings, NAT_FILTER_PORT, "9.0.0.9:2");
	answer(findings, NAT_HAIRPIN_MAP, "9.0.0.9:3");
	answer(findings, NAT_HAIRPIN_MAP_OTHER, "9.0.0.9:4");
	answer(findings, NAT_HAIRPIN, NULL);
	answer(findings, NAT_HAIRPIN_OTHER, NULL);
}

/* --- mapping */

static void assert_mapping(const struct nat_findings *findings, enum nat_behaviour wanted,
			   const char *reason)
{
	struct nat_behaviours found;

	nat_behaviours(findings, &found);
	assert_int_equal(found.mapping, wanted);
	assert_non_null(strstr(found.mapping_reason, reason));
	assert_true(*reason || !*found.mapping_reason);
}

static void test_mapping(void **state)
{
	static const struct {
		const char *same, *addr, *port, *both;
		enum nat_behaviour wanted;
	} cases[] = {
		{ "9.0.0.9:1", "9.0.0.9:1", "9.0.0.9:1", "9.0.0.9:1", NAT_ENDPOINT_INDEPENDENT },
		{ "9.0.0.9:8", "9.0.0.9:8", "9.0.0.9:8", "9.0.0.9:8", NAT_ENDPOINT_INDEPENDENT },
		{ "9.0.0.9:1", "9.0.0.9:8", "9.0.0.9:1", "9.0.0.9:8", NAT_ADDRESS_DEPENDENT },
		/* another address from the NAT's pool */
		{ "9.0.0.9:1", "9.0.0.8:1", "9.0.0.9:1", "9.0.0.8:1", NAT_ADDRESS_DEPENDENT },
		{ "9.0.0.9:1", "9.0.0.9:6", "9.0.0.9:7", "9.0.0.9:8",
		  NAT_ADDRESS_AND_PORT_DEPENDENT },
		{ "9.0.0.9:1", "9.0.0.9:8", "9.0.0.9:7", "9.0.0.9:8",
		  NAT_ADDRESS_AND_PORT_DEPENDENT },
		/* only the port differs: RFC 4787 has no narrower category */
		{ "9.0.0.9:1", "9.0.0.9:1", "9.0.0.9:8", "9.0.0.9:8",
		  NAT_ADDRESS_AND_PORT_DEPENDENT },
		{ "10.0.0.2:1", "10.0.0.2:1", "10.0.0.2:1", "10.0.0.2:1", NAT_NONE },
		/* the host itself translates its ports */
		{ "10.0.0.2:7", "10.0.0.2:7", "10.0.0.2:7", "10.0.0.2:7",
		  NAT_ENDPOINT_INDEPENDENT },
		{ "10.0.0.2:1", "9.0.0.9:1", "10.0.0.2:1", "9.0.0.9:1", NAT_ADDRESS_DEPENDENT },
	};
	struct nat_findings findings;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(&findings);
		answer_maps(&findings, cases[i].same, cases[i].addr, cases[i].port, cases[i].both);
		assert_mapping(&findings, cases[i].wanted, "");
	}
}

static void test_mapping_unknown(void **state)
{
	struct nat_findings findings;

	begin(&findings);
	answer(&findings, NAT_MAP_PORT, NULL);
	assert_mapping(&findings, NAT_UNKNOWN, "no response from 5.0.0.1:3479");
	begin(&findings);
	/*
	 * answers come from the previously requested address, as by a server with the fault of
	 * `reply`
	 */
	findings.tests[NAT_MAP_BOTH].from = at("5.0.0.1:3478");
	assert_mapping(&findings, NAT_UNKNOWN, "no response from 5.0.0.2:3479");
	begin(&findings);
	findings.other.port_be = 0;
	assert_mapping(&findings, NAT_UNKNOWN, "no second address");
	findings.other_refused = true;
	assert_mapping(&findings, NAT_UNKNOWN, "cannot be used");
	/* the absence of a NAT is known even without a second address */
	answer(&findings, NAT_MAP, "10.0.0.2:1");
	assert_mapping(&findings, NAT_NONE, "");
}

/* --- filtering */

static void assert_filtering(const struct nat_findings *findings, enum nat_behaviour wanted,
			     bool confirmed, const char *reason)
{
	struct nat_behaviours found;

	nat_behaviours(findings, &found);
	assert_int_equal(found.filtering, wanted);
	assert_int_equal(found.filtering_confirmed, confirmed);
	assert_non_null(strstr(found.filtering_reason, reason));
	assert_true(*reason || !*found.filtering_reason);
}

static void test_filtering(void **state)
{
	struct nat_findings findings;

	begin(&findings);
	assert_filtering(&findings, NAT_ENDPOINT_INDEPENDENT, true, "");
	answer(&findings, NAT_FILTER_BOTH, NULL);
	answer(&findings, NAT_FILTER_AGAIN_BOTH, "9.0.0.9:2");
	assert_filtering(&findings, NAT_ADDRESS_DEPENDENT, true, "");
	answer(&findings, NAT_FILTER_PORT, NULL);
	answer(&findings, NAT_FILTER_AGAIN_PORT, "9.0.0.9:2");
	assert_filtering(&findings, NAT_ADDRESS_AND_PORT_DEPENDENT, true, "");
	/* a firewall without a NAT */
	answer_maps(&findings, "10.0.0.2:1", "10.0.0.2:1", "10.0.0.2:1", "10.0.0.2:1");
	assert_filtering(&findings, NAT_ADDRESS_AND_PORT_DEPENDENT, true, "");
}

/* A missing answer proves no filter, unless no request can open it. */
static void test_filtering_unconfirmed(void **state)
{
	struct nat_findings findings;

	begin(&findings);
	answer(&findings, NAT_FILTER_BOTH, NULL);
	assert_filtering(&findings, NAT_UNKNOWN, false, "no response from 5.0.0.2:3479");
	answer(&findings, NAT_FILTER_AGAIN_BOTH, NULL);
	assert_filtering(&findings, NAT_UNKNOWN, false, "even after a request");
	answer(&findings, NAT_FILTER_PORT, NULL);
	answer(&findings, NAT_FILTER_AGAIN_BOTH, "9.0.0.9:2");
	assert_filtering(&findings, NAT_UNKNOWN, false, "no response");
	answer_maps(&findings, "9.0.0.9:1", "9.0.0.9:6", "9.0.0.9:7", "9.0.0.9:8");
	assert_filtering(&findings, NAT_ADDRESS_AND_PORT_DEPENDENT, false, "");
}

static void test_filtering_unknown(void **state)
{
	struct nat_findings findings;

	begin(&findings);
	findings.tests[NAT_FILTER_PORT].outcome = NAT_REFUSED;
	findings.tests[NAT_FILTER_PORT].code = 420;
	assert_filtering(&findings, NAT_UNKNOWN, false, "refuses CHANGE-REQUEST: error 420");
	findings.tests[NAT_FILTER_PORT].code = 0;
	assert_filtering(&findings, NAT_UNKNOWN, false, "malformed");
	begin(&findings);
	findings.tests[NAT_FILTER_BOTH].from = at("5.0.0.1:3478");
	assert_filtering(&findings, NAT_UNKNOWN, false, "ignores CHANGE-REQUEST");
	/* one request was refused on the path but the next was not, so there is no filter */
	begin(&findings);
	answer(&findings, NAT_FILTER_BOTH, NULL);
	findings.tests[NAT_FILTER_BOTH].error = ECONNREFUSED;
	answer(&findings, NAT_FILTER_AGAIN_BOTH, "9.0.0.9:2");
	assert_filtering(&findings, NAT_UNKNOWN, false, "Connection refused");
	begin(&findings);
	answer(&findings, NAT_FILTER_MAP, NULL);
	assert_filtering(&findings, NAT_UNKNOWN, false, "first request");
	begin(&findings);
	findings.other.port_be = 0;
	assert_filtering(&findings, NAT_UNKNOWN, false, "no second address");
}

/* --- hairpinning, ports, payload */

static void assert_hairpin(const struct nat_findings *findings, enum nat_hairpin wanted,
			   const char *reason)
{
	struct nat_behaviours found;

	nat_behaviours(findings, &found);
	assert_int_equal(found.hairpin, wanted);
	assert_non_null(strstr(found.hairpin_reason, reason));
	assert_true(*reason || !*found.hairpin_reason);
}

static void test_hairpin(void **state)
{
	struct nat_findings findings;

	begin(&findings);
	assert_hairpin(&findings, NAT_HAIRPIN_NO, "");
	/* a firewall of this host has refused one of the requests */
	findings.tests[NAT_HAIRPIN].sent = false;
	findings.tests[NAT_HAIRPIN].error = EPERM;
	assert_hairpin(&findings, NAT_HAIRPIN_UNKNOWN, "Operation not permitted");
	begin(&findings);
	/* one direction is enough, since a filter may be closed in the other */
	findings.tests[NAT_HAIRPIN_OTHER].outcome = NAT_LOOPED;
	findings.tests[NAT_HAIRPIN_OTHER].from = at("9.0.0.9:4");
	assert_hairpin(&findings, NAT_HAIRPIN_EXTERNAL, "");
	findings.tests[NAT_HAIRPIN_OTHER].from = at("10.0.0.2:4");
	assert_hairpin(&findings, NAT_HAIRPIN_INTERNAL, "");
	findings.tests[NAT_HAIRPIN].outcome = NAT_LOOPED;
	findings.tests[NAT_HAIRPIN].from = at("9.0.0.9:3");
	assert_hairpin(&findings, NAT_HAIRPIN_EXTERNAL, "");
	findings.tests[NAT_HAIRPIN].outcome = findings.tests[NAT_HAIRPIN_OTHER].outcome =
		NAT_NOT_ASKED;
	assert_hairpin(&findings, NAT_HAIRPIN_UNKNOWN, "no second mapping");
	answer(&findings, NAT_MAP, "10.0.0.2:1");
	assert_hairpin(&findings, NAT_HAIRPIN_UNKNOWN, "one of this host");
}

static void test_ports(void **state)
{
	struct nat_findings findings;
	struct nat_behaviours found;

	begin(&findings);
	nat_behaviours(&findings, &found);
	assert_int_equal(found.ports, NAT_PORTS_PRESERVED);
	assert_int_equal(found.ports_seen, 4);
	answer(&findings, NAT_HAIRPIN_MAP, NULL);
	answer(&findings, NAT_FILTER_MAP, "9.0.0.9:7");
	nat_behaviours(&findings, &found);
	assert_int_equal(found.ports, NAT_PORTS_SOMETIMES);
	assert_int_equal(found.ports_seen, 3);
	assert_int_equal(found.ports_preserved, 2);
	answer(&findings, NAT_MAP, "9.0.0.9:7");
	answer(&findings, NAT_HAIRPIN_MAP_OTHER, "9.0.0.9:7");
	nat_behaviours(&findings, &found);
	assert_int_equal(found.ports, NAT_PORTS_CHANGED);
	assert_false(found.rewritten);
	findings.tests[NAT_MAP_BOTH].rewritten = true;
	nat_behaviours(&findings, &found);
	assert_true(found.rewritten);
}

/* A server must not direct requests to arbitrary addresses. */
static void test_usable(void **state)
{
	static const char *const wrong[] = {
		"0.0.0.0:1",	   "0.1.2.3:1",	  "127.0.0.1:1",       "169.254.169.254:80",
		"224.0.0.1:1",	   "240.0.0.1:1", "255.255.255.255:1", "[::]:1",
		"[2001:db8::1]:1", "[::1]:1",
	};
	static const char *const wrong6[] = { "[::]:1",	     "[::1]:1",	   "[ff02::1]:1",
					      "[fe80::1]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1" };
	const struct stun_endpoint server = at("5.0.0.1:1"), server6 = at("[2001:db8::1]:1"),
				   loopback = at("127.0.0.1:1");
	struct stun_endpoint reported;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		reported = at(wrong[i]);
		assert_false(nat_is_usable(&reported, &server.addr));
	}
	for (i = 0; i < sizeof(wrong6) / sizeof(*wrong6); i++) {
		reported = at(wrong6[i]);
		assert_false(nat_is_usable(&reported, &server6.addr));
	}
	reported = at("10.0.0.1:1");
	assert_true(nat_is_usable(&reported, &server.addr));
	assert_false(nat_is_usable(&reported, &loopback.addr));
	reported.port_be = 0;
	assert_false(nat_is_usable(&reported, &server.addr));
	reported = at("127.0.0.2:1");
	assert_true(nat_is_usable(&reported, &loopback.addr));
	reported = at("[fd00::1]:1");
	assert_true(nat_is_usable(&reported, &server6.addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_mapping_unknown),
		cmocka_unit_test(test_filtering),
		cmocka_unit_test(test_filtering_unconfirmed),
		cmocka_unit_test(test_filtering_unknown),
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
