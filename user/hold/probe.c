// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/probe.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/stun_build.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 8489, section 6.2.1: the first retransmission after 500 ms, then twice as late each time. */
#define RTO_US	  500000ULL
#define TRIES_MAX 4
#define AGAIN_US  600000000ULL

enum phase {
	MAP,	 /* get a mapping */
	VERIFY,	 /* the server knows RESPONSE-PORT: it can reach the mapping now */
	WAIT,	 /* leave the mapping unused */
	TEST,	 /* can the server still reach it? */
	COMPARE, /* it cannot: does the server answer at all, and where to? */
	DONE,
};

struct step {
	struct hold_probe *probe;
	int mapped_fd, other_fd;
	__u8 mapped_id[SLUICE_STUN_ID_SIZE], other_id[SLUICE_STUN_ID_SIZE];
	enum phase phase;
	unsigned int tries;
	__u64 due_us; /* of the next retransmission, or the end of the wait */
	struct stun_endpoint mapped;
	enum hold_probe_result result;
};

struct hold_probe {
	struct loop *loop;
	struct loop_timer *timer;
	struct hold_server server;
	struct hold_finding finding;
	hold_probe_fn fn;
	void *arg;
	struct step steps[HOLD_STEPS];
	int count; /* steps of a probe */
	bool running;
	bool unsupported;
	int error;		      /* of a socket */
	struct log_condition failure; /* why the last probe has shown nothing */
};

/* --- messages */

/* @port: where the server is to send the response, instead of the source port; 0: to that. */
static void send_request(const struct step *step, bool other, __u16 port)
{
	struct stun_builder builder;
	uint8_t message[28];

	stun_begin(&builder, message, sizeof(message), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST,
		   other ? step->other_id : step->mapped_id);
	if (port)
		stun_put_u16(&builder, SLUICE_STUN_RESPONSE_PORT, port);
	/* a lost request is sent again */
	if (send(other ? step->other_fd : step->mapped_fd, message, stun_end(&builder),
		 MSG_DONTWAIT) < 0)
		return;
}

static void transmit(struct step *step)
{
	bool to_mapping = step->phase == VERIFY || step->phase == TEST;

	send_request(step, to_mapping, to_mapping ? ntohs(step->mapped.port_be) : 0);
	step->due_us = clock_now_us() + (RTO_US << step->tries++);
}

static void begin(struct step *step, enum phase phase)
{
	step->phase = phase;
	step->tries = 0;
	/* each request is a transaction of its own */
	if (getrandom(step->mapped_id, SLUICE_STUN_ID_SIZE, 0) < 0 ||
	    getrandom(step->other_id, SLUICE_STUN_ID_SIZE, 0) < 0)
		step->phase = DONE;
	else if (phase == WAIT)
		step->due_us = clock_now_us() + hold_step_s[step - step->probe->steps] * 1000000ULL;
	else if (phase != DONE)
		transmit(step);
}

static void close_step(struct step *step)
{
	int *fds[] = { &step->mapped_fd, &step->other_fd }, i;

	for (i = 0; i < 2; i++) {
		if (*fds[i] < 0)
			continue;
		loop_remove(step->probe->loop, *fds[i]);
		close(*fds[i]);
		*fds[i] = -1;
	}
}

/* --- the end of a probe */

static void log_failed(struct hold_probe *probe)
{
	const char *reason = probe->unsupported ? "it does not know RESPONSE-PORT (RFC 5780)"
			     : probe->error	? strerror(probe->error)
						: "it does not answer";
	char server[ADDR_TEXT_MAX];
	struct log_line line;

	if (!log_condition_set(&probe->failure, reason))
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "hold: the probe shows nothing; the interval stays");
	log_field(&line, "server", "%s",
		  addr_format_port(&probe->server.addr, probe->server.port_be, server));
	log_field(&line, "reason", "%s", reason);
	log_end(&line);
}

static void finish(struct hold_probe *probe)
{
	enum hold_probe_result results[HOLD_STEPS] = { HOLD_PROBE_UNKNOWN };
	bool known = false;
	int i;

	for (i = 0; i < probe->count; i++) {
		results[i] = probe->steps[i].result;
		known |= results[i] != HOLD_PROBE_UNKNOWN;
		close_step(&probe->steps[i]);
	}
	probe->running = false;
	if (known) {
		log_condition_set(&probe->failure, NULL);
		hold_finding_update(&probe->finding, results);
	} else {
		log_failed(probe);
	}
	loop_timer_start(probe->timer, AGAIN_US);
	probe->fn(&probe->finding, probe->arg);
}

/* Continues at the time of the next step, or ends. */
static void schedule(struct hold_probe *probe)
{
	__u64 now = clock_now_us(), next = 0;
	int i;

	for (i = 0; i < probe->count; i++) {
		const struct step *step = &probe->steps[i];

		if (step->phase != DONE && (!next || step->due_us < next))
			next = step->due_us;
	}
	if (next)
		loop_timer_start(probe->timer, next > now ? next - now : 0);
	else
		finish(probe);
}

/* --- events */

static void on_mapped(struct step *step, const struct stun_endpoint *mapped)
{
	struct sockaddr_in6 own = { 0 };
	socklen_t size = sizeof(own);

	if (step->phase == COMPARE) {
		step->result = mapped->port_be == step->mapped.port_be ? HOLD_PROBE_EXPIRED
								       : HOLD_PROBE_REMAPPED;
		begin(step, DONE);
		return;
	}
	step->mapped = *mapped;
	getsockname(step->mapped_fd, (struct sockaddr *)&own, &size);
	step->probe->finding.outermost = !memcmp(&own.sin6_addr, &mapped->addr,
						 sizeof(mapped->addr));
	begin(step, VERIFY);
}

static void on_reached(struct step *step)
{
	if (step->phase == VERIFY) {
		begin(step, WAIT);
	} else {
		step->result = HOLD_PROBE_ALIVE;
		begin(step, DONE);
	}
}

/* Reads a response to the request with this id. Returns false for anything else. */
static bool receive(int fd, uint8_t *buffer, size_t size, const uint8_t *id,
		    struct stun_message *message)
{
	ssize_t length = recv(fd, buffer, size, MSG_DONTWAIT);

	return length >= 0 && !stun_parse(buffer, (size_t)length, message) &&
	       message->method == SLUICE_STUN_BINDING && stun_is_response(message, id);
}

/* Reads the socket that has the mapping. */
static void on_mapped_fd(void *arg)
{
	struct step *step = arg;
	bool to_mapping = step->phase == VERIFY || step->phase == TEST;
	struct stun_endpoint mapped;
	struct stun_message message;
	uint8_t buffer[1500];

	if (!receive(step->mapped_fd, buffer, sizeof(buffer),
		     to_mapping ? step->other_id : step->mapped_id, &message) ||
	    message.class != SLUICE_STUN_SUCCESS || stun_get_mapped(&message, &mapped))
		return;
	if (to_mapping)
		on_reached(step);
	else if (step->phase == MAP || step->phase == COMPARE)
		on_mapped(step, &mapped);
	else
		return;
	schedule(step->probe);
}

/* A response at the other socket: the server has refused or ignored RESPONSE-PORT. */
static void on_other_fd(void *arg)
{
	struct step *step = arg;
	struct stun_message message;
	uint8_t buffer[1500];

	if (!receive(step->other_fd, buffer, sizeof(buffer), step->other_id, &message) ||
	    (step->phase != VERIFY && step->phase != TEST))
		return;
	step->probe->unsupported = true;
	begin(step, DONE);
	schedule(step->probe);
}

/* No response after the last retransmission. */
static void on_silence(struct step *step)
{
	begin(step, step->phase == TEST ? COMPARE : DONE);
}

static int open_socket(struct hold_probe *probe)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6,
				   .sin6_port = probe->server.port_be,
				   .sin6_addr = probe->server.addr };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	probe->error = errno;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void start(struct hold_probe *probe)
{
	int i;

	probe->running = true;
	probe->unsupported = false;
	probe->error = 0;
	for (i = 0; i < probe->count; i++) {
		struct step *step = &probe->steps[i];

		*step = (struct step){ .probe = probe,
				       .mapped_fd = open_socket(probe),
				       .other_fd = open_socket(probe) };
		if (step->mapped_fd < 0 || step->other_fd < 0 ||
		    loop_read(probe->loop, step->mapped_fd, on_mapped_fd, step) ||
		    loop_read(probe->loop, step->other_fd, on_other_fd, step))
			begin(step, DONE);
		else
			begin(step, MAP);
	}
	schedule(probe);
}

static void on_timer(void *arg)
{
	struct hold_probe *probe = arg;
	__u64 now = clock_now_us();
	int i;

	if (!probe->running) {
		start(probe);
		return;
	}
	for (i = 0; i < probe->count; i++) {
		struct step *step = &probe->steps[i];

		if (step->phase == DONE || now < step->due_us)
			continue;
		if (step->phase == WAIT)
			begin(step, TEST);
		else if (step->tries < TRIES_MAX)
			transmit(step);
		else
			on_silence(step);
	}
	schedule(probe);
}

struct hold_probe *hold_probe_new(struct loop *loop, const struct hold_server *server, __u32 max_s,
				  hold_probe_fn fn, void *arg)
{
	struct hold_probe *probe = calloc(1, sizeof(*probe));
	int i;

	if (!probe)
		return NULL;
	*probe = (struct hold_probe){ .loop = loop,
				      .server = *server,
				      .fn = fn,
				      .arg = arg,
				      .count = hold_steps_useful(max_s) };
	for (i = 0; i < HOLD_STEPS; i++)
		probe->steps[i] = (struct step){ .probe = probe, .mapped_fd = -1, .other_fd = -1 };
	probe->timer = loop_timer(loop, false, on_timer, probe);
	if (probe->timer && !loop_timer_start(probe->timer, 0))
		return probe;
	hold_probe_free(probe);
	return NULL;
}

const char *hold_probe_failure(const struct hold_probe *probe)
{
	return probe->failure.text;
}

void hold_probe_free(struct hold_probe *probe)
{
	int i;

	if (!probe)
		return;
	for (i = 0; i < HOLD_STEPS; i++)
		close_step(&probe->steps[i]);
	loop_timer_free(probe->loop, probe->timer);
	free(probe);
}
