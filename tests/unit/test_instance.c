// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which processes are one instance: a process and its forked children, but not children that call
 * execve(), even with the same program, as a supervisor may do.
 */
#include "steer/group/instance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAITS "waits"

/* Starts a process that writes to the returned pipe once it runs; child_end() kills it. */
static pid_t child_start(bool again)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_return_code(pipe(ready), errno);
	pid = fork();
	assert_return_code(pid, errno);
	if (!pid) {
		dup2(ready[1], STDOUT_FILENO);
		close(ready[0]);
		close(ready[1]);
		if (again)
			execl("/proc/self/exe", "test", WAITS, NULL);
		else if (write(STDOUT_FILENO, "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void child_end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static uint64_t instance(pid_t pid)
{
	return instance_of((uint32_t)pid, SLUICE_STEER_BY_PROCESS);
}

static void test_forked(void **state)
{
	pid_t pid = child_start(false);

	assert_int_not_equal(instance(getpid()), 0);
	assert_int_equal(instance(pid), instance(getpid()));
	assert_true(instance_is_below((uint32_t)pid, (uint32_t)getpid()));
	assert_false(instance_is_below((uint32_t)getpid(), (uint32_t)pid));
	child_end(pid);
}

static void test_executed(void **state)
{
	pid_t one = child_start(true), other = child_start(true);

	assert_int_not_equal(instance(one), instance(getpid()));
	assert_int_not_equal(instance(one), instance(other));
	child_end(one);
	child_end(other);
}

static void test_gone(void **state)
{
	pid_t pid = child_start(false);

	child_end(pid);
	assert_int_equal(instance(pid), 0);
	assert_false(instance_is_below((uint32_t)pid, (uint32_t)getpid()));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forked),
		cmocka_unit_test(test_executed),
		cmocka_unit_test(test_gone),
	};

	if (argc == 2 && !strcmp(argv[1], WAITS)) {
		if (write(STDOUT_FILENO, "x", 1) == 1)
			pause();
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
