// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Quotas of the steered groups: the host's namespace may use all groups; another namespace gets
 * half of the part for other namespaces. Even if many namespaces request all groups, the next
 * namespace gets some, and the host gets a quarter.
 */
#include "steer/group/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HOST 1u

static struct quotas quotas;

static int start(void **state)
{
	quotas = (struct quotas){ .host = HOST };
	return 0;
}

static int end(void **state)
{
	quota_free(&quotas);
	return 0;
}

/* Requests @groups groups for a namespace. Returns the number granted. */
static int want(__u32 netns, int groups)
{
	int got = 0;

	while (groups--)
		if (quota_allow(&quotas, netns)) {
			quota_add(&quotas, netns);
			got++;
		}
	return got;
}

static void test_host(void **state)
{
	assert_int_equal(want(HOST, 1000), STEER_GROUPS_MAX);
	assert_int_equal(quota_of(&quotas, HOST)->left_out, 1000 - STEER_GROUPS_MAX);
	assert_int_equal(want(2, 1), 0);
}

static void test_one_that_wants_all(void **state)
{
	assert_int_equal(want(2, 1000), 96);
	assert_int_equal(quota_of(&quotas, 2)->left_out, 904);
	assert_int_equal(want(3, 40), 40);
	assert_int_equal(want(HOST, 1000), STEER_GROUPS_MAX - 96 - 40);
}

static void test_together(void **state)
{
	int i;

	/* in turn, as in successive sweeps: each namespace gets a third, and a third is left */
	for (i = 0; i < 1000; i++) {
		want(2, 1);
		want(3, 1);
	}
	assert_int_equal(quota_of(&quotas, 2)->groups, 64);
	assert_int_equal(quota_of(&quotas, 3)->groups, 64);
	assert_int_equal(want(4, 1), 1);
}

static void test_many(void **state)
{
	__u32 netns;

	for (netns = 2; netns < 102; netns++)
		want(netns, 1000);
	assert_int_equal(quotas.groups, STEER_GROUPS_OTHERS);
	assert_int_equal(want(HOST, 1000), STEER_GROUPS_MAX - STEER_GROUPS_OTHERS);
}

/* Groups of the host beyond its quarter reduce the part of the other namespaces. */
static void test_large_host(void **state)
{
	assert_int_equal(want(2, 1000), 96);
	assert_int_equal(want(HOST, 150), 150);
	assert_int_equal(want(3, 1000), 5);
	assert_int_equal(quotas.groups, 251);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_host, start, end),
		cmocka_unit_test_setup_teardown(test_one_that_wants_all, start, end),
		cmocka_unit_test_setup_teardown(test_together, start, end),
		cmocka_unit_test_setup_teardown(test_many, start, end),
		cmocka_unit_test_setup_teardown(test_large_host, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
