// SPDX-License-Identifier: GPL-2.0-or-later
/* The verdict on a server with audited answers, and the coverage by mode wire. */
#include "cmd/reply/audit_verdict.h"
#include "wire/coverage.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct sluice_addr ip4(const char *text)
{
	struct sluice_addr addr = { .word_be = { 0, 0, htonl(0xffff) } };

	assert_int_equal(inet_pton(AF_INET, text, &addr.word_be[3]), 1);
	return addr;
}

/* --- the verdict on answers */

static void assert_answers(__u64 wrong, __u64 right, enum wire_covers covers,
			   enum audit_verdict expected)
{
	struct sluice_audit audit = { .wrong = wrong, .right = right };

	assert_int_equal(audit_classify_replies(&audit, covers), expected);
}

static void test_answers(void **state)
{
	assert_answers(0, 0, WIRE_COVERS_NOT, AUDIT_UNKNOWN);
	assert_answers(0, 3, WIRE_COVERS_NOT, AUDIT_RIGHT);
	assert_answers(1, 3, WIRE_COVERS_NOT, AUDIT_WRONG);
	assert_answers(1, 3, WIRE_COVERS_CLIENT, AUDIT_COVERED);
	assert_answers(1, 0, WIRE_COVERS_BY_REWRITING, AUDIT_COVERED);
}

/* --- the verdict on connected servers; `source` is NULL or an address */

static void assert_connected(__u64 wrong, __u64 right, const char *source, enum wire_covers covers,
			     enum audit_verdict expected)
{
	struct sluice_audit audit = {
		.connects = 1,
		.connect_wrong = wrong,
		.connect_right = right,
		.connect_asked = ip4("172.16.13.13"),
	};
	struct sluice_addr addr;

	if (source)
		addr = ip4(source);
	assert_int_equal(audit_classify_connected(&audit, source ? &addr : NULL, covers), expected);
}

static void test_connected_has_sent(void **state)
{
	assert_connected(0, 2, "172.16.13.13", WIRE_COVERS_NOT, AUDIT_RIGHT);
	assert_connected(2, 0, "172.17.0.1", WIRE_COVERS_NOT, AUDIT_WRONG);
	/* connected again, and now right */
	assert_connected(1, 5, "172.16.13.13", WIRE_COVERS_NOT, AUDIT_WRONG);
}

static void test_connected_silent(void **state)
{
	assert_connected(0, 0, "172.16.13.13", WIRE_COVERS_NOT, AUDIT_RIGHT);
	assert_connected(0, 0, "172.17.0.1", WIRE_COVERS_NOT, AUDIT_WRONG);
	assert_connected(0, 0, NULL, WIRE_COVERS_NOT, AUDIT_UNKNOWN);
}

static void test_connected_and_covered(void **state)
{
	assert_connected(2, 0, "172.17.0.1", WIRE_COVERS_CLIENT, AUDIT_COVERED);
	assert_connected(0, 0, "172.17.0.1", WIRE_COVERS_CLIENT, AUDIT_COVERED);
	assert_connected(0, 0, NULL, WIRE_COVERS_CLIENT, AUDIT_COVERED);
	/* right even without mode wire, or because of it */
	assert_connected(0, 2, "172.16.13.13", WIRE_COVERS_CLIENT, AUDIT_RIGHT);
	assert_connected(0, 2, "172.16.13.13", WIRE_COVERS_BY_REWRITING, AUDIT_COVERED);
}

/* --- the mode that fixes a server */

static void test_fixes(void **state)
{
	struct audit_row row = { .replies = AUDIT_RIGHT, .connected = AUDIT_RIGHT };

	assert_int_equal(audit_fix_of(&row), AUDIT_FIX_NOT_NEEDED);
	row.replies = AUDIT_WRONG;
	assert_int_equal(audit_fix_of(&row), AUDIT_FIX_SOCKET);
	/* its first reply is sent unconnected, the other replies connected */
	row.connected = AUDIT_WRONG;
	assert_int_equal(audit_fix_of(&row), AUDIT_FIX_WIRE);
	row.audit.siblings = 1;
	assert_int_equal(audit_fix_of(&row), AUDIT_FIX_NONE);
	row.replies = AUDIT_UNKNOWN;
	row.connected = AUDIT_COVERED;
	assert_int_equal(audit_fix_of(&row), AUDIT_FIX_NOT_NEEDED);
	assert_null(audit_fix_name(AUDIT_FIX_NOT_NEEDED));
	assert_string_equal(audit_fix_name(AUDIT_FIX_SOCKET), "socket");
	assert_string_equal(audit_fix_name(AUDIT_FIX_WIRE), "wire");
	assert_string_equal(audit_fix_name(AUDIT_FIX_NONE), "none");
}

static void test_names(void **state)
{
	assert_string_equal(audit_verdict_name(AUDIT_UNKNOWN), "unknown");
	assert_string_equal(audit_verdict_name(AUDIT_RIGHT), "right");
	assert_string_equal(audit_verdict_name(AUDIT_WRONG), "wrong");
	assert_string_equal(audit_verdict_name(AUDIT_COVERED), "covered");
}

/* --- coverage by mode wire: port 53 of namespace 1, through eth0 (2), and veth5 (5) of bridge 3 */

static struct wire_iface ifaces[4];

static struct wire_cover cover(void)
{
	struct wire_cover made = { .flows_fd = -1 };
	struct wire_iface wanted[] = {
		{ .ifindex = 2, .entry = { .roles = SLUICE_WIRE_HOST } },
		{ .ifindex = 5,
		  .entry = { .roles = SLUICE_WIRE_HOST | SLUICE_WIRE_PORT, .master = 3 } },
		{ .ifindex = 6, .entry = { .roles = SLUICE_WIRE_GATEWAY } },
		{ .ifindex = 7, .entry = { .roles = SLUICE_WIRE_HOST }, .gone = true },
	};

	memcpy(ifaces, wanted, sizeof(ifaces));
	made.state.ifaces = ifaces;
	made.state.count = 4;
	made.state.meta.netns = 1;
	made.state.meta.ports[0] = 1ULL << 53;
	return made;
}

static struct wire_client client_by(__u32 ifindex)
{
	return (struct wire_client){ .addr = ip4("172.17.0.3"),
				     .port_be = htons(4000),
				     .server_port = 53,
				     .netns = 1,
				     .ifindex = ifindex };
}

static void test_by_interface(void **state)
{
	static const struct {
		__u32 ifindex;
		enum wire_covers expected;
	} by[] = {
		{ 2, WIRE_COVERS_CLIENT }, { 3, WIRE_COVERS_CLIENT }, { 5, WIRE_COVERS_CLIENT },
		{ 6, WIRE_COVERS_NOT },	   { 7, WIRE_COVERS_NOT },    { 4, WIRE_COVERS_NOT },
		{ 0, WIRE_COVERS_NOT },
	};
	struct wire_cover made = cover();
	size_t i;

	for (i = 0; i < sizeof(by) / sizeof(*by); i++) {
		struct wire_client client = client_by(by[i].ifindex);

		assert_int_equal(wire_cover_of(&made, &client), by[i].expected);
	}
}

static void test_what_it_leaves_alone(void **state)
{
	struct wire_cover made = cover();
	struct wire_client client = client_by(2);

	client.server_port = 54;
	assert_int_equal(wire_cover_of(&made, &client), WIRE_COVERS_NOT);
	client = client_by(2);
	client.netns = 2;
	assert_int_equal(wire_cover_of(&made, &client), WIRE_COVERS_NOT);
}

static void test_any_port(void **state)
{
	struct wire_cover made = cover();
	struct wire_client client = client_by(2);

	client.server_port = 65535;
	made.state.meta.any_port = 1;
	assert_int_equal(wire_cover_of(&made, &client), WIRE_COVERS_CLIENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_connected_has_sent),
		cmocka_unit_test(test_connected_silent),
		cmocka_unit_test(test_connected_and_covered),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_fixes),
		cmocka_unit_test(test_by_interface),
		cmocka_unit_test(test_what_it_leaves_alone),
		cmocka_unit_test(test_any_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
