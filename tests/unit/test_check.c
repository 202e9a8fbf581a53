// SPDX-License-Identifier: GPL-2.0-or-later
/* Findings and verdicts that hold on any host and with any privileges. */
#include "host/check.h"
#include "kernel/caps.h"
#include "steer/needs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/capability.h>

#include <cmocka.h>

#define REPLY (1U << CHECK_REPLY)
#define STEER (1U << CHECK_STEER)

static struct check_report report;

static void run(unsigned int objects, const char *bpffs, const char *cgroup)
{
	struct check_settings settings = { .objects = objects, .bpffs = bpffs, .cgroup = cgroup };

	check_run(&settings, &report);
}

static const struct check_finding *finding(const char *name)
{
	size_t i;

	for (i = 0; i < report.count; i++)
		if (!strcmp(report.finding[i].name, name))
			return &report.finding[i];
	return NULL;
}

static void test_only_requested(void **state)
{
	size_t i;

	run(STEER, "/sys/fs/bpf/sluice", NULL);
	assert_true(report.verdict[CHECK_STEER].asked);
	assert_false(report.verdict[CHECK_REPLY].asked);
	assert_null(finding("cgroup/sendmsg4"));
	assert_non_null(finding("pidfd_getfd"));
	for (i = 0; i < report.count; i++)
		assert_true(!strcmp(report.finding[i].object, "steer") ||
			    !strcmp(report.finding[i].object, "host"));
}

static void test_each_line_is_complete(void **state)
{
	size_t i;

	run(REPLY | STEER, "/sys/fs/bpf/sluice", NULL);
	assert_true(report.count > 20);
	for (i = 0; i < report.count; i++) {
		const struct check_finding *f = &report.finding[i];

		assert_true(f->object[0] && f->name[0] && f->reason[0]);
		assert_int_equal(f->result == CHECK_OK, !f->hint[0]);
		assert_true(!f->unknown || f->permission);
		assert_true(!f->permission || f->result != CHECK_OK);
	}
}

/* A requirement of only one of two objects: one line and two verdicts. */
static void test_no_cgroup(void **state)
{
	const struct check_finding *cgroup;

	run(REPLY | STEER, "/sys/fs/bpf/sluice", "/proc");
	cgroup = finding("cgroup2");
	assert_int_equal(cgroup->result, CHECK_FAIL);
	assert_false(cgroup->permission);
	assert_non_null(strstr(cgroup->reason, "/proc"));
	assert_int_equal(report.verdict[CHECK_REPLY].state, CHECK_MISSING);
	assert_false(report.verdict[CHECK_REPLY].permission);
	assert_non_null(strstr(report.verdict[CHECK_REPLY].missing, "cgroup2"));
	assert_null(strstr(report.verdict[CHECK_STEER].missing, "cgroup2"));
	assert_true(report.verdict[CHECK_STEER].fallbacks >= 1);
}

static void test_optional_alone_is_a_warning(void **state)
{
	const struct check_finding *cgroup;

	run(STEER, "/sys/fs/bpf/sluice", "/proc");
	cgroup = finding("cgroup2");
	assert_int_equal(cgroup->result, CHECK_WARN);
	assert_non_null(strstr(cgroup->reason, "instead: "));
	assert_int_not_equal(report.verdict[CHECK_STEER].state, CHECK_READY);
}

static void test_no_bpffs(void **state)
{
	const struct check_finding *bpffs;

	run(REPLY, "/proc/self/none/such", NULL);
	bpffs = finding("bpffs");
	assert_int_equal(bpffs->result, CHECK_FAIL);
	assert_non_null(strstr(bpffs->reason, "no bpffs here (/proc/self is"));
	assert_non_null(strstr(report.verdict[CHECK_REPLY].missing, "bpffs"));
	run(REPLY, "none/such", NULL);
	assert_int_equal(finding("bpffs")->result, CHECK_FAIL);
}

/* Without CAP_BPF several lines have the same fallback; the verdict counts it once. */
static void test_fallbacks_are_counted_once(void **state)
{
	static const cap_value_t dropped[] = { CAP_BPF, CAP_SYS_ADMIN };
	cap_t before = cap_get_proc(), without = cap_dup(before);
	const struct check_verdict *verdict = &report.verdict[CHECK_STEER];
	int i, lines = 0, counted = 0;

	cap_set_flag(without, CAP_EFFECTIVE, 2, dropped, CAP_CLEAR);
	assert_int_equal(cap_set_proc(without), 0);
	run(STEER, "/sys/fs/bpf/sluice", "/proc");
	assert_int_equal(cap_set_proc(before), 0);
	cap_free(without);
	cap_free(before);
	for (i = 0; i < (int)report.count; i++)
		lines += strstr(report.finding[i].reason, STEER_SWEEP_FALLBACK) != NULL;
	for (i = 0; i < verdict->fallbacks; i++)
		counted += !strcmp(verdict->fallback[i], STEER_SWEEP_FALLBACK);
	assert_true(lines >= 4); /* cgroup2, post_bind4 and 6, the ring buffer */
	assert_int_equal(counted, 1);
}

/* Compares with the actual capabilities of this process. */
static void test_capabilities(void **state)
{
	static const int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };
	char name[CAPS_NAME_MAX];
	size_t i;

	run(REPLY, "/sys/fs/bpf/sluice", NULL);
	for (i = 0; i < sizeof(caps) / sizeof(*caps); i++) {
		bool have = caps_have(caps[i]);

		caps_name(caps[i], name);
		assert_int_equal(finding(name)->result, have ? CHECK_OK : CHECK_FAIL);
		assert_int_equal(!strstr(report.verdict[CHECK_REPLY].missing, name), have);
	}
	assert_int_equal(finding("bpf_probe_read_kernel")->unknown,
			 !caps_have(CAP_BPF) || !caps_have(CAP_NET_ADMIN) ||
				 !caps_have(CAP_PERFMON));
}

static void test_capabilities_by_name(void **state)
{
	static const int none[] = { 0 };
	struct err err = { .what = "untouched" };
	char name[CAPS_NAME_MAX];

	assert_string_equal(caps_name(CAP_NET_ADMIN, name), "CAP_NET_ADMIN");
	assert_string_equal(caps_name(CAP_BPF, name), "CAP_BPF");
	assert_int_equal(caps_require("nothing", none, 0, &err), 0);
	assert_string_equal(err.what, "untouched");
}

/* Uses capability numbers that no kernel has assigned yet, so that no process has them. */
static void test_missing_capabilities_are_listed(void **state)
{
	static const int caps[] = { 61, 62, 63 };
	struct err err;

	assert_int_equal(caps_require("reply load", caps, 1, &err), -EPERM);
	assert_int_equal(err.code, EXIT_PERMISSION);
	assert_string_equal(err.what, "reply load needs 61, which this process lacks");
	assert_true(err.hint[0]);
	assert_int_equal(caps_require("reply load", caps, 2, &err), -EPERM);
	assert_string_equal(err.what, "reply load needs 61 and 62, which this process lacks");
	assert_int_equal(caps_require("reply load", caps, 3, &err), -EPERM);
	assert_string_equal(err.what, "reply load needs 61, 62 and 63, which this process lacks");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_requested),
		cmocka_unit_test(test_each_line_is_complete),
		cmocka_unit_test(test_no_cgroup),
		cmocka_unit_test(test_optional_alone_is_a_warning),
		cmocka_unit_test(test_no_bpffs),
		cmocka_unit_test(test_fallbacks_are_counted_once),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_capabilities_by_name),
		cmocka_unit_test(test_missing_capabilities_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
