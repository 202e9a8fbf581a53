// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Port lists: which lists are accepted, which are rejected with which message, and how they print.
 */
#include "base/ports.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *formatted(const char *list)
{
	static char text[512];
	struct ports ports;
	struct err err;

	assert_int_equal(ports_parse(list, &ports, &err), 0);
	ports_format(&ports, text, sizeof(text));
	return text;
}

static void assert_refused(const char *list, const char *named, const char *reason)
{
	struct ports ports, before;
	struct err err;

	memset(&ports, 0x5a, sizeof(ports));
	before = ports;
	assert_int_equal(ports_parse(list, &ports, &err), -EINVAL);
	assert_memory_equal(&ports, &before, sizeof(ports));
	assert_int_equal(err.code, EXIT_USAGE);
	assert_non_null(strstr(err.what, named));
	assert_non_null(strstr(err.what, reason));
	assert_true(err.hint[0]);
}

static void test_single(void **state)
{
	struct ports ports;
	struct err err;

	assert_int_equal(ports_parse("53", &ports, &err), 0);
	assert_false(ports.any);
	assert_true(ports_contain(&ports, 53));
	assert_false(ports_contain(&ports, 52));
	assert_false(ports_contain(&ports, 54));
	assert_false(ports_contain(&ports, 0));
}

static void test_ends(void **state)
{
	struct ports ports;
	struct err err;

	assert_int_equal(ports_parse("1,65535", &ports, &err), 0);
	assert_true(ports_contain(&ports, 1));
	assert_true(ports_contain(&ports, 65535));
	assert_false(ports_contain(&ports, 2));
	assert_false(ports_contain(&ports, 65534));
	assert_false(ports_contain(&ports, 0));
}

/* Ranges that cross words of the bit set. */
static void test_range(void **state)
{
	struct ports ports;
	unsigned int port;
	struct err err;

	assert_int_equal(ports_parse("60-130", &ports, &err), 0);
	for (port = 0; port <= 65535; port++)
		assert_int_equal(ports_contain(&ports, port), port >= 60 && port <= 130);
}

static void test_all(void **state)
{
	struct ports ports;
	struct err err;

	assert_int_equal(ports_parse("1-65535", &ports, &err), 0);
	assert_false(ports.any);
	assert_true(ports_contain(&ports, 1));
	assert_false(ports_contain(&ports, 0));
	assert_string_equal(formatted("1-65535"), "1-65535");
}

static void test_any(void **state)
{
	struct ports ports;
	struct err err;

	assert_int_equal(ports_parse("any", &ports, &err), 0);
	assert_true(ports.any);
	assert_true(ports_contain(&ports, 1));
	assert_true(ports_contain(&ports, 65535));
	assert_string_equal(formatted("any"), "any");
}

static void test_format_folds(void **state)
{
	assert_string_equal(formatted("53"), "53");
	assert_string_equal(formatted("53,5000-5100"), "53,5000-5100");
	assert_string_equal(formatted("3,2,1"), "1-3");
	assert_string_equal(formatted("10-20,15-30,31"), "10-31");
	assert_string_equal(formatted("7,7,7"), "7");
	assert_string_equal(formatted("5-5"), "5");
	assert_string_equal(formatted("65534,65535"), "65534-65535");
	assert_string_equal(formatted("1,3,5"), "1,3,5");
}

/* Omits whole items that do not fit, and marks the omission. */
static void test_format_in_a_small_buffer(void **state)
{
	struct ports ports;
	struct err err;
	char text[32];
	size_t size;

	assert_int_equal(ports_parse("53,5000-5100,6000", &ports, &err), 0);
	for (size = 1; size <= sizeof(text); size++) {
		memset(text, 'x', sizeof(text));
		ports_format(&ports, text, size);
		assert_true(memchr(text, '\0', size));
		if (size < sizeof(text))
			assert_int_equal(text[size], 'x');
	}
	assert_string_equal(ports_format(&ports, text, 7), "53,…");
	assert_string_equal(ports_format(&ports, text, 16), "53,…");
	assert_string_equal(ports_format(&ports, text, 17), "53,5000-5100,…");
	assert_string_equal(ports_format(&ports, text, sizeof(text)), "53,5000-5100,6000");
}

static void test_format_of_none(void **state)
{
	struct ports ports = { .any = false };
	char text[8] = "x";

	ports_format(&ports, text, sizeof(text));
	assert_string_equal(text, "");
}

static void test_no_port(void **state)
{
	assert_refused("0", "'0'", "1 to 65535");
	assert_refused("65536", "'65536'", "1 to 65535");
	assert_refused("53-65536", "'53-65536'", "1 to 65535");
	assert_refused("0-10", "'0-10'", "1 to 65535");
	assert_refused("99999999999999999999999", "'99999999999999999999999'", "1 to 65535");
}

static void test_no_list(void **state)
{
	assert_refused("", "''", "a port is empty");
	assert_refused(",", "','", "a port is empty");
	assert_refused("53,", "'53,'", "a port is empty");
	assert_refused("53,,54", "'53,,54'", "a port is empty");
}

static void test_no_number(void **state)
{
	assert_refused("a", "'a'", "neither a port nor a range");
	assert_refused("53-", "'53-'", "neither a port nor a range");
	assert_refused("-53", "'-53'", "neither a port nor a range");
	assert_refused("53-54-55", "'53-54-55'", "neither a port nor a range");
	assert_refused("53x", "'53x'", "neither a port nor a range");
	assert_refused("+53", "'+53'", "neither a port nor a range");
	assert_refused(" 53", "' 53'", "neither a port nor a range");
	assert_refused("53 54", "'53 54'", "neither a port nor a range");
	assert_refused("0x35", "'0x35'", "1 to 65535");
	assert_refused("any,53", "'any'", "neither a port nor a range");
	assert_refused("53,any", "'any'", "neither a port nor a range");
}

static void test_reversed(void **state)
{
	assert_refused("5100-5000", "'5100-5000'", "reversed");
}

/* The message names the bad item, not its valid neighbours. */
static void test_names_the_item(void **state)
{
	assert_refused("53,5000-5100,70000,80", "'70000'", "1 to 65535");
}

/* Structs on the stack have different padding. */
static void test_same_whatever_the_padding(void **state)
{
	struct ports a, b;
	struct err err;

	memset(&a, 0, sizeof(a));
	memset(&b, 0xff, sizeof(b));
	memset(b.bit, 0, sizeof(b.bit));
	b.any = false;
	assert_true(ports_are_same(&a, &b));
	assert_true(ports_empty(&b));
	assert_int_equal(ports_parse("53", &a, &err), 0);
	assert_false(ports_are_same(&a, &b));
	b.bit[0] = a.bit[0];
	assert_true(ports_are_same(&a, &b));
	b.any = true;
	assert_false(ports_are_same(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_any),
		cmocka_unit_test(test_format_folds),
		cmocka_unit_test(test_format_in_a_small_buffer),
		cmocka_unit_test(test_format_of_none),
		cmocka_unit_test(test_no_port),
		cmocka_unit_test(test_no_list),
		cmocka_unit_test(test_no_number),
		cmocka_unit_test(test_reversed),
		cmocka_unit_test(test_names_the_item),
		cmocka_unit_test(test_same_whatever_the_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
