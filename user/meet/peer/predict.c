// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/predict.h"

#include "nat/client.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct prediction {
	struct loop *loop;
	struct loop_timer *begin;
	struct loop_timer *end;
	struct nat_client *client;
	struct nat_query query[PREDICT_SOCKETS];
	unsigned int running;
	void (*fn)(const struct sluice_rendezvous_predicted *predicted, void *arg);
	void *arg;
};

bool predict_ports(const in_port_t ports_be[PREDICT_SOCKETS],
		   struct sluice_rendezvous_predicted *predicted)
{
	int step = ntohs(ports_be[1]) - ntohs(ports_be[0]), next, i;

	for (i = 1; i < PREDICT_SOCKETS; i++)
		if (ntohs(ports_be[i]) - ntohs(ports_be[i - 1]) != step)
			return false;
	next = ntohs(ports_be[PREDICT_SOCKETS - 1]) + step;
	if (!step || abs(step) > PREDICT_STEP_MAX || next <= 0 || next > UINT16_MAX)
		return false;
	*predicted = (struct sluice_rendezvous_predicted){ .first_be = htons((uint16_t)next),
							   .step = (__s8)step };
	return true;
}

/* A NAT that keeps the ports of its hosts is not symmetric: other sockets do not show the next
 * port. */
static bool keeps_ports(const struct prediction *prediction)
{
	unsigned int i;

	for (i = 0; i < PREDICT_SOCKETS; i++)
		if (nat_local_port(prediction->query[i].fd) != prediction->query[i].mapped.port_be)
			return false;
	return true;
}

static void on_end(void *arg)
{
	struct sluice_rendezvous_predicted predicted;
	struct prediction *prediction = arg;
	in_port_t ports_be[PREDICT_SOCKETS];
	bool known = !keeps_ports(prediction);
	unsigned int i;

	for (i = 0; i < PREDICT_SOCKETS; i++) {
		known = known && prediction->query[i].outcome == NAT_ANSWERED;
		ports_be[i] = prediction->query[i].mapped.port_be;
	}
	/* closes the sockets */
	nat_client_free(prediction->client);
	prediction->client = NULL;
	if (known && predict_ports(ports_be, &predicted))
		prediction->fn(&predicted, prediction->arg);
}

static void on_done(struct nat_query *query)
{
	struct prediction *prediction = query->arg;

	/* the client must not be freed here */
	if (!--prediction->running)
		loop_timer_start(prediction->end, 0);
}

static void on_begin(void *arg)
{
	struct prediction *prediction = arg;
	unsigned int i;

	prediction->running = PREDICT_SOCKETS;
	for (i = 0; i < PREDICT_SOCKETS; i++)
		nat_client_ask(prediction->client, &prediction->query[i], 0);
}

void prediction_begin(struct prediction *prediction)
{
	if (!prediction || !loop_timer_runs(prediction->begin))
		return;
	loop_timer_stop(prediction->begin);
	on_begin(prediction);
}

struct prediction *prediction_new(
	struct loop *loop, const struct stun_endpoint *server, uint64_t delay_us,
	void (*fn)(const struct sluice_rendezvous_predicted *predicted, void *arg), void *arg)
{
	struct prediction *prediction = calloc(1, sizeof(*prediction));
	unsigned int i;

	if (!prediction)
		return NULL;
	prediction->loop = loop;
	prediction->fn = fn;
	prediction->arg = arg;
	prediction->client = nat_client_new(loop, NULL);
	prediction->begin = loop_timer(loop, false, on_begin, prediction);
	prediction->end = loop_timer(loop, false, on_end, prediction);
	if (!prediction->client || !prediction->begin || !prediction->end)
		goto fail;
	for (i = 0; i < PREDICT_SOCKETS; i++) {
		struct nat_query *query = &prediction->query[i];

		query->fd = nat_client_socket(prediction->client, &(struct err){ 0 });
		if (query->fd < 0)
			goto fail;
		query->to = *server;
		query->done = on_done;
		query->arg = prediction;
	}
	if (!delay_us)
		on_begin(prediction);
	else if (loop_timer_start(prediction->begin, delay_us))
		goto fail;
	return prediction;
fail:
	prediction_free(prediction);
	return NULL;
}

void prediction_free(struct prediction *prediction)
{
	if (!prediction)
		return;
	nat_client_free(prediction->client);
	loop_timer_free(prediction->loop, prediction->begin);
	loop_timer_free(prediction->loop, prediction->end);
	free(prediction);
}
