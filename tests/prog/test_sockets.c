// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk over the sockets of processes must return the same group id before and after the kernel
 * reallocates the group (struct sock_reuseport), which happens at 129 sockets. Otherwise a
 * concurrent walk would find two groups instead of one. The walk returns only the sockets that pass
 * the filter, in the kernel's order, and the user of each socket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"
#include "process/sockets.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT 5300
#define USER 4321
#define ROOM 128 /* INIT_SOCKS in net/core/sock_reuseport.c */

static int server_open(unsigned int port)
{
	struct lab_end end = lab_end("0.0.0.0", port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	lab_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	assert_return_code(bind(fd, &end.any, end.size), errno);
	return fd;
}

static __u64 group_of(int fd)
{
	const struct sluice_socket_record *record;
	struct sockets *sockets;
	__u64 cookie = lab_cookie(fd), group;
	struct err err;

	assert_int_equal(sockets_read(&sockets, NULL, &err), 0);
	record = sockets_find(sockets, cookie);
	assert_non_null(record);
	group = record->group;
	sockets_free(sockets);
	return group;
}

static void test_group_that_grows(void **state)
{
	int servers[ROOM + 1], other, i;
	__u64 before;

	lab_net();
	for (i = 0; i < ROOM; i++)
		servers[i] = server_open(PORT);
	before = group_of(servers[0]);
	assert_int_not_equal(before, 0);
	servers[ROOM] = server_open(PORT);
	assert_int_equal(group_of(servers[0]), before);
	assert_int_equal(group_of(servers[ROOM]), before);
	other = server_open(PORT + 1);
	assert_int_not_equal(group_of(other), before);
	close(other);
	for (i = 0; i < ROOM + 1; i++)
		close(servers[i]);
}

/* Returns the number of sockets of this process that pass the filter. */
static size_t count(const struct sockets_filter *filter)
{
	const struct sluice_socket_record *record;
	struct sockets *sockets;
	size_t i, own = 0;
	struct err err;

	assert_int_equal(sockets_read(&sockets, filter, &err), 0);
	for (i = 0; (record = sockets_at(sockets, i)); i++)
		own += record->pid == (__u32)getpid();
	sockets_free(sockets);
	return own;
}

static void test_filter(void **state)
{
	struct sockets_filter filter = { 0 };
	int alone, first, second;
	struct lab_end end = lab_end("0.0.0.0", PORT + 2);
	struct stat netns;

	lab_net();
	alone = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_return_code(bind(alone, &end.any, end.size), errno);
	first = server_open(PORT);
	second = server_open(PORT + 1);
	assert_int_equal(count(NULL), 3);
	assert_int_equal(count(&filter), 0);
	filter.ports.bit[PORT / 64] |= 1ULL << PORT % 64;
	assert_int_equal(count(&filter), 1);
	filter.ports.any = true;
	assert_int_equal(count(&filter), 3);
	filter.groups = true;
	assert_int_equal(count(&filter), 2);
	assert_return_code(stat("/proc/thread-self/ns/net", &netns), errno);
	filter.netns = (__u32)netns.st_ino;
	assert_int_equal(count(&filter), 2);
	filter.netns++;
	assert_int_equal(count(&filter), 0);
	filter.netns = 0;
	filter.programs = true;
	assert_int_equal(count(&filter), 0);
	close(alone);
	close(first);
	close(second);
}

/* The last socket of a group moves to the position of a closed socket. */
static void test_order(void **state)
{
	const struct sockets_filter filter = { .groups = true, .ports.any = true };
	const struct sluice_socket_record *record;
	int servers[SLUICE_GROUP_MAX], i;
	struct sockets *sockets;
	struct rlimit files;
	struct err err;

	assert_return_code(getrlimit(RLIMIT_NOFILE, &files), errno);
	files.rlim_cur = files.rlim_max;
	assert_return_code(setrlimit(RLIMIT_NOFILE, &files), errno);
	lab_net();
	for (i = 0; i < SLUICE_GROUP_MAX; i++)
		servers[i] = server_open(PORT);
	close(servers[5]);
	servers[5] = servers[SLUICE_GROUP_MAX - 1];
	/* the kernel assigns the cookie of a socket at the first request */
	for (i = 0; i < SLUICE_GROUP_MAX - 1; i++)
		lab_cookie(servers[i]);
	assert_int_equal(sockets_read(&sockets, &filter, &err), 0);
	for (i = 0; i < SLUICE_GROUP_MAX - 1; i++) {
		record = sockets_find(sockets, lab_cookie(servers[i]));
		assert_non_null(record);
		assert_int_equal(record->group_index, i);
		close(servers[i]);
	}
	sockets_free(sockets);
}

/*
 * If two processes hold a socket, a process that runs another executable takes precedence. A
 * process that runs this executable may be a hanging child of sluice.
 */
static void test_holders(void **state)
{
	const struct sluice_socket_record *record;
	int fd, wait_for_exec[2];
	struct sockets *sockets;
	struct err err;
	__u64 cookie;
	pid_t other;
	char byte;

	lab_net();
	fd = server_open(PORT);
	cookie = lab_cookie(fd);
	assert_return_code(pipe2(wait_for_exec, O_CLOEXEC), errno);
	other = fork();
	assert_return_code(other, errno);
	if (!other) {
		fcntl(fd, F_SETFD, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("sleep", "sleep", "600", NULL);
		_exit(1);
	}
	close(wait_for_exec[1]);
	assert_int_equal(read(wait_for_exec[0], &byte, 1), 0);
	assert_int_equal(sockets_read(&sockets, NULL, &err), 0);
	record = sockets_find(sockets, cookie);
	assert_non_null(record);
	assert_int_equal(record->pid, other);
	record = sockets_next_holder(record);
	assert_non_null(record);
	assert_int_equal(record->pid, getpid());
	sockets_free(sockets);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	close(wait_for_exec[0]);
	close(fd);
}

/*
 * A socket of a process in a user namespace with its own id mapping belongs to the creator of the
 * namespace.
 */
static void test_user_namespace(void **state)
{
	const struct sockets_filter filter = { .ports.any = true };
	int ready[2], mapped[2], opened[2], map, i;
	uint32_t own_uid = 0;
	struct sockets *sockets;
	char byte = 0, path[64];
	struct err err;
	pid_t pid;

	lab_net();
	assert_return_code(pipe(ready) | pipe(mapped) | pipe(opened), errno);
	pid = fork();
	assert_return_code(pid, errno);
	if (!pid) {
		if (setresuid(USER, USER, USER) || prctl(PR_SET_DUMPABLE, 1) ||
		    unshare(CLONE_NEWUSER) || write(ready[1], "x", 1) != 1 ||
		    read(mapped[0], &byte, 1) != 1 || setresuid(0, 0, 0) || server_open(PORT) < 0 ||
		    write(opened[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	close(opened[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	map = open(path, O_WRONLY | O_CLOEXEC);
	assert_return_code(map, errno);
	assert_int_equal(write(map, "0 100000 1", 10), 10);
	close(map);
	assert_int_equal(write(mapped[1], "x", 1), 1);
	assert_int_equal(read(opened[0], &byte, 1), 1);
	assert_int_equal(sockets_read(&sockets, &filter, &err), 0);
	for (i = 0; sockets_at(sockets, i); i++)
		if (sockets_at(sockets, i)->pid == (uint32_t)pid)
			own_uid = sockets_at(sockets, i)->uid;
	sockets_free(sockets);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(own_uid, USER);
	close(ready[0]);
	close(ready[1]);
	close(mapped[0]);
	close(mapped[1]);
	close(opened[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_group_that_grows),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_user_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
