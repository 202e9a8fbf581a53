// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The carrier of services against a misbehaving peer. One end has in-memory streams, the other end
 * local sockets.
 */
#include "meet/forward/carrier.h"

#include "base/clock.h"
#include "base/log.h"
#include "meet/forward/carrier.h"
#include "meet/forward/listener.h"
#include "meet/forward/udp_flows.h"
#include "meet/quic/drops.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PACKETS_MAX 4096
#define WAIT_NS	    30000000000ULL
#define STREAMS_MAX 512
#define ANSWER	    65536 /* exceeds the buffers of the local sockets below */

struct packet {
	size_t length;
	uint8_t data[QUIC_PACKET];
};

/* A stream at the end without a carrier. */
struct raw {
	struct quic_stream *stream; /* NULL: the stream has ended */
	bool reset;
};

struct end {
	struct net *net;
	struct quic *quic;
	struct quic_settings settings;
	struct carrier *carrier;
	struct packet packet[PACKETS_MAX]; /* in flight to this end */
	unsigned int packets;
};

struct net {
	struct quic_endpoint *endpoint;
	struct loop *loop;
	struct end end[2]; /* the client and the server */
	struct raw raw[STREAMS_MAX];
	unsigned int raws, open, datagrams;
	bool mute;	    /* requests get no answer */
	struct drops drops; /* counted by the carrier */
};

static struct net net;

static uint64_t now_ns(void)
{
	return clock_now_us() * 1000;
}

static void on_send(void *arg, const void *packets, size_t length, size_t size)
{
	struct end *to = &net.end[arg == &net.end[0]];
	size_t at, part;

	for (at = 0; at < length; at += part) {
		part = length - at < size ? length - at : size;
		assert_true(to->packets < PACKETS_MAX);
		to->packet[to->packets].length = part;
		memcpy(to->packet[to->packets++].data, (const uint8_t *)packets + at, part);
	}
}

static void on_ready(void *arg)
{
}

static void on_datagram(void *arg, const uint8_t *data, size_t length)
{
	const struct end *end = arg;

	if (end->carrier)
		carrier_datagram(end->carrier, data, length);
	else
		net.datagrams++;
}

static bool is_raw(const void *user)
{
	return (const struct raw *)user >= net.raw &&
	       (const struct raw *)user < net.raw + STREAMS_MAX;
}

static void *on_opened(void *arg, struct quic_stream *stream)
{
	struct end *end = arg;
	struct raw *raw = &net.raw[net.raws];

	if (end->carrier)
		return carrier_opened(end->carrier, stream);
	assert_true(net.raws++ < STREAMS_MAX);
	net.open++;
	raw->stream = stream;
	return raw;
}

/* Answers a request once it is complete. */
static void on_data(void *user, const uint8_t *data, size_t length, bool fin)
{
	static const uint8_t answer[ANSWER] = { SERVICE_OK };
	const struct raw *raw = user;

	if (!is_raw(user)) {
		carrier_data(user, data, length, fin);
		return;
	}
	quic_stream_consumed(raw->stream, length);
	if (!fin || net.mute)
		return;
	assert_int_equal(quic_stream_write(raw->stream, answer, sizeof(answer)), sizeof(answer));
	quic_stream_finish(raw->stream);
}

static void on_writable(void *user)
{
	if (!is_raw(user))
		carrier_writable(user);
}

static void on_ended(void *user, bool reset)
{
	struct raw *raw = user;

	if (!is_raw(user)) {
		carrier_ended(user, reset);
		return;
	}
	*raw = (struct raw){ .reset = reset };
	net.open--;
}

static const struct quic_handlers handlers = {
	.send = on_send,
	.ready = on_ready,
	.datagram = on_datagram,
	.opened = on_opened,
	.data = on_data,
	.writable = on_writable,
	.ended = on_ended,
};

static void flush(void *arg)
{
	struct end *end = arg;

	carrier_update(end->carrier);
	quic_flush(end->quic, now_ns());
}

/* Delivers the packets in flight to an end, and sends its pending packets. */
static void work(struct end *end)
{
	unsigned int i;

	for (i = 0; i < end->packets; i++) {
		if (!end->quic)
			quic_accept(net.endpoint, &end->settings, end->packet[i].data,
				    end->packet[i].length, now_ns(), &end->quic);
		if (end->quic)
			quic_receive(end->quic, end->packet[i].data, end->packet[i].length,
				     now_ns());
	}
	end->packets = 0;
	if (!end->quic)
		return;
	quic_expire(end->quic, now_ns());
	if (end->carrier)
		flush(end);
	else
		quic_flush(end->quic, now_ns());
}

/* Runs until no packets are in flight. Acknowledgements may still be due. */
static void settle(void)
{
	do {
		event_base_loop(loop_base(net.loop), EVLOOP_NONBLOCK);
		work(&net.end[0]);
		work(&net.end[1]);
	} while (net.end[0].packets || net.end[1].packets);
}

/* Waits for a value, since acknowledgements may be delayed. */
static void wait_for(const unsigned int *number, unsigned int value)
{
	uint64_t until_ns = now_ns() + WAIT_NS;

	while (*number != value) {
		assert_true(now_ns() < until_ns);
		usleep(1000);
		settle();
	}
}

/* Connects, with the carrier at this end. */
static void up(unsigned int carries)
{
	struct end *end = &net.end[carries];
	static struct service service = { .address = { .kind = SERVICE_UDP,
						       .at = { .port_be = 1 } } };
	struct carrier_options options = {
		.peer = "mallory", .flush = flush, .arg = end, .drops = &net.drops
	};
	unsigned int i;

	memset(&net, 0, sizeof(net));
	assert_int_equal(loop_new(&net.loop), 0);
	assert_int_equal(quic_endpoint_new(&net.endpoint), 0);
	for (i = 0; i < 2; i++)
		net.end[i].settings = (struct quic_settings){
			.server = i,
			.slot = (uint16_t)i,
			.first_id = { 1, 2, 3, 4, 5, 6, 7, 8 },
			.psk = { 7 },
			.identity = "0123456789abcdef0123456789abcdef",
			.rtt_ns = 1000000,
			.handlers = &handlers,
			.arg = &net.end[i],
		};
	service.address.at.addr = in6addr_loopback;
	options.services = &service;
	options.count = 1;
	options.loop = net.loop;
	assert_int_equal(carrier_new(&end->carrier, &options), 0);
	assert_int_equal(
		quic_connect(net.endpoint, &net.end[0].settings, now_ns(), &net.end[0].quic), 0);
	quic_flush(net.end[0].quic, now_ns());
	settle();
	assert_true(quic_is_ready(net.end[0].quic) && quic_is_ready(net.end[1].quic));
	carrier_set_quic(end->carrier, end->quic);
}

static void down(void)
{
	carrier_free(net.end[0].carrier);
	carrier_free(net.end[1].carrier);
	quic_free(net.end[0].quic);
	quic_free(net.end[1].quic);
	quic_endpoint_free(net.endpoint);
	loop_free(net.loop);
}

/* --- the tests */

/* Opens a local connection that neither sends nor reads. Returns the descriptor of the program. */
static int open_local(int *fd)
{
	const int size = 4096;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	*fd = pair[0];
	return pair[1];
}

/*
 * A connection whose local end does not read outlives its stream. So the stream limit does not
 * bound the number of such connections or their memory.
 */
static void test_unread(void **state)
{
	static int program[300];
	uint8_t buffer[ANSWER];
	unsigned int i, count = 0;
	uint64_t until_ns;
	int fd, result = 0;

	up(0);
	while (count < 300) {
		program[count++] = open_local(&fd);
		result = carrier_tcp(net.end[0].carrier, "any", fd, fd);
		if (result)
			break;
		flush(&net.end[0]);
		settle();
		assert_int_equal(net.raws, count);
		wait_for(&net.open, 0);
	}
	assert_int_equal(result, -EAGAIN);
	assert_true(count > QUIC_STREAMS_MAX);
	assert_int_equal(carrier_count(net.end[0].carrier), count - 1);

	/* a connection that has read all data makes room for another */
	until_ns = now_ns() + WAIT_NS;
	while (carrier_count(net.end[0].carrier) == count - 1) {
		assert_true(now_ns() < until_ns);
		while (read(program[0], buffer, sizeof(buffer)) > 0)
			;
		settle();
	}
	assert_int_equal(carrier_tcp(net.end[0].carrier, "any", fd, fd), 0);
	down();
	for (i = 0; i < count; i++)
		close(program[i]);
}

/* Requests for a member that are never answered do not use up the streams. */
static void test_no_member(void **state)
{
	struct member_request request = { .addresses = 0 };
	unsigned int i;

	up(0);
	net.mute = true;
	for (i = 0; i < 2 * QUIC_STREAMS_MAX; i++) {
		request.id[0] = (uint8_t)i;
		assert_int_equal(carrier_member(net.end[0].carrier, &request), 0);
		flush(&net.end[0]);
		settle();
		assert_int_equal(net.raws, i + 1);
		request.id[1] = 1;
		carrier_forget_member(net.end[0].carrier, request.id);
		assert_int_equal(carrier_count(net.end[0].carrier), 1);
		request.id[1] = 0;
		carrier_forget_member(net.end[0].carrier, request.id);
		assert_int_equal(carrier_count(net.end[0].carrier), 0);
		flush(&net.end[0]);
		wait_for(&net.open, 0);
	}
	down();
}

/* A stream that ends before its request, or that has no request. */
static void test_no_request(void **state)
{
	unsigned int size;

	for (size = 0; size < 3; size++) {
		struct raw *raw = &net.raw[0];

		up(1);
		raw->stream = quic_stream_open(net.end[0].quic, raw);
		assert_non_null(raw->stream);
		net.open++;
		assert_int_equal(quic_stream_write(raw->stream, "\2\3s", size), size);
		quic_stream_finish(raw->stream);
		wait_for(&net.open, 0);
		assert_null(raw->stream);
		assert_true(raw->reset);
		assert_int_equal(carrier_count(net.end[1].carrier), 0);
		down();
	}
}

/* More flows than the limit of a service, with invalid lengths; then the stream ends. */
static void test_flows(void **state)
{
	static const uint8_t request[] = { SERVICE_UDP, 0 };
	struct raw *raw = &net.raw[0];
	uint8_t head[UDP_FLOWS_HEADER];
	unsigned int i;

	up(1);
	raw->stream = quic_stream_open(net.end[0].quic, raw);
	assert_non_null(raw->stream);
	net.open++;
	quic_stream_write(raw->stream, request, sizeof(request));
	settle();
	assert_int_equal(carrier_count(net.end[1].carrier), 1);
	memset(head, 0, sizeof(head));
	for (i = 0; i < 2 * UDP_FLOWS_MAX; i++) {
		head[4] = (uint8_t)(i >> 8);
		head[5] = (uint8_t)i;
		quic_datagram(net.end[0].quic, head, i % 9 ? sizeof(head) : i % 5 + 1, "", 0,
			      now_ns());
		settle();
	}
	quic_stream_finish(raw->stream);
	wait_for(&net.open, 0);
	assert_int_equal(carrier_count(net.end[1].carrier), 0);
	down();
}

/* The log lines about refused requests are limited, because a peer can make any number of requests.
 */
static void test_refusals(void **state)
{
	static const uint8_t request[] = { SERVICE_TCP, 4, 'n', 'o', 'n', 'e' };
	int before = dup(STDERR_FILENO);
	FILE *log = tmpfile();
	struct raw *raw = &net.raw[0];
	unsigned int i, lines = 0;
	char line[512];

	assert_true(log && before >= 0);
	up(1);
	log_logfmt(LOG_LEVEL_WARNING);
	dup2(fileno(log), STDERR_FILENO);
	for (i = 0; i < 100; i++) {
		raw->stream = quic_stream_open(net.end[0].quic, raw);
		assert_non_null(raw->stream);
		net.open++;
		quic_stream_write(raw->stream, request, sizeof(request));
		wait_for(&net.open, 0);
	}
	dup2(before, STDERR_FILENO);
	log_logfmt(LOG_LEVEL_ERROR);
	down();
	rewind(log);
	while (fgets(line, sizeof(line), log))
		lines += strstr(line, "msg=\"request refused\" peer=mallory service=none") != NULL;
	assert_in_range(lines, 10, 15);
	fclose(log);
	close(before);
}

/* Datagrams follow the request for their service without waiting for the answer. */
static void test_no_answer(void **state)
{
	struct service_address address = { .kind = SERVICE_UDP };
	struct sockaddr_in at;
	socklen_t size = sizeof(at);
	struct err err = { 0 };
	int fd, program;

	up(0);
	address.at.addr.s6_addr16[5] = 0xffff;
	address.at.addr.s6_addr32[3] = htonl(INADDR_LOOPBACK);
	fd = listener_open(&address, &err);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	program = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sendto(program, "x", 1, 0, (struct sockaddr *)&at, sizeof(at)), 1);
	assert_int_equal(carrier_udp(net.end[0].carrier, "any", fd), 0);
	flush(&net.end[0]);
	wait_for(&net.datagrams, 1);
	assert_int_equal(net.raws, 1);
	down();
	close(fd);
	close(program);
}

static int on_connection(void *arg, int fd)
{
	return carrier_tcp(net.end[0].carrier, "any", fd, fd);
}

/* The listener accepts again once descriptors are available, even if it has no connection left. */
static void test_descriptors(void **state)
{
	struct service_address address = { .kind = SERVICE_TCP };
	struct listener_tcp listener = { .take = on_connection,
					 .flush = flush,
					 .arg = &net.end[0] };
	struct sockaddr_in at;
	struct rlimit before, none;
	socklen_t size = sizeof(at);
	uint64_t until_ns = now_ns() + WAIT_NS / 3;
	struct err err = { 0 };
	int fd;

	up(0);
	address.at.addr.s6_addr16[5] = 0xffff;
	address.at.addr.s6_addr32[3] = htonl(INADDR_LOOPBACK);
	listener.loop = net.loop;
	listener.fd = listener_open(&address, &err);
	assert_true(listener.fd >= 0);
	assert_int_equal(getsockname(listener.fd, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(listener_tcp_init(&listener), 0);
	listener_tcp_use(&listener, true);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)dup(fd);
	close((int)none.rlim_cur);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	settle();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(carrier_count(net.end[0].carrier), 0);
	while (!carrier_count(net.end[0].carrier)) {
		assert_true(now_ns() < until_ns);
		usleep(1000);
		settle();
	}
	listener_tcp_close(&listener);
	down();
	close(listener.fd);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unread),	   cmocka_unit_test(test_no_member),
		cmocka_unit_test(test_no_request), cmocka_unit_test(test_flows),
		cmocka_unit_test(test_no_answer),  cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_refusals),
	};

	log_logfmt(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
