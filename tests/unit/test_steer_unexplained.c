// SPDX-License-Identifier: GPL-2.0-or-later
/* Counts the datagrams that no counter explains. */
#include "steer/unexplained.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_unexplained(struct steer_balance balance, __u64 errors, __u64 vanished)
{
	struct steer_unexplained unexplained = steer_unexplained(&balance);

	assert_int_equal(unexplained.errors, errors);
	assert_int_equal(unexplained.vanished, vanished);
}

static void test_unexplained(void **state)
{
	/* no loss, and additional traffic on other ports */
	assert_unexplained((struct steer_balance){ .seen = 100, .read = 100 }, 0, 0);
	assert_unexplained((struct steer_balance){ .seen = 100, .read = 150 }, 0, 0);
	/* refused by full queues: accounted for */
	assert_unexplained(
		(struct steer_balance){ .seen = 100, .read = 90, .errors = 10, .drops = 10 }, 0, 0);
	/* queued, or freed with the queue */
	assert_unexplained(
		(struct steer_balance){ .seen = 100, .read = 60, .errors = 10, .drops = 10 }, 0,
		30);
	/* errors at other sockets */
	assert_unexplained(
		(struct steer_balance){ .seen = 100, .read = 100, .errors = 12, .drops = 5 }, 7, 0);
	/* dropped for a bad checksum before the socket lookup */
	assert_unexplained(
		(struct steer_balance){ .seen = 100, .read = 100, .errors = 3, .checksum = 3 }, 0,
		0);
	/* drops between the two counter readings */
	assert_unexplained(
		(struct steer_balance){ .seen = 100, .read = 90, .errors = 10, .drops = 12 }, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_unexplained) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
