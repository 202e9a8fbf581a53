// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Datagrams through local sockets in batches: none is lost, split or merged, with or without kernel
 * support for batches (GSO, GRO). Datagrams dropped by a full queue are counted.
 */
#include "net/udp_io.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct pair {
	int from, to; /* connected to each other */
	union any_sockaddr at;
	socklen_t at_size;
	unsigned int count;
	uint64_t sizes;
	size_t last;
};

static int bound(union any_sockaddr *at, socklen_t *size)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*at = (union any_sockaddr){ .ip4 = { .sin_family = AF_INET,
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	*size = sizeof(at->ip4);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &at->sa, *size), 0);
	assert_int_equal(getsockname(fd, &at->sa, size), 0);
	return fd;
}

static void pair_open(struct pair *pair, bool prepare)
{
	union any_sockaddr from;
	socklen_t size;

	*pair = (struct pair){ .from = bound(&from, &size) };
	pair->to = bound(&pair->at, &pair->at_size);
	assert_int_equal(connect(pair->from, &pair->at.sa, pair->at_size), 0);
	if (prepare)
		udp_io_prepare(pair->to);
}

static void pair_close(struct pair *pair)
{
	close(pair->from);
	close(pair->to);
}

static void on_datagram(void *arg, const union any_sockaddr *from, const uint8_t *data,
			size_t length)
{
	struct pair *pair = arg;
	size_t i;

	assert_int_equal(from->sa.sa_family, AF_INET);
	for (i = 0; i < length; i++)
		assert_int_equal(data[i], (uint8_t)length);
	pair->count++;
	pair->sizes += length;
	pair->last = length;
}

static void read_all(struct pair *pair, uint32_t *lost)
{
	while (udp_io_read(pair->to, on_datagram, pair, lost) > 0)
		;
	assert_int_equal(udp_io_read(pair->to, on_datagram, pair, lost), -EAGAIN);
}

/* Sends @count datagrams of @size bytes in one batch, followed by one of @rest bytes. */
static unsigned int send_batch(struct pair *pair, bool *segments, unsigned int count, size_t size,
			       size_t rest)
{
	static uint8_t data[65536];

	memset(data, (uint8_t)size, count * size);
	memset(data + count * size, (uint8_t)rest, rest);
	return udp_io_write(pair->from, segments, NULL, 0, data, count * size + rest, size, 0);
}

static void test_batches(void **state)
{
	static const struct {
		unsigned int count;
		size_t size, rest;
	} batches[] = { { 1, 0, 0 },	   { 1, 1, 0 },	  { 30, 1000, 0 }, { 30, 1000, 1 },
			{ 2, 1100, 1099 }, { 50, 20, 3 }, { 1, 65507, 0 } };
	unsigned int i, prepare, with;
	struct pair pair;
	uint32_t lost = 0;

	for (prepare = 0; prepare < 2; prepare++)
		for (with = 0; with < 2; with++) {
			pair_open(&pair, prepare);
			for (i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
				bool segments = with;

				pair.count = 0;
				pair.sizes = 0;
				assert_int_equal(send_batch(&pair, &segments, batches[i].count,
							    batches[i].size, batches[i].rest),
						 0);
				assert_int_equal(segments, with);
				read_all(&pair, &lost);
				assert_int_equal(pair.count,
						 batches[i].count + (batches[i].rest > 0));
				assert_int_equal(pair.sizes, batches[i].count * batches[i].size +
								     batches[i].rest);
				if (batches[i].rest)
					assert_int_equal(pair.last, batches[i].rest);
			}
			pair_close(&pair);
		}
	assert_int_equal(lost, 0);
}

/* A burst that exceeds the default queue, as after a pause of 10 ms at 100 Mbit/s. */
static void test_burst(void **state)
{
	bool segments = false;
	struct pair pair;
	uint32_t lost = 0;
	unsigned int i;

	pair_open(&pair, true);
	for (i = 0; i < 150; i++)
		assert_int_equal(send_batch(&pair, &segments, 1, 1100, 0), 0);
	read_all(&pair, &lost);
	assert_int_equal(pair.count, 150);
	assert_int_equal(lost, 0);
	pair_close(&pair);
}

static void test_lost(void **state)
{
	const int small = 4096, yes = 1;
	bool segments = false;
	struct pair pair;
	uint32_t lost = 0;
	unsigned int i;

	pair_open(&pair, false);
	assert_int_equal(setsockopt(pair.to, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(setsockopt(pair.to, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof(yes)), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(send_batch(&pair, &segments, 1, 1100, 0), 0);
	read_all(&pair, &lost);
	/* a datagram carries the number of datagrams lost before it */
	assert_int_equal(send_batch(&pair, &segments, 1, 1100, 0), 0);
	read_all(&pair, &lost);
	assert_true(lost > 0);
	assert_int_equal(pair.count + lost, 101);
	pair_close(&pair);
}

/* No socket listens: the kernel reports the error once. */
static void test_refused(void **state)
{
	bool segments = true;
	struct pair pair;
	uint32_t lost = 0;

	pair_open(&pair, true);
	close(pair.to);
	assert_int_equal(send_batch(&pair, &segments, 1, 100, 0), 0);
	pair.to = pair.from;
	assert_int_equal(udp_io_read(pair.to, on_datagram, &pair, &lost), -ECONNREFUSED);
	assert_int_equal(udp_io_read(pair.to, on_datagram, &pair, &lost), -EAGAIN);
	close(pair.from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
