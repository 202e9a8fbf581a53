// SPDX-License-Identifier: GPL-2.0-or-later
/* The derived values of 'steer show': bars, imbalance and queues. */
#include "steer/figures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_bar(double part, double whole, bool utf8, const char *wanted)
{
	char text[STEER_BAR_MAX];

	memset(text, 'x', sizeof(text));
	assert_string_equal(steer_bar(part, whole, utf8, text), wanted);
}

static void test_bar(void **state)
{
	assert_bar(0, 100, false, "");
	assert_bar(100, 100, false, "############");
	assert_bar(50, 100, false, "######");
	assert_bar(100, 100, true, "████████████");
	assert_bar(50, 100, true, "██████");
	assert_bar(1, 12, true, "█");
	assert_bar(1, 24, true, "▌");
	assert_bar(1, 96, true, "▏");
	assert_bar(7, 96, true, "▉");
}

static void test_bar_ends(void **state)
{
	/* a non-zero value is visible, and no bar exceeds the maximum */
	assert_bar(1, 1e12, false, "#");
	assert_bar(1, 1e12, true, "▏");
	assert_bar(200, 100, false, "############");
	assert_bar(200, 100, true, "████████████");
	assert_bar(5, 0, false, "#");
	assert_bar(0, 0, true, "");
	assert_bar(-1, 10, true, "");
}

#define IMBALANCE(...)                                  \
	steer_imbalance((const __u64[]){ __VA_ARGS__ }, \
			sizeof((const __u64[]){ __VA_ARGS__ }) / sizeof(__u64))

static void test_imbalance(void **state)
{
	assert_true(IMBALANCE(10, 10, 10) == 1);
	assert_true(IMBALANCE(30, 0, 0) == 3);
	assert_true(IMBALANCE(54, 39, 27) == 1.35);
	assert_true(IMBALANCE(7) == 1);
	assert_true(IMBALANCE(0, 0) == 0);
	assert_true(steer_imbalance(NULL, 0) == 0);
	/* the sum exceeds 64 bits */
	assert_true(IMBALANCE(UINT64_MAX, UINT64_MAX, UINT64_MAX) == 1);
}

static void test_queue(void **state)
{
	assert_int_equal(steer_queue_usage(0, 212992), 0);
	assert_int_equal(steer_queue_usage(106496, 212992), 50);
	assert_int_equal(steer_queue_usage(300000, 212992), 100);
	assert_int_equal(steer_queue_usage(UINT32_MAX, UINT32_MAX), 100);
	assert_int_equal(steer_queue_usage(5, 0), 0);
	assert_true(steer_queue_is_full(700, 800));
	assert_false(steer_queue_is_full(699, 800));
	assert_true(steer_queue_is_full(UINT32_MAX, UINT32_MAX));
	assert_false(steer_queue_is_full(0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bar),
		cmocka_unit_test(test_bar_ends),
		cmocka_unit_test(test_imbalance),
		cmocka_unit_test(test_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
