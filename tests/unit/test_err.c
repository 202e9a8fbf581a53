// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The exit status of an error: missing permissions and limits do not mean that the kernel lacks a
 * feature.
 */
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static struct err err;

static void assert_code(enum exit_code code, int error, enum exit_code expected)
{
	assert_int_equal(err_set(&err, code, error, "it"), -error);
	assert_int_equal(err.code, expected);
	assert_string_equal(err.what, "it");
}

static void test_permission(void **state)
{
	assert_code(EXIT_ERROR, EPERM, EXIT_PERMISSION);
	assert_code(EXIT_LACKING, EACCES, EXIT_PERMISSION);
	assert_code(EXIT_CONFLICT, EPERM, EXIT_CONFLICT);
	assert_string_equal(err.hint, "");
}

static void test_limits(void **state)
{
	static const int limits[] = { EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC, EAGAIN, EINTR };
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		assert_code(EXIT_LACKING, limits[i], EXIT_ERROR);
		assert_int_equal(err_kernel(&err, limits[i], "lacks", "it"), -limits[i]);
		assert_int_equal(err.code, EXIT_ERROR);
		assert_string_not_equal(err.hint, "lacks");
	}
	assert_code(EXIT_LACKING, EMFILE, EXIT_ERROR);
	assert_string_not_equal(err.hint, "");
	assert_code(EXIT_USAGE, ENOMEM, EXIT_USAGE);
}

static void test_what_the_kernel_lacks(void **state)
{
	assert_code(EXIT_LACKING, EINVAL, EXIT_LACKING);
	assert_code(EXIT_ERROR, ENOENT, EXIT_ERROR);
	assert_int_equal(err_kernel(&err, EOPNOTSUPP, "lacks", "it"), -EOPNOTSUPP);
	assert_int_equal(err.code, EXIT_LACKING);
	assert_string_equal(err.hint, "lacks");
	assert_int_equal(err_kernel(&err, EPERM, "lacks", "it"), -EPERM);
	assert_int_equal(err.code, EXIT_PERMISSION);
	assert_string_equal(err.hint, "lacks");
}

/* The reason comes last, so a path that is too long is shortened in the middle. */
static void test_long_message(void **state)
{
	char path[4096];
	size_t length;

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (length = sizeof(err.what) - 8; length < sizeof(err.what) + 8; length++) {
		err_set(&err, EXIT_ERROR, ENOENT, "dir %.*s: reason", (int)length, path);
		assert_memory_equal(err.what, "dir xxx", 7);
		assert_string_equal(err.what + strlen(err.what) - 11, "xxx: reason");
		assert_true(strlen(err.what) < sizeof(err.what));
	}
	assert_non_null(strstr(err.what, "x...x"));
	assert_int_equal(strlen(err.what), sizeof(err.what) - 1);
	err_set(&err, EXIT_ERROR, ENOENT, "dir %s", "short");
	assert_string_equal(err.what, "dir short");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permission),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_what_the_kernel_lacks),
		cmocka_unit_test(test_long_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
