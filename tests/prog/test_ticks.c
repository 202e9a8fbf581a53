// SPDX-License-Identifier: GPL-2.0-or-later
/* The tick counter advances with CLOCK_MONOTONIC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kernel/ticks.h"
#include "lab.h"

#include <sluice/flow.h>

static __u64 monotonic_ns(void)
{
	return clock_now_ns(CLOCK_MONOTONIC);
}

static void test_length(void **state)
{
	/* CONFIG_HZ is from 100 to 1000, or 24 to 1200 on other architectures */
	assert_in_range(ticks_length_ns(), 1000000000 / 1200, 1000000000 / 24);
}

/*
 * Each reading is between two readings of CLOCK_MONOTONIC, so a busy machine only widens the
 * bounds.
 */
static void test_advances(void **state)
{
	__u64 before[2], after[2];
	/* two ticks, plus one unit for rounding */
	__u64 slack = 2 * ticks_length_ns() + (1 << SLUICE_FLOW_CLOCK_SHIFT), passed;
	__u32 now[2];
	int i;

	for (i = 0; i < 2; i++) {
		before[i] = monotonic_ns();
		assert_int_equal(ticks_clock(&now[i]), 0);
		after[i] = monotonic_ns();
		usleep(300000);
	}
	passed = (__u64)(now[1] - now[0]) << SLUICE_FLOW_CLOCK_SHIFT;
	assert_in_range(passed, before[1] - after[0] - slack, after[1] - before[0] + slack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_advances),
	};

	if (geteuid()) {
		fprintf(stderr, "needs root\n");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
