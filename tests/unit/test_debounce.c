// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Debouncing: the handler runs after a burst, at most `bound` late, and for a limited share of the
 * time.
 */
#include "base/debounce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define QUIET 100
#define BOUND 1000

static struct debounce fresh(void)
{
	return (struct debounce){ .quiet_us = QUIET, .bound_us = BOUND };
}

static void test_one(void **state)
{
	struct debounce debounce = fresh();

	debounce_event(&debounce, 5000);
	assert_true(debounce.pending);
	assert_int_equal(debounce.due_us, 5000 + QUIET);
}

static void test_burst_is_coalesced(void **state)
{
	struct debounce debounce = fresh();

	debounce_event(&debounce, 5000);
	debounce_event(&debounce, 5090);
	debounce_event(&debounce, 5180);
	assert_int_equal(debounce.due_us, 5180 + QUIET);
}

static void test_endless_burst(void **state)
{
	struct debounce debounce = fresh();
	uint64_t now;

	for (now = 5000; now < 20000; now += 10)
		debounce_event(&debounce, now);
	assert_int_equal(debounce.due_us, 5000 + BOUND);
}

static void test_run_restarts(void **state)
{
	struct debounce debounce = fresh();

	debounce_event(&debounce, 5000);
	debounce_ran(&debounce, 5100, 5101);
	assert_false(debounce.pending);
	debounce_event(&debounce, 9000);
	assert_int_equal(debounce.due_us, 9000 + QUIET);
}

/* After a run of 0.5 s, the next run starts at least 4.5 s later. */
static void test_rest_after_a_long_run(void **state)
{
	struct debounce debounce = fresh();

	debounce_event(&debounce, 5000);
	debounce_ran(&debounce, 10000, 10500);
	debounce_event(&debounce, 10600);
	assert_int_equal(debounce.due_us, 10500 + 4500);
	debounce_event(&debounce, 14990);
	assert_int_equal(debounce.due_us, 10500 + 4500);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_burst_is_coalesced),
		cmocka_unit_test(test_endless_burst),
		cmocka_unit_test(test_run_restarts),
		cmocka_unit_test(test_rest_after_a_long_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
