// SPDX-License-Identifier: GPL-2.0-or-later
#include "nat/lifetime.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A NAT may use a longer timeout for a mapping that is not new: Linux does so for a mapping with
 * traffic after two seconds (nf_conntrack_udp_timeout_stream). Programs need to know the shorter
 * timeout, so the probe must stop using a mapping before that time.
 */
#define NEW_US	     1500000ULL
#define MAPPINGS_MAX 3 /* mappings that a step tries: a lost datagram makes a mapping too old */

enum phase {
	MAP,	 /* get a mapping */
	VERIFY,	 /* test whether the server can reach the mapping */
	TEST,	 /* test it again after the idle time */
	COMPARE, /* no response: get the current mapping of the socket */
};

struct step {
	struct nat_lifetime_probe *probe;
	struct nat_query query;
	int fd; /* the socket that has the mapping */
	int mappings;
	uint64_t mapped_us; /* time of the first request */
	enum phase phase;
	struct stun_endpoint mapped;
};

struct nat_lifetime_probe {
	struct loop *loop;
	struct loop_timer *end;
	struct nat_client *client;
	struct stun_endpoint server;
	int asker; /* the socket that sends the requests of VERIFY and TEST */
	struct step steps[NAT_STEPS_MAX];
	int running;
	bool end_early;
	struct nat_lifetime_report report;
	void (*fn)(const struct nat_lifetime_report *report, void *arg);
	void *arg;
};

static void on_done(struct nat_query *query);

static void ask(struct step *step, enum phase phase)
{
	struct nat_lifetime_probe *probe = step->probe;
	bool to_mapping = phase == VERIFY || phase == TEST;
	const struct nat_lifetime_step *reported = &probe->report.steps[step - probe->steps];

	step->phase = phase;
	step->query = (struct nat_query){
		.fd = to_mapping ? probe->asker : step->fd,
		.to = probe->server,
		.response_port = to_mapping ? ntohs(step->mapped.port_be) : 0,
		.done = on_done,
		.arg = step,
	};
	nat_client_ask(probe->client, &step->query,
		       phase == TEST ? reported->idle_ms * 1000ULL : 0);
}

/* Returns true if a step has expired, and the results of all shorter steps are known. */
static bool has_expired(const struct nat_lifetime_report *report)
{
	int i = 0;

	while (i < report->count && report->steps[i].result == NAT_LIFETIME_ALIVE)
		i++;
	return i < report->count && report->steps[i].result != NAT_LIFETIME_UNKNOWN;
}

static void end(struct step *step, enum nat_lifetime result, const char *failure)
{
	struct nat_lifetime_probe *probe = step->probe;

	probe->report.steps[step - probe->steps].result = result;
	if (failure)
		snprintf(probe->report.failure, sizeof(probe->report.failure), "%s", failure);
	/* call fn from a timer: fn may free the probe, which the client still uses here */
	if (!--probe->running || (probe->end_early && has_expired(&probe->report)))
		loop_timer_start(probe->end, 0);
}

static void fail(struct step *step)
{
	const struct nat_query *query = &step->query;
	char text[64];

	if (query->outcome == NAT_REFUSED && query->code)
		snprintf(text, sizeof(text), "it responds with error %u", query->code);
	else if (query->outcome == NAT_REFUSED)
		snprintf(text, sizeof(text), "its response is malformed");
	else if (query->outcome == NAT_ANSWERED)
		snprintf(text, sizeof(text), "it responds from another address");
	else
		snprintf(text, sizeof(text), "%s",
			 query->error ? strerror(query->error) : "it does not answer");
	end(step, NAT_LIFETIME_UNKNOWN, text);
}

/* Gets a new mapping with a new socket. */
static void map(struct step *step)
{
	struct err err = { 0 };

	step->fd = nat_client_socket(step->probe->client, &err);
	if (step->fd < 0) {
		end(step, NAT_LIFETIME_UNKNOWN, err.what);
		return;
	}
	step->mappings++;
	step->mapped_us = clock_now_us();
	ask(step, MAP);
}

/* Handles a response that proves that the server can reach the mapping. */
static void on_verified(struct step *step)
{
	if (clock_now_us() - step->mapped_us < NEW_US)
		ask(step, TEST);
	else if (step->mappings < MAPPINGS_MAX)
		map(step);
	else
		end(step, NAT_LIFETIME_UNKNOWN,
		    "its responses are so slow that a NAT may already use a longer timeout");
}

/* Handles a response to MAP or COMPARE, which contains the mapped address. */
static void on_mapped(struct step *step)
{
	struct nat_lifetime_report *report = &step->probe->report;
	const struct nat_query *query = &step->query;
	struct in6_addr own;

	if (step->phase == COMPARE) {
		end(step,
		    query->mapped.port_be == step->mapped.port_be ? NAT_LIFETIME_EXPIRED
								  : NAT_LIFETIME_REMAPPED,
		    NULL);
		return;
	}
	step->mapped = query->mapped;
	report->mapped = true;
	report->outermost = !nat_local_addr(&step->probe->server.addr, &own) &&
			    !memcmp(&own, &query->mapped.addr, sizeof(own));
	ask(step, VERIFY);
}

static void on_done(struct nat_query *query)
{
	struct step *step = query->arg;
	bool answered = query->outcome == NAT_ANSWERED &&
			nat_is_same(&query->from, &step->probe->server);

	if (step->phase == MAP || step->phase == COMPARE) {
		if (answered)
			on_mapped(step);
		else
			fail(step);
	} else if (answered && query->arrived_fd == step->fd) {
		if (step->phase == VERIFY)
			on_verified(step);
		else
			end(step, NAT_LIFETIME_ALIVE, NULL);
	} else if (answered || query->code == 420) {
		/* the server ignores or refuses the attribute */
		end(step, NAT_LIFETIME_UNKNOWN, "it does not know RESPONSE-PORT (RFC 5780)");
	} else if (step->phase == TEST && query->outcome == NAT_SILENT && !query->error) {
		ask(step, COMPARE);
	} else if (step->phase == VERIFY && query->outcome == NAT_SILENT && !query->error) {
		end(step, NAT_LIFETIME_UNKNOWN,
		    "no response to the port of another socket (RESPONSE-PORT, RFC 5780)");
	} else {
		fail(step);
	}
}

static void on_end(void *arg)
{
	struct nat_lifetime_probe *probe = arg;

	nat_client_free(probe->client);
	probe->client = NULL;
	probe->fn(&probe->report, probe->arg);
}

/* Opens the sockets and starts the steps. A step whose socket cannot be opened ends immediately. */
static void start(struct nat_lifetime_probe *probe, const uint32_t *idle_ms, int count)
{
	struct err err = { 0 };
	int i;

	probe->asker = nat_client_socket(probe->client, &err);
	probe->running = probe->report.count = count;
	for (i = 0; i < count; i++) {
		struct step *step = &probe->steps[i];

		probe->report.steps[i].idle_ms = idle_ms[i];
		step->probe = probe;
		if (probe->asker < 0)
			end(step, NAT_LIFETIME_UNKNOWN, err.what);
		else
			map(step);
	}
}

struct nat_lifetime_probe *nat_lifetime_new(
	struct loop *loop, const struct stun_endpoint *server, const struct in6_addr *source,
	const uint32_t *idle_ms, int count,
	void (*fn)(const struct nat_lifetime_report *report, void *arg), void *arg)
{
	struct nat_lifetime_probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->loop = loop;
	probe->server = *server;
	probe->fn = fn;
	probe->arg = arg;
	probe->client = nat_client_new(loop, source);
	probe->end = loop_timer(loop, false, on_end, probe);
	if (probe->client && probe->end) {
		start(probe, idle_ms, count);
		return probe;
	}
	nat_lifetime_free(probe);
	return NULL;
}

void nat_lifetime_end_early(struct nat_lifetime_probe *probe)
{
	probe->end_early = true;
}

void nat_lifetime_free(struct nat_lifetime_probe *probe)
{
	if (!probe)
		return;
	nat_client_free(probe->client);
	loop_timer_free(probe->loop, probe->end);
	free(probe);
}
