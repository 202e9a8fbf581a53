// SPDX-License-Identifier: GPL-2.0-or-later
/* TCP connections between two peers of this process, over the loopback interface. */
#include "meet/tcp/paths.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t test_now_us(void);

/* The real clock plus the time that the test has skipped. */
#define clock_now_us test_now_us
#include "../../user/meet/tcp/paths.c"
#undef clock_now_us

#define WAIT_US	   30000000ULL
#define STRANGERS  (TCP_PATHS_UNPROVED_MAX + 8)
#define MESSAGES   100
#define RECORD_MAX (TCP_STREAM_MESSAGE - RECORD_HEADER)

struct peer {
	struct tcp_paths *paths;
	struct stun_endpoint at; /* address at which the other peer reaches it */
	unsigned int received, connected, ended, sizes[MESSAGES];
	struct stun_endpoint from;
};

static struct loop *loop;
static struct peer peer[2];
static uint64_t passed_us;

static uint64_t test_now_us(void)
{
	return clock_now_us() + passed_us;
}

static void on_message(void *arg, const struct stun_endpoint *at, const uint8_t *data,
		       size_t length)
{
	struct peer *to = arg;

	assert_true(at->tcp);
	assert_in_range(length, 1, RECORD_MAX);
	assert_int_equal(data[0], data[length - 1]);
	if (to->received < MESSAGES)
		to->sizes[to->received] = (unsigned int)length;
	to->received++;
	to->from = *at;
}

static void on_connection(void *arg, const struct stun_endpoint *at)
{
	((struct peer *)arg)->connected++;
}

static void on_end(void *arg, const struct stun_endpoint *at)
{
	((struct peer *)arg)->ended++;
}

static void nothing(void *arg)
{
}

static int setup(void **state)
{
	struct tcp_paths_options options = { .received = on_message,
					     .connected = on_connection,
					     .ended = on_end,
					     .flush = nothing };
	unsigned int i;

	memset(peer, 0, sizeof(peer));
	passed_us = 0;
	assert_int_equal(loop_new(&loop), 0);
	options.loop = loop;
	for (i = 0; i < 2; i++) {
		options.arg = &peer[i];
		assert_int_equal(tcp_paths_open(&peer[i].paths, &options, false), 0);
		assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.1", &peer[i].at.addr), 1);
		peer[i].at.port_be = tcp_paths_port(peer[i].paths);
		peer[i].at.tcp = true;
	}
	assert_int_not_equal(peer[0].at.port_be, peer[1].at.port_be);
	return 0;
}

static int teardown(void **state)
{
	tcp_paths_close(peer[0].paths);
	tcp_paths_close(peer[1].paths);
	loop_free(loop);
	return 0;
}

/* Runs the loop until the value is reached. */
static void run_until(const unsigned int *value, unsigned int wanted)
{
	uint64_t end_us = clock_now_us() + WAIT_US;

	while (*value < wanted && clock_now_us() < end_us) {
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
		usleep(100);
	}
	assert_int_equal(*value, wanted);
}

/* Advances the clock by @seconds, for both peers. */
static void pass(unsigned int seconds)
{
	unsigned int i;

	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	passed_us += seconds * SECOND_US;
	for (i = 0; i < 2; i++)
		on_sweep(peer[i].paths);
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
}

static void send_to(unsigned int to, uint8_t byte, size_t length, size_t size)
{
	static uint8_t data[65536];

	memset(data, byte, length);
	tcp_paths_send(peer[!to].paths, &peer[to].at, data, length, size);
}

/*
 * One peer connects; a message goes in each direction. The first message, which starts the
 * connection, is lost.
 */
static void connect_both(void)
{
	unsigned int connected = peer[0].connected,
		     before[2] = { peer[0].received, peer[1].received };

	send_to(1, 0, 100, 100);
	run_until(&peer[0].connected, connected + 1);
	send_to(1, 0, 100, 100);
	run_until(&peer[1].received, before[1] + 1);
	assert_true(stun_endpoint_is_same(&peer[1].from, &peer[0].at));
	send_to(0, 0, 100, 100);
	run_until(&peer[0].received, before[0] + 1);
	assert_true(stun_endpoint_is_same(&peer[0].from, &peer[1].at));
}

static void prove(unsigned int side)
{
	tcp_paths_prove(peer[side].paths, &peer[!side].at, &peer[!side]);
}

static bool is_any(const struct connection *connection)
{
	return true;
}

static unsigned int connections(unsigned int side)
{
	return count(peer[side].paths, is_any);
}

static void run_until_closed(unsigned int side)
{
	uint64_t end_us = clock_now_us() + WAIT_US;

	while (connections(side) && clock_now_us() < end_us) {
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
		usleep(100);
	}
	assert_int_equal(connections(side), 0);
}

static void test_records(void **state)
{
	unsigned int i;

	connect_both();
	assert_int_equal(peer[1].connected, 0); /* it was accepted */
	peer[1].received = 0;
	send_to(1, 64, 5 * 1200 + 7, 1200);
	run_until(&peer[1].received, 6);
	for (i = 0; i < 6; i++)
		assert_int_equal(peer[1].sizes[i], i < 5 ? 1200 : 7);
}

/*
 * Both peers connect at the same time: the result is one connection, and neither listener has
 * another.
 */
static void test_both_connect(void **state)
{
	send_to(1, 0, 100, 100);
	send_to(0, 0, 100, 100);
	connect_both();
	assert_int_equal(connections(0), 1);
	assert_int_equal(connections(1), 1);
}

/* If a peer does not read, the queue stays within its bound and still has space for checks. */
static void test_full(void **state)
{
	struct connection *connection;
	unsigned int i;

	connect_both();
	connection = find(peer[0].paths, &peer[1].at);
	for (i = 0; i < 1000; i++)
		send_to(1, 64, 54 * 1200, 1200);
	assert_in_range(connection->stream.unsent, TCP_STREAM_UNSENT / 2,
			TCP_STREAM_UNSENT - TCP_STREAM_RESERVED);
	i = (unsigned int)connection->stream.unsent;
	send_to(1, 0, 100, 100);
	assert_int_equal(connection->stream.unsent, i + RECORD_HEADER + 100);
}

/* A connection without a proof is closed; the same ports connect again at once. */
static void test_unproved(void **state)
{
	connect_both();
	pass(TCP_PATHS_PROOF_S - 1);
	assert_int_equal(connections(0), 1);
	assert_int_equal(connections(1), 1);
	pass(2);
	assert_int_equal(connections(0), 0);
	assert_int_equal(connections(1), 0);
	assert_int_equal(peer[0].ended + peer[1].ended, 0);
	connect_both();
	prove(0);
	prove(1);
	pass(TCP_PATHS_PROOF_S + 1);
	assert_int_equal(connections(0), 1);
	assert_int_equal(connections(1), 1);
}

/* A proved connection expires when idle, unless it is held; both peers get its end reported. */
static void test_idle(void **state)
{
	connect_both();
	prove(0);
	prove(1);
	tcp_paths_hold(peer[0].paths, &peer[1].at, &peer[0]);
	tcp_paths_hold(peer[1].paths, &peer[0].at, &peer[1]);
	pass(10 * TCP_PATHS_IDLE_S);
	assert_int_equal(connections(0), 1);
	assert_int_equal(connections(1), 1);
	tcp_paths_release(peer[0].paths, &peer[1].at, &peer[0]);
	pass(TCP_PATHS_IDLE_S - 1);
	assert_int_equal(connections(0), 1);
	/* a received message defers the expiry */
	send_to(0, 0, 100, 100);
	run_until(&peer[0].received, 2);
	pass(2);
	assert_int_equal(connections(0), 1);
	pass(TCP_PATHS_IDLE_S);
	assert_int_equal(connections(0), 0);
	run_until(&peer[1].ended, 1);
	assert_int_equal(peer[0].ended, 1);
	assert_int_equal(connections(1), 0);
	connect_both();
}

/* A peer that names the address of another peer's connection does not release it. */
static void test_holder(void **state)
{
	struct tcp_paths *paths = peer[0].paths;
	const int other = 0;

	connect_both();
	prove(0);
	prove(1);
	tcp_paths_hold(peer[1].paths, &peer[0].at, &peer[1]);
	tcp_paths_hold(paths, &peer[1].at, &peer[0]);
	tcp_paths_release(paths, &peer[1].at, &other);
	tcp_paths_hold(paths, &peer[1].at, &other);
	tcp_paths_release(paths, &peer[1].at, &other);
	pass(TCP_PATHS_IDLE_S + 1);
	assert_int_equal(connections(0), 1);
	tcp_paths_release(paths, &peer[1].at, &peer[0]);
	pass(TCP_PATHS_IDLE_S + 1);
	assert_int_equal(connections(0), 0);
}

static int stranger(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = peer[1].at.port_be };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	/*
	 * accept each connection before the next connect, so that the accept queue does not
	 * overflow
	 */
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	return fd;
}

/* Unproved connections beyond the limit close the oldest unproved one, never a proved one. */
static void test_strangers(void **state)
{
	int fd[STRANGERS];
	unsigned int i;
	char byte;

	connect_both();
	prove(0);
	prove(1);
	for (i = 0; i < STRANGERS; i++)
		fd[i] = stranger();
	assert_int_equal(connections(1), 1 + TCP_PATHS_UNPROVED_MAX);
	assert_int_equal(recv(fd[0], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(recv(fd[STRANGERS - 1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	pass(TCP_PATHS_PROOF_S + 1);
	assert_int_equal(connections(1), 1);
	/* unproved connections have not received a byte */
	for (i = 0; i < STRANGERS; i++) {
		assert_true(recv(fd[i], &byte, 1, MSG_DONTWAIT) <= 0);
		close(fd[i]);
	}
	peer[1].received = 0;
	send_to(1, 0, 100, 100);
	run_until(&peer[1].received, 1);
}

/* Bytes that are not records end the connection. */
static void test_no_records(void **state)
{
	static const char *const bytes[] = { "GET / HTTP/1.0\r\n\r\n", "\xff\xff" };
	unsigned int i;
	char byte;
	int fd;

	for (i = 0; i < 2; i++) {
		fd = stranger();
		assert_int_equal(send(fd, bytes[i], strlen(bytes[i]), 0), strlen(bytes[i]));
		run_until_closed(1);
		assert_int_equal(recv(fd, &byte, 1, 0), -1);
		assert_int_equal(errno, ECONNRESET);
		close(fd);
	}
	assert_int_equal(peer[1].received, 0);
	fd = stranger();
	assert_int_equal(send(fd, "\0\0", 2, 0), 2);
	run_until_closed(1);
	close(fd);
}

/* A refused attempt has ended, and may be repeated. */
static void test_refused(void **state)
{
	unsigned int i;

	tcp_paths_close(peer[1].paths);
	peer[1].paths = NULL;
	for (i = 0; i < 3; i++) {
		send_to(1, 0, 100, 100);
		run_until_closed(0);
	}
	assert_int_equal(peer[0].connected + peer[0].ended, 0);
}

/* A listener with a full accept queue does not answer further SYNs. */
static int silent_listener(int filled[2], in_port_t *port_be)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t size = sizeof(any);
	int i, fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &size), 0);
	*port_be = any.sin_port;
	for (i = 0; i < 2; i++) {
		filled[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(filled[i], (struct sockaddr *)&any, sizeof(any));
	}
	return fd;
}

/*
 * The number of concurrent attempts is limited, for any number of addresses; each attempt times
 * out. A peer with many silent addresses does not block the attempts to reach other peers.
 */
static void test_dials(void **state)
{
	struct stun_endpoint at = peer[1].at;
	int filled[2], fd;
	unsigned int i;

	fd = silent_listener(filled, &at.port_be);
	for (i = 0; i < 2 * TCP_PATHS_DIALS_MAX; i++) {
		at.addr.s6_addr[14] = 1;
		at.addr.s6_addr[15] = (uint8_t)i;
		tcp_paths_send(peer[0].paths, &at, "", 1, 1);
	}
	assert_int_equal(connections(0), TCP_PATHS_DIALS_MAX);
	connect_both();
	assert_int_equal(connections(0), TCP_PATHS_DIALS_MAX);
	prove(0);
	prove(1);
	pass(TCP_PATHS_DIAL_S + 1);
	assert_int_equal(connections(0), 1);
	close(fd);
	close(filled[0]);
	close(filled[1]);
}

/*
 * A peer that proves as many connections as the limit does not lock other peers out, and does not
 * close held connections.
 */
static void test_many_proved(void **state)
{
	struct tcp_paths *paths = peer[1].paths;
	struct connection *other;
	unsigned int i;
	int fd;

	connect_both();
	prove(1);
	tcp_paths_hold(paths, &peer[0].at, &peer[1]);
	for (i = 0; i < TCP_PATHS_MAX; i++) {
		struct stun_endpoint at = { .port_be = htons((uint16_t)(i + 1024)), .tcp = true };

		other = connection_new(paths, &at);
		assert_non_null(other);
		other->peer = other;
		connection_add(other, TCP_PATHS_IDLE_S);
	}
	fd = stranger();
	assert_int_equal(connections(1), 1 + TCP_PATHS_MAX);
	assert_true(is_stranger(TAILQ_LAST(&paths->connections, connections)));
	assert_int_equal(peer[1].ended, 1);
	peer[1].received = 0;
	send_to(1, 0, 100, 100);
	run_until(&peer[1].received, 1);
	close(fd);
}

/*
 * A peer that proves connection after connection, each from another address, closes its own oldest
 * ones, but neither the held one of its path nor those of other peers.
 */
static void test_many_proved_by_one(void **state)
{
	struct tcp_paths *paths = peer[1].paths;
	const int hostile = 0;
	unsigned int i;

	connect_both();
	prove(1);
	for (i = 0; i < 3 * TCP_PATHS_PEER_MAX; i++) {
		struct stun_endpoint at = { .port_be = htons((uint16_t)(i + 1024)), .tcp = true };

		connection_add(connection_new(paths, &at), TCP_PATHS_PROOF_S);
		tcp_paths_prove(paths, &at, &hostile);
		if (!i)
			tcp_paths_hold(paths, &at, &hostile);
	}
	assert_int_equal(connections(1), 1 + 1 + TCP_PATHS_PEER_MAX);
	assert_int_equal(peer[1].ended, 3 * TCP_PATHS_PEER_MAX - 1 - TCP_PATHS_PEER_MAX);
	assert_true(find(paths, &peer[0].at)->peer == &peer[0]);
	assert_true(find(paths, &(struct stun_endpoint){ .port_be = htons(1024), .tcp = true }) !=
		    NULL);
	assert_true(find(paths, &(struct stun_endpoint){ .port_be = htons(1025), .tcp = true }) ==
		    NULL);
	assert_true(find(paths, &(struct stun_endpoint){ .port_be = htons((uint16_t)(i + 1023)),
							 .tcp = true }) != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both_connect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unproved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_holder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dials, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_proved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_proved_by_one, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
