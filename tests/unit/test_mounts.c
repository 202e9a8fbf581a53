// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds cgroup2 in mountinfo files of different hosts and containers. */
#include "kernel/mounts.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PURE                                                                      \
	"24 30 0:22 / /proc rw,nosuid shared:13 - proc proc rw\n"                 \
	"26 23 0:24 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - " \
	"cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
#define HYBRID                                                                            \
	"33 24 0:28 / /sys/fs/cgroup ro,nosuid shared:8 - tmpfs tmpfs ro,mode=755\n"      \
	"34 33 0:29 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n" \
	"35 33 0:30 / /sys/fs/cgroup/cpu rw,relatime shared:10 - cgroup cgroup rw,cpu\n"
#define LEGACY                                                                       \
	"33 24 0:28 / /sys/fs/cgroup ro,nosuid shared:8 - tmpfs tmpfs ro,mode=755\n" \
	"35 33 0:30 / /sys/fs/cgroup/cpu rw,relatime shared:10 - cgroup cgroup rw,cpu\n"
#define SUBTREE "500 499 0:24 /docker/4f2a /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"

static FILE *text_file(const char *text)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");

	assert_non_null(file);
	return file;
}

static int find(const char *mountinfo, char *path, size_t size)
{
	FILE *file = text_file(mountinfo);
	int result = mounts_find_cgroup2(file, path, size);

	fclose(file);
	return result;
}

static void assert_found(const char *mountinfo, const char *expected)
{
	char path[64] = "untouched";

	assert_int_equal(find(mountinfo, path, sizeof(path)), 0);
	assert_string_equal(path, expected);
}

static void assert_none(const char *mountinfo)
{
	char path[64] = "untouched";

	assert_int_equal(find(mountinfo, path, sizeof(path)), -ENOENT);
	assert_string_equal(path, "untouched");
}

static void test_pure(void **state)
{
	assert_found(PURE, "/sys/fs/cgroup");
}

static void test_hybrid(void **state)
{
	assert_found(HYBRID, "/sys/fs/cgroup/unified");
}

static void test_none(void **state)
{
	assert_none(LEGACY);
	assert_none("24 30 0:22 / /proc rw - proc proc rw\n");
}

/* Only the file system type matters, not the word cgroup2 in a name, source or option. */
static void test_type_alone_counts(void **state)
{
	assert_none("36 24 0:31 / /mnt/cgroup2 rw - tmpfs cgroup2 rw,cgroup2\n"
		    "37 24 0:31 / /mnt/x rw - cgroup cgroup2 rw\n");
}

static void test_subtree(void **state)
{
	assert_found(SUBTREE, "/sys/fs/cgroup");
}

static void test_root_before_subtree(void **state)
{
	assert_found("500 499 0:24 /docker/4f2a /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
		     "501 499 0:24 / /host/cgroup ro - cgroup2 cgroup rw\n",
		     "/host/cgroup");
	assert_found("501 499 0:24 / /host/cgroup ro - cgroup2 cgroup rw\n"
		     "500 499 0:24 /docker/4f2a /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
		     "/host/cgroup");
}

static void test_first_of_equals(void **state)
{
	assert_found("500 499 0:24 / /a rw - cgroup2 cgroup rw\n"
		     "501 499 0:24 / /b rw - cgroup2 cgroup rw\n",
		     "/a");
	assert_found("500 499 0:24 /x /a rw - cgroup2 cgroup rw\n"
		     "501 499 0:24 /y /b rw - cgroup2 cgroup rw\n",
		     "/a");
}

/* Any number of optional fields precedes the hyphen. */
static void test_optional_fields(void **state)
{
	assert_found("26 23 0:24 / /cg rw - cgroup2 none rw\n", "/cg");
	assert_found("26 23 0:24 / /cg rw shared:1 master:2 propagate_from:3 - cgroup2 none rw\n",
		     "/cg");
}

static void test_escapes(void **state)
{
	assert_found("26 23 0:24 / /mnt/my\\040cg\\134x\\011y\\012z rw - cgroup2 none rw\n",
		     "/mnt/my cg\\x\ty\nz");
	assert_found("26 23 0:24 / /a\\- rw - cgroup2 none rw\n", "/a\\-");
	assert_found("26 23 0:24 / /a\\0409 rw - cgroup2 none rw\n", "/a 9");
}

/* Must not read past the end of a truncated escape, although the kernel writes none. */
static void test_cut_escapes(void **state)
{
	assert_found("26 23 0:24 / /a\\ rw - cgroup2 none rw\n", "/a\\");
	assert_found("26 23 0:24 / /a\\0 rw - cgroup2 none rw\n", "/a\\0");
	assert_found("26 23 0:24 / /a\\04 rw - cgroup2 none rw\n", "/a\\04");
	assert_found("26 23 0:24 / /a\\-40 rw - cgroup2 none rw\n", "/a\\-40");
}

static void test_cut_lines(void **state)
{
	assert_none("\n");
	assert_none(" - cgroup2 \n");
	assert_none("26 23 0:24 - cgroup2 none rw");
	assert_found("garbage\n\n" PURE, "/sys/fs/cgroup");
	assert_found("26 23 0:24 / /cg rw - cgroup2 none rw", "/cg"); /* no newline */
}

static void test_small_buffer(void **state)
{
	char path[8] = "before";

	assert_int_equal(find(PURE, path, sizeof(path)), -ENOENT);
	assert_string_equal(path, "before");
	assert_int_equal(find("26 23 0:24 / /1234567 rw - cgroup2 none rw\n", path, 8), -ENOENT);
	assert_int_equal(find("26 23 0:24 / /123456 rw - cgroup2 none rw\n", path, 8), 0);
	assert_string_equal(path, "/123456");
}

/* If a later root does not fit, keeps the earlier subtree. */
static void test_small_buffer_keeps_what_fits(void **state)
{
	char path[8];

	assert_int_equal(find("500 499 0:24 /x /cg rw - cgroup2 cgroup rw\n"
			      "501 499 0:24 / /host/cgroup rw - cgroup2 cgroup rw\n",
			      path, sizeof(path)),
			 0);
	assert_string_equal(path, "/cg");
}

static bool has_cgroup1(const char *mountinfo)
{
	FILE *file = text_file(mountinfo);
	bool has = mounts_have_cgroup1(file);

	fclose(file);
	return has;
}

static void test_layouts(void **state)
{
	assert_false(has_cgroup1(PURE));
	assert_false(has_cgroup1(SUBTREE));
	assert_true(has_cgroup1(HYBRID));
	assert_true(has_cgroup1(LEGACY));
}

static void test_kinds_of_directories(void **state)
{
	assert_int_equal(mounts_is_cgroup2("/proc"), 0);
	assert_int_equal(mounts_is_bpffs("/proc"), 0);
	assert_int_equal(mounts_is_cgroup2("/nonexistent"), -ENOENT);
	assert_int_equal(mounts_is_bpffs("/nonexistent"), -ENOENT);
	assert_int_equal(mounts_is_bpffs("/proc/self/status/x"), -ENOTDIR);
	/* /proc's root inode is also 1, so the file system type must be checked */
	assert_false(mounts_is_cgroup2_root("/proc"));
	assert_false(mounts_is_cgroup2_root("/nonexistent"));
}

/* Both functions must return the same result on any host. */
static void test_this_host(void **state)
{
	char path[PATH_MAX];
	int result = mounts_cgroup2(path, sizeof(path));

	if (result)
		assert_int_equal(result, -ENOENT);
	else
		assert_int_equal(mounts_is_cgroup2(path), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pure),
		cmocka_unit_test(test_hybrid),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_type_alone_counts),
		cmocka_unit_test(test_subtree),
		cmocka_unit_test(test_root_before_subtree),
		cmocka_unit_test(test_first_of_equals),
		cmocka_unit_test(test_optional_fields),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_cut_escapes),
		cmocka_unit_test(test_cut_lines),
		cmocka_unit_test(test_small_buffer),
		cmocka_unit_test(test_small_buffer_keeps_what_fits),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_kinds_of_directories),
		cmocka_unit_test(test_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
