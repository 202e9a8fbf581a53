// SPDX-License-Identifier: GPL-2.0-or-later
/* Scopes: no notation of an address bypasses the check. */
#include "meet/scope.h"

#include "base/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
	const char *text;
	enum scope scope;
} cases[] = {
	{ "192.0.2.1", SCOPE_PUBLIC },
	{ "1.1.1.1", SCOPE_PUBLIC },
	{ "223.255.255.255", SCOPE_PUBLIC },
	{ "100.63.255.255", SCOPE_PUBLIC },
	{ "100.128.0.0", SCOPE_PUBLIC },
	{ "172.15.255.255", SCOPE_PUBLIC },
	{ "172.32.0.0", SCOPE_PUBLIC },
	{ "192.167.255.255", SCOPE_PUBLIC },
	{ "10.0.0.1", SCOPE_PRIVATE },
	{ "172.16.0.0", SCOPE_PRIVATE },
	{ "172.31.255.255", SCOPE_PRIVATE },
	{ "192.168.1.1", SCOPE_PRIVATE },
	{ "100.64.0.1", SCOPE_PRIVATE },
	{ "0.0.0.0", SCOPE_NONE },
	{ "0.1.2.3", SCOPE_NONE },
	{ "127.0.0.1", SCOPE_NONE },
	{ "127.255.255.255", SCOPE_NONE },
	{ "169.254.169.254", SCOPE_NONE },
	{ "169.254.1.1", SCOPE_NONE },
	{ "100.100.100.200", SCOPE_NONE },
	{ "168.63.129.16", SCOPE_NONE },
	{ "192.0.0.192", SCOPE_NONE },
	{ "192.88.99.1", SCOPE_NONE },
	{ "224.0.0.1", SCOPE_NONE },
	{ "239.255.255.255", SCOPE_NONE },
	{ "240.0.0.1", SCOPE_NONE },
	{ "255.255.255.255", SCOPE_NONE },
	/* v4-mapped: classified as the IPv4 address */
	{ "::ffff:127.0.0.1", SCOPE_NONE },
	{ "::ffff:10.0.0.1", SCOPE_PRIVATE },
	{ "::ffff:0.0.0.0", SCOPE_NONE },
	{ "::ffff:169.254.169.254", SCOPE_NONE },
	{ "2001:db8::1", SCOPE_PUBLIC },
	{ "2600::1", SCOPE_PUBLIC },
	{ "3fff:ffff::1", SCOPE_PUBLIC },
	{ "2001:0:1::1", SCOPE_NONE }, /* Teredo */
	{ "2001:1::1", SCOPE_PUBLIC },
	{ "2002:7f00:1::1", SCOPE_NONE }, /* 6to4 of 127.0.0.1 */
	{ "2002:c000:201::1", SCOPE_NONE },
	{ "64:ff9b::127.0.0.1", SCOPE_NONE }, /* NAT64 */
	{ "64:ff9b:1::a00:1", SCOPE_NONE },
	{ "::127.0.0.1", SCOPE_NONE }, /* compatible */
	{ "::10.0.0.1", SCOPE_NONE },
	{ "::ffff:0:127.0.0.1", SCOPE_NONE }, /* translated */
	{ "::", SCOPE_NONE },
	{ "::1", SCOPE_NONE },
	{ "fe80::1", SCOPE_NONE },
	{ "fec0::1", SCOPE_NONE },
	{ "ff02::1", SCOPE_NONE },
	{ "fc00::1", SCOPE_PRIVATE },
	{ "fd12:3456::1", SCOPE_PRIVATE },
	{ "fd00:ec2::254", SCOPE_NONE },      /* metadata services: AWS */
	{ "fd20:ce::254", SCOPE_NONE },	      /* Google */
	{ "fd00:c1::a9fe:a9fe", SCOPE_NONE }, /* Oracle */
	{ "fd00:42::42", SCOPE_NONE },	      /* Scaleway */
	{ "fd00:c2::1", SCOPE_PRIVATE },
	{ "fbff::1", SCOPE_NONE },
	{ "fe00::1", SCOPE_NONE },
	{ "4000::1", SCOPE_NONE },
};

static void test_scopes(void **state)
{
	struct in6_addr addr;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_true(addr_parse(cases[i].text, &addr));
		if (scope_of(&addr) != cases[i].scope)
			fail_msg("%s: scope %d", cases[i].text, (int)scope_of(&addr));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_scopes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
