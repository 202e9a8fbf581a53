// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reinjects the datagrams in a socket's queue: each is sent once and only to its destination,
 * within a bounded time, even if it returns to the same queue.
 *
 *	client 192.0.2.1 ── lo ── group of sockets on port 5300
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"
#include "steer/reinject.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#define PORT  5300
#define COUNT 10
#define GROUP "239.1.2.3"

static int client = -1, server = -1, other = -1;

static int server_open(void)
{
	struct lab_end end = lab_end("0.0.0.0", PORT);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	lab_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	assert_return_code(bind(fd, &end.any, end.size), errno);
	return fd;
}

static int start(void **state)
{
	lab_net();
	client = lab_socket(NEAR4, 0);
	server = server_open();
	return 0;
}

static int end(void **state)
{
	close(client);
	close(server);
	if (other >= 0)
		close(other);
	other = -1;
	return 0;
}

static void request_all(const char *addr)
{
	int i;

	for (i = 0; i < COUNT; i++)
		lab_request(client, addr, PORT);
}

static int received(int fd)
{
	char byte;
	int count = 0;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
		count++;
	return count;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	assert_return_code(getsockopt(fd, level, name, &value, &size), errno);
	return value;
}

/* The first socket stays in the group, but the kernel prefers the one bound to the address. */
static void test_moves(void **state)
{
	struct reinjected reinjected = { 0 };
	struct lab_end exact = lab_end(FAR4, PORT);

	request_all(FAR4);
	other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lab_option(other, SOL_SOCKET, SO_REUSEPORT, 1);
	assert_return_code(bind(other, &exact.any, exact.size), errno);
	assert_int_equal(reinject(server, PORT, &reinjected), 0);
	assert_int_equal(reinjected.moved, COUNT);
	assert_int_equal(reinjected.lost, 0);
	assert_int_equal(received(other), COUNT);
	assert_int_equal(option(server, SOL_IP, IP_PKTINFO), 0);
}

/* Without another socket, datagrams return to the same queue and must not loop forever. */
static void test_comes_back(void **state)
{
	struct reinjected reinjected = { 0 };

	request_all(FAR4);
	assert_int_equal(reinject(server, PORT, &reinjected), -ELOOP);
	assert_int_equal(reinjected.lost, 0);
	assert_int_equal(received(server), COUNT);
}

/* Does not reinject multicast: all members have received a copy. */
static void test_multicast_is_not_sent_again(void **state)
{
	struct ip_mreqn member = { .imr_multiaddr.s_addr = inet_addr(GROUP),
				   .imr_address.s_addr = inet_addr(NEAR4) };
	struct reinjected reinjected = { 0 };

	other = server_open();
	assert_return_code(setsockopt(client, SOL_IP, IP_MULTICAST_IF, &member, sizeof(member)),
			   errno);
	assert_return_code(setsockopt(server, SOL_IP, IP_ADD_MEMBERSHIP, &member, sizeof(member)),
			   errno);
	assert_return_code(setsockopt(other, SOL_IP, IP_ADD_MEMBERSHIP, &member, sizeof(member)),
			   errno);
	request_all(GROUP);
	assert_int_equal(received(other), COUNT);
	assert_int_equal(reinject(server, PORT, &reinjected), 0);
	assert_int_equal(reinjected.moved, 0);
	assert_int_equal(reinjected.lost, 0);
	assert_int_equal(received(other), 0);
	assert_int_equal(received(server), 0);
}

/* An answer of the server had hit a closed port: IP_RECVERR reports that before the datagrams. */
static void test_pending_error(void **state)
{
	struct reinjected reinjected = { 0 };
	struct lab_end closed = lab_end(NEAR4, 9);
	struct lab_end exact = lab_end(FAR4, PORT);

	lab_option(server, SOL_IP, IP_RECVERR, 1);
	request_all(FAR4);
	other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lab_option(other, SOL_SOCKET, SO_REUSEPORT, 1);
	assert_return_code(bind(other, &exact.any, exact.size), errno);
	lab_send(server, &closed, 1);
	assert_int_equal(reinject(server, PORT, &reinjected), 0);
	assert_int_equal(reinjected.moved, COUNT);
	assert_int_equal(reinjected.lost, 0);
	assert_int_equal(received(other), COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_moves, start, end),
		cmocka_unit_test_setup_teardown(test_comes_back, start, end),
		cmocka_unit_test_setup_teardown(test_multicast_is_not_sent_again, start, end),
		cmocka_unit_test_setup_teardown(test_pending_error, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
