// SPDX-License-Identifier: GPL-2.0-or-later
/* Addresses as text: v4-mapped addresses are printed as IPv4, and the longest address fits. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct in6_addr addr(const char *text)
{
	struct in6_addr parsed;

	assert_int_equal(inet_pton(AF_INET6, text, &parsed), 1);
	return parsed;
}

static void assert_shown(const char *given, const char *expected)
{
	struct in6_addr parsed = addr(given);
	char text[ADDR_TEXT_MAX];

	assert_ptr_equal(addr_format(&parsed, text), text);
	assert_string_equal(text, expected);
}

static void assert_shown_port(const char *given, uint16_t port, const char *expected)
{
	struct in6_addr parsed = addr(given);
	char text[ADDR_TEXT_MAX];

	assert_ptr_equal(addr_format_port(&parsed, htons(port), text), text);
	assert_string_equal(text, expected);
}

static void test_family(void **state)
{
	struct in6_addr mapped = addr("::ffff:172.17.0.3"), any = addr("::"),
			compatible = addr("::172.17.0.3"), far = addr("1::ffff:172.17.0.3");

	assert_true(addr_is_ip4(&mapped));
	assert_false(addr_is_ip4(&any));
	assert_false(addr_is_ip4(&compatible));
	assert_false(addr_is_ip4(&far));
}

static void test_parse_port(void **state)
{
	static const char *const wrong[] = {
		"",
		":",
		":53",
		"1.2.3.4",
		"1.2.3.4:",
		"1.2.3.4:0",
		"1.2.3.4:x",
		"1.2.3.4:65536",
		"1.2.3.4:5x",
		"1.2.3.4: 5",
		"1.2.3.4:-5",
		"1.2.3:5",
		"::1:5",
		"[::1]",
		"[::1]:",
		"[1.2.3.4]:5",
		"[]:5",
		"name:5",
		"[::1:5",
		"::1]:5",
		"1.2.3.4:99999999999999999999",
		"[1111:2222:3333:4444:5555:6666:7777:8888:9999]:5",
		"1111111111111111111111111111111111111111111111111111111111111111111:5",
	};
	struct in6_addr parsed = addr("::9"), before = parsed;
	in_port_t port = 9;
	char text[ADDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_false(addr_parse_port(wrong[i], &parsed, &port));
		assert_memory_equal(&parsed, &before, sizeof(before));
		assert_int_equal(port, 9);
	}
	assert_true(addr_parse_port("1.2.3.4:65535", &parsed, &port));
	assert_string_equal(addr_format_port(&parsed, port, text), "1.2.3.4:65535");
	assert_true(addr_parse_port("[fd00::3]:1", &parsed, &port));
	assert_string_equal(addr_format_port(&parsed, port, text), "[fd00::3]:1");
}

static void test_text(void **state)
{
	assert_shown("::ffff:172.17.0.3", "172.17.0.3");
	assert_shown("::ffff:0.0.0.0", "0.0.0.0");
	assert_shown("::ffff:255.255.255.255", "255.255.255.255");
	assert_shown("fd00:0:0:0:0:0:0:3", "fd00::3");
	assert_shown("::", "::");
	assert_shown("fe80::1", "fe80::1");
}

static void test_port(void **state)
{
	assert_shown_port("::ffff:172.17.0.3", 53, "172.17.0.3:53");
	assert_shown_port("::ffff:255.255.255.255", 65535, "255.255.255.255:65535");
	assert_shown_port("fd00::3", 53, "[fd00::3]:53");
	assert_shown_port("::", 0, "[::]:0");
}

static void test_longest(void **state)
{
	assert_shown("1111:2222:3333:4444:5555:6666:7777:8888",
		     "1111:2222:3333:4444:5555:6666:7777:8888");
	assert_shown_port("1111:2222:3333:4444:5555:6666:7777:8888", 65535,
			  "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_family),	cmocka_unit_test(test_parse_port),
		cmocka_unit_test(test_text),	cmocka_unit_test(test_port),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
