// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/forward/carrier.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rate.h"
#include "meet/forward/channel.h"

#include <errno.h>
#include <stdlib.h>

/* UDP services that a peer may use at once; each may have UDP_FLOWS_MAX sockets. */
#define UDP_MAX 4
/*
 * Maximum number of TCP connections. The stream limit does not bound it, because a connection
 * outlives its stream if the local socket does not read.
 */
#define TCP_MAX (2 * QUIC_STREAMS_MAX)
/* The same for a member of a pool, which is lent to one program at a time. */
#define MEMBER_TCP_MAX 4
/* Rate limit of log lines about failed requests: one in ten seconds, with a burst of ten. */
#define LOG_NS	     10000000000ULL
#define LOG_BURST_NS (10 * LOG_NS)

struct channel *channel_new(struct carrier *carrier, struct quic_stream *stream)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	*channel = (struct channel){ .carrier = carrier, .stream = stream, .listen_fd = -1 };
	LIST_INSERT_HEAD(&carrier->channels, channel, entry);
	carrier->count++;
	return channel;
}

void channel_discard(struct channel *channel)
{
	LIST_REMOVE(channel, entry);
	channel->carrier->count--;
	free(channel);
}

void channel_free(struct channel *channel, bool abort)
{
	struct carrier *carrier = channel->carrier;

	if (channel->stream)
		quic_stream_reset(channel->stream);
	if (channel->has_pipe)
		pipe_close(&channel->pipe, abort);
	udp_flows_free(channel->udp);
	if (channel->waits)
		TAILQ_REMOVE(&carrier->waiting, channel, waiting);
	channel_discard(channel);
	if (carrier->options.ended)
		carrier->options.ended(carrier->options.hooks_arg);
}

void channel_log_failure(const struct channel *channel, const char *message, const char *reason)
{
	struct carrier *carrier = channel->carrier;
	struct log_line line;

	if (!rate_take(&carrier->log_full_ns, LOG_NS, LOG_BURST_NS, clock_now_us() * 1000)) {
		carrier->unlogged++;
		return;
	}
	log_begin(&line, LOG_LEVEL_WARNING, message);
	log_field(&line, "peer", "%s", carrier->options.peer);
	log_field(&line, "service", "%s", channel->service);
	log_field(&line, "protocol", "%s", service_kinds[channel->kind]);
	log_field(&line, "reason", "%s", reason);
	if (carrier->unlogged)
		log_field(&line, "unlogged", "%u", carrier->unlogged);
	log_end(&line);
	carrier->unlogged = 0;
}

void channel_pump(struct channel *channel)
{
	int result = 0;

	if (channel->udp)
		udp_flows_deliver(channel->udp);
	else
		result = pipe_pump(&channel->pipe, channel->stream);
	/* after both directions have ended, the stream still has to deliver queued data */
	if (result < 0 || (result && !channel->stream))
		channel_free(channel, result < 0);
}

/*
 * Defers the move to carrier_update(), after a batch of packets: one system call can move the data
 * of many packets.
 */
static void pump_later(struct channel *channel)
{
	if (channel->waits)
		return;
	channel->waits = true;
	TAILQ_INSERT_TAIL(&channel->carrier->waiting, channel, waiting);
}

void carrier_update(struct carrier *carrier)
{
	struct channel *channel;

	while ((channel = TAILQ_FIRST(&carrier->waiting))) {
		TAILQ_REMOVE(&carrier->waiting, channel, waiting);
		channel->waits = false;
		channel_pump(channel);
	}
}

static void on_ready(void *arg)
{
	struct channel *channel = arg;
	struct carrier *carrier = channel->carrier;

	channel_pump(channel);
	carrier->options.flush(carrier->options.arg);
}

void channel_ready(void *arg)
{
	struct channel *channel = arg;
	struct carrier *carrier = channel->carrier;

	if (channel->state != CHANNEL_CONNECTING) {
		on_ready(arg);
		return;
	}
	channel_connected(channel);
	carrier->options.flush(carrier->options.arg);
}

int channel_open_udp(struct channel *channel, const struct stun_endpoint *at)
{
	const struct carrier_options *options = &channel->carrier->options;
	const struct udp_flows_options udp = {
		.loop = options->loop,
		.quic = channel->carrier->quic,
		.stream = channel->stream,
		.peer = options->peer,
		.service = channel->service,
		.listen_fd = channel->listen_fd,
		.at = *at,
		.flush = options->flush,
		.arg = options->arg,
		.drops = options->drops,
	};

	return udp_flows_new(&channel->udp, &udp);
}

bool channel_is_limit(const struct carrier *carrier, enum service_kind kind)
{
	const struct channel *channel;
	unsigned int used = 0;

	LIST_FOREACH(channel, &carrier->channels, entry)
		used += kind == SERVICE_UDP ? channel->udp != NULL : channel->has_pipe;
	if (carrier->options.is_member)
		return kind == SERVICE_UDP || used >= MEMBER_TCP_MAX;
	return used >= (kind == SERVICE_UDP ? UDP_MAX : TCP_MAX);
}

/* --- streams */

void *carrier_opened(struct carrier *carrier, struct quic_stream *stream)
{
	return channel_new(carrier, stream);
}

/* Handles the bytes after the request or the answer. Returns 0 or -errno. */
static int take_bytes(struct channel *channel, const uint8_t *data, size_t length, bool fin)
{
	if (channel->has_pipe)
		return pipe_put(&channel->pipe, data, length, fin);
	quic_stream_consumed(channel->stream, length);
	if (!channel->udp || channel->state == CHANNEL_ASKED)
		return 0;
	pump_later(channel);
	return fin ? -EPIPE : udp_flows_data(channel->udp, data, length);
}

void carrier_data(void *user, const uint8_t *data, size_t length, bool fin)
{
	struct channel *channel = user;
	int head = 0, result = 0;

	if (channel->state == CHANNEL_REQUESTED)
		head = channel_take_request(channel, data, length);
	else if (channel->state == CHANNEL_ASKED)
		head = channel_take_answer(channel, data, length);
	if (head > 0)
		quic_stream_consumed(channel->stream, (size_t)head);
	if (head < 0)
		result = head;
	else if (channel->state == CHANNEL_REQUESTED && fin) /* within the request */
		result = -EPROTO;
	if (!result)
		result = take_bytes(channel, data + head, length - (size_t)head, fin);
	if (result)
		channel_free(channel, true);
	else if (channel->state == CHANNEL_OPEN && channel->has_pipe)
		pump_later(channel);
}

void carrier_writable(void *user)
{
	struct channel *channel = user;

	if (channel->has_pipe && channel->state != CHANNEL_CONNECTING)
		pump_later(channel);
}

void carrier_ended(void *user, bool reset)
{
	struct channel *channel = user;

	channel->stream = NULL;
	if (channel->state == CHANNEL_ASKED)
		channel_unanswered(channel);
	/* received data may still have to be written */
	if (!reset && channel->has_pipe && channel->state == CHANNEL_OPEN)
		pump_later(channel);
	else
		channel_free(channel, reset);
}

void carrier_datagram(struct carrier *carrier, const uint8_t *data, size_t length)
{
	struct channel *channel;
	uint32_t stream;

	if (!udp_flows_stream_of(data, length, &stream))
		return;
	LIST_FOREACH(channel, &carrier->channels, entry)
		if (channel->udp && channel->stream &&
		    quic_stream_number(channel->stream) == stream) {
			udp_flows_datagram(channel->udp, data, length);
			pump_later(channel);
			return;
		}
}

/* --- life */

int carrier_new(struct carrier **carrier, const struct carrier_options *options)
{
	struct carrier *created = calloc(1, sizeof(*created));

	if (!created)
		return -ENOMEM;
	created->options = *options;
	LIST_INIT(&created->channels);
	TAILQ_INIT(&created->waiting);
	*carrier = created;
	return 0;
}

void carrier_set_quic(struct carrier *carrier, struct quic *quic)
{
	carrier->quic = quic;
}

void carrier_free(struct carrier *carrier)
{
	if (!carrier)
		return;
	carrier->options.ended = NULL;
	while (!LIST_EMPTY(&carrier->channels))
		channel_free(LIST_FIRST(&carrier->channels), true);
	free(carrier);
}

unsigned int carrier_count(const struct carrier *carrier)
{
	return carrier->count;
}
