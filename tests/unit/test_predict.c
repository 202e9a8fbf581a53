// SPDX-License-Identifier: GPL-2.0-or-later
/* The measurement of the ports that a NAT assigns. A socket on the loopback device is the server.
 */
#include "meet/peer/predict.h"

#include "base/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HOUR_US 3600000000ULL

static struct loop *loop;
static int server;
static struct stun_endpoint address;

static void on_predicted(const struct sluice_rendezvous_predicted *predicted, void *arg)
{
	fail_msg("predicted port %u without an answer", ntohs(predicted->first_be));
}

static int set_up(void **state)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(any);

	server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (loop_new(&loop) || server < 0 || bind(server, (struct sockaddr *)&any, size) ||
	    getsockname(server, (struct sockaddr *)&any, &size))
		return -1;
	address = (struct stun_endpoint){ .port_be = any.sin_port };
	return addr_parse("127.0.0.1", &address.addr) ? 0 : -1;
}

static int tear_down(void **state)
{
	close(server);
	loop_free(loop);
	return 0;
}

static unsigned int requests(void)
{
	unsigned int count = 0;
	char buffer[100];

	while (recv(server, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
		count++;
	return count;
}

static void test_at_once(void **state)
{
	struct prediction *prediction = prediction_new(loop, &address, 0, on_predicted, NULL);

	assert_non_null(prediction);
	assert_int_equal(requests(), PREDICT_SOCKETS);
	prediction_begin(prediction);
	assert_int_equal(requests(), 0);
	prediction_free(prediction);
}

/* The loop has not run since the time of the requests, but a check is sent. */
static void test_begin(void **state)
{
	struct prediction *prediction = prediction_new(loop, &address, HOUR_US, on_predicted, NULL);

	assert_non_null(prediction);
	assert_int_equal(requests(), 0);
	prediction_begin(prediction);
	assert_int_equal(requests(), PREDICT_SOCKETS);
	prediction_begin(prediction);
	assert_int_equal(requests(), 0);
	prediction_free(prediction);
	prediction_begin(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_begin, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
