// SPDX-License-Identifier: GPL-2.0-or-later
/* The nearest valid word: small typos are corrected; distant words get no suggestion. */
#include "cli/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const words[] = { "load", "show", "flows", "audit", "unload", "--for" };
#define WORDS (sizeof(words) / sizeof(*words))

static void assert_nearest(const char *wrong, const char *expected)
{
	const char *nearest = suggest_nearest(wrong, words, WORDS);

	if (expected)
		assert_string_equal(nearest ? nearest : "(none)", expected);
	else
		assert_null(nearest);
}

static void test_one_slip(void **state)
{
	assert_nearest("laod", "load");	  /* a swap */
	assert_nearest("lod", "load");	  /* a deletion */
	assert_nearest("shhow", "show");  /* an insertion */
	assert_nearest("flaws", "flows"); /* a substitution */
	assert_nearest("unlaod", "unload");
}

static void test_the_nearer_of_two(void **state)
{
	assert_nearest("nload", "load");
	assert_nearest("unloa", "unload");
}

/* Matching letters count more than missing letters. */
static void test_beginnings(void **state)
{
	assert_nearest("au", "audit");
	assert_nearest("flow", "flows");
	assert_nearest("un", "unload");
}

static void test_nothing_is_near(void **state)
{
	assert_nearest("conntrack", NULL);
	assert_nearest("xyzzy", NULL);
	assert_nearest("l", NULL);
	assert_nearest("", NULL);
	assert_null(suggest_nearest("load", words, 0));
}

static void test_a_right_word(void **state)
{
	assert_nearest("audit", "audit");
}

/* A word longer than all valid words is close to none of them. */
static void test_overlong(void **state)
{
	assert_nearest("loadloadloadloadloadloadloadloadloadloadloadload", NULL);
	assert_nearest("0123456789012345678901234567890123456789012345678901234567890123456789"
		       "0123456789012345678901234567890123456789012345678901234567890123456789",
		       NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_slip),     cmocka_unit_test(test_the_nearer_of_two),
		cmocka_unit_test(test_beginnings),   cmocka_unit_test(test_nothing_is_near),
		cmocka_unit_test(test_a_right_word), cmocka_unit_test(test_overlong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
