// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk over the sockets of processes returns the same group id for a socket before and after
 * the kernel reallocates the group's record, which it does at 129 sockets: otherwise a concurrent
 * walk would find two groups instead of one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/sockets.h"
#include "lab.h"

#include <unistd.h>

#define PORT 5300
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_group_that_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
