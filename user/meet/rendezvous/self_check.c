// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/self_check.h"

#include "base/addr.h"
#include "base/clock.h"
#include "net/sockaddr.h"
#include "net/stun_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define INTERVAL_US 5000000
/* Tolerates two lost requests in a row: the socket may be full for a moment. */
#define SILENCE_US (3ULL * INTERVAL_US)

struct self_check {
	struct loop *loop;
	struct loop_timer *timer;
	struct stun_endpoint server;
	int fd;
	uint8_t id[SLUICE_STUN_ID_SIZE];
	uint64_t sent_us, answered_us; /* answered_us: when the check began, without an answer */
	uint64_t rtt_us;
	int error; /* of the last send(2) */
	loop_fn checked;
	void *arg;
};

static void ask(struct self_check *check)
{
	uint8_t message[SLUICE_STUN_HEADER_SIZE + 8];
	struct stun_builder builder;
	size_t length;

	if (getrandom(check->id, sizeof(check->id), GRND_NONBLOCK) != sizeof(check->id))
		return;
	stun_begin(&builder, message, sizeof(message), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST,
		   check->id);
	stun_put_fingerprint(&builder);
	length = stun_end(&builder);
	check->sent_us = clock_now_us();
	check->error = send(check->fd, message, length, MSG_DONTWAIT) < 0 ? errno : 0;
}

static void on_timer(void *arg)
{
	struct self_check *check = arg;

	ask(check);
	check->checked(check->arg);
}

static void on_readable(void *arg)
{
	struct self_check *check = arg;
	struct stun_message message;
	uint8_t data[1500];
	ssize_t length = recv(check->fd, data, sizeof(data), MSG_DONTWAIT);

	if (length <= 0 || stun_parse(data, (size_t)length, &message) ||
	    message.class != SLUICE_STUN_SUCCESS || !stun_is_response(&message, check->id))
		return;
	check->answered_us = clock_now_us();
	check->rtt_us = check->answered_us - check->sent_us;
	/* the answer must not count for the next request as well */
	memset(check->id, 0, sizeof(check->id));
	check->checked(check->arg);
}

/* Replaces the wildcard address, which is no destination, by loopback. */
static void set_server(struct self_check *check, const struct endpoint *endpoint)
{
	check->server = endpoint->at;
	if (!endpoint->wildcard)
		return;
	if (addr_is_ip4(&endpoint->at.addr))
		addr_parse("127.0.0.1", &check->server.addr);
	else
		check->server.addr = in6addr_loopback;
}

int self_check_start(struct self_check **check, struct loop *loop,
		     const struct endpoints *endpoints, loop_fn checked, void *arg, struct err *err)
{
	const struct endpoint *endpoint = &endpoints->endpoint[0];
	struct self_check *created = calloc(1, sizeof(*created));
	union any_sockaddr addr;
	socklen_t length;
	int result = 0;

	if (!created)
		return err_set(err, EXIT_ERROR, ENOMEM, "metrics: %s", strerror(ENOMEM));
	created->loop = loop;
	created->checked = checked;
	created->arg = arg;
	set_server(created, endpoint);
	length = endpoint_to_sockaddr(&created->server, 0, &addr);
	created->fd = socket(addr.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (created->fd < 0 || connect(created->fd, &addr.sa, length))
		result = -errno;
	if (!result)
		result = loop_read(loop, created->fd, on_readable, created);
	if (!result) {
		created->timer = loop_timer(loop, true, on_timer, created);
		result = created->timer ? loop_timer_start(created->timer, INTERVAL_US) : -ENOMEM;
	}
	if (result) {
		self_check_free(created);
		return err_set(err, EXIT_ERROR, -result, "metrics: the check of the server: %s",
			       strerror(-result));
	}
	created->answered_us = clock_now_us();
	ask(created);
	*check = created;
	return 0;
}

void self_check_free(struct self_check *check)
{
	if (!check)
		return;
	if (check->fd >= 0) {
		loop_remove(check->loop, check->fd);
		close(check->fd);
	}
	loop_timer_free(check->loop, check->timer);
	free(check);
}

bool self_check_is_early(const struct self_check *check)
{
	return !check->rtt_us && !check->error && clock_now_us() - check->answered_us < SILENCE_US;
}

bool self_check_passes(const struct self_check *check, char *why, size_t size)
{
	uint64_t silence_us = clock_now_us() - check->answered_us;
	char text[ADDR_TEXT_MAX];

	if (check->rtt_us && silence_us < SILENCE_US && !check->error)
		return true;
	addr_format_port(&check->server.addr, check->server.port_be, text);
	if (check->error)
		snprintf(why, size, "a Binding request to %s: %s", text, strerror(check->error));
	else
		snprintf(why, size, "no answer to a Binding request to %s for %.0f seconds", text,
			 (double)silence_us / 1e6);
	return false;
}

double self_check_rtt_s(const struct self_check *check)
{
	return self_check_passes(check, NULL, 0) ? (double)check->rtt_us / 1e6 : 0;
}
