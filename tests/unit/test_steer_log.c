// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon's log of steering: a failure is logged once, until it has cleared. */
#include "base/log.h"
#include "daemon/steer_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct steer_log steer_log;
static FILE *lines;
static int stderr_fd;

/* Redirects stderr to a file. */
static int setup(void **state)
{
	log_logfmt(LOG_LEVEL_INFO);
	steer_log = (struct steer_log){ 0 };
	lines = tmpfile();
	if (!lines)
		return -1;
	stderr_fd = dup(STDERR_FILENO);
	return dup2(fileno(lines), STDERR_FILENO) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	fclose(lines);
	return 0;
}

static int count(const char *text)
{
	char line[4096];
	int found = 0;

	rewind(lines);
	while (fgets(line, sizeof(line), lines))
		found += !!strstr(line, text);
	return found;
}

static void report(enum steer_event_type event, __u32 pid, const char *why)
{
	const struct sluice_steer_group group = { .port = 53, .netns = 7 };
	const struct sluice_steer_slot slot = { .pid = pid, .comm = "named" };
	const struct steer_event logged = {
		.type = event, .group = &group, .slot = &slot, .prog_id = 5, .why = why
	};

	steer_log_event(&logged, &steer_log);
}

static void test_trouble_once(void **state)
{
	int sweeps;

	for (sweeps = 0; sweeps < 5; sweeps++) {
		steer_log_begin(&steer_log, 0);
		report(STEER_GROUP_FOREIGN, 11, NULL);
		report(STEER_SOCKET_FAILED, 12, "not permitted");
		steer_log_end(&steer_log, true);
	}
	assert_int_equal(count("group-foreign"), 1);
	assert_int_equal(count("socket-failed"), 1);
	assert_int_equal(count("level=warning"), 2);
	assert_int_equal(count("pid=12 reason=\"not permitted\""), 1);
}

/* A failure that was absent in one sweep is logged again; a failed sweep does not count. */
static void test_trouble_again(void **state)
{
	static const bool there[] = { true, false, true }, complete[] = { true, false, true };
	int i;

	for (i = 0; i < 3; i++) {
		steer_log_begin(&steer_log, 0);
		if (there[i])
			report(STEER_GROUP_FOREIGN, 11, NULL);
		steer_log_end(&steer_log, complete[i]);
	}
	assert_int_equal(count("group-foreign"), 1);
	steer_log_begin(&steer_log, 0);
	steer_log_end(&steer_log, true);
	steer_log_begin(&steer_log, 0);
	report(STEER_GROUP_FOREIGN, 11, NULL);
	steer_log_end(&steer_log, true);
	assert_int_equal(count("group-foreign"), 2);
}

static void test_groups(void **state)
{
	steer_log_begin(&steer_log, 0);
	report(STEER_GROUP_KEPT, 0, NULL);
	report(STEER_GROUP_ATTACHED, 0, NULL);
	report(STEER_GROUP_CHANGED, 0, NULL);
	report(STEER_GROUP_GONE, 0, NULL);
	steer_log_end(&steer_log, true);
	assert_int_equal(steer_log.groups, 3);
	assert_int_equal(count("group-kept"), 0);
	steer_log_begin(&steer_log, 0);
	steer_log_end(&steer_log, false);
	assert_int_equal(steer_log.groups, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_trouble_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trouble_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_groups, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
