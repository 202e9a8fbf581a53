// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/forward/carrier.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rate.h"
#include "meet/forward/pipe.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

/*
 * SYN retransmissions to an exposed service: if it does not answer, the other peer gets a code
 * after 15 s.
 */
#define SYN_COUNT 3
/* UDP services that a peer may use at once; each may have UDP_FLOWS_MAX sockets. */
#define UDP_MAX 4
/*
 * Maximum number of TCP connections. The stream limit does not bound it, because a connection
 * outlives its stream if the local socket does not read.
 */
#define TCP_MAX (2 * QUIC_STREAMS_MAX)
/* Rate limit of log lines about failed requests: one in ten seconds, with a burst of ten. */
#define LOG_NS	     10000000000ULL
#define LOG_BURST_NS (10 * LOG_NS)

enum channel_state {
	CHANNEL_REQUESTED,  /* opened by the other peer; the request is not complete */
	CHANNEL_ASKED,	    /* this peer has sent a request */
	CHANNEL_CONNECTING, /* to the exposed TCP service */
	CHANNEL_OPEN,
	CHANNEL_REFUSED, /* an error code was sent; further bytes are dropped */
};

/* A stream and its local socket. */
struct channel {
	LIST_ENTRY(channel) entry;
	TAILQ_ENTRY(channel) waiting; /* in carrier->waiting */
	bool waits;		      /* for carrier_update() to move its bytes */
	struct carrier *carrier;
	struct quic_stream *stream; /* NULL: it has ended */
	enum channel_state state;
	enum service_kind kind;
	char service[PEER_NAME_MAX + 1];
	uint8_t request[SERVICE_REQUEST_MAX];
	size_t have;
	struct pipe pipe; /* of TCP */
	bool has_pipe;
	struct udp_flows *udp;
	int listen_fd; /* UDP socket of the requesting peer */
};

LIST_HEAD(channel_list, channel);
TAILQ_HEAD(channel_queue, channel);

struct carrier {
	struct carrier_options options;
	struct quic *quic;
	struct channel_list channels;
	struct channel_queue waiting;
	unsigned int count;
	uint64_t log_full_ns; /* when the budget of log lines is full again */
	unsigned int unlogged;
};

static struct channel *channel_new(struct carrier *carrier, struct quic_stream *stream)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	*channel = (struct channel){ .carrier = carrier, .stream = stream, .listen_fd = -1 };
	LIST_INSERT_HEAD(&carrier->channels, channel, entry);
	carrier->count++;
	return channel;
}

/* @abort: reset, because data may have been lost. */
static void channel_free(struct channel *channel, bool abort)
{
	struct carrier *carrier = channel->carrier;

	if (channel->stream)
		quic_stream_reset(channel->stream);
	if (channel->has_pipe)
		pipe_close(&channel->pipe, abort);
	udp_flows_free(channel->udp);
	LIST_REMOVE(channel, entry);
	if (channel->waits)
		TAILQ_REMOVE(&carrier->waiting, channel, waiting);
	free(channel);
	carrier->count--;
	if (carrier->options.ended)
		carrier->options.ended(carrier->options.hooks_arg);
}

/* Logs that a request has failed. The other peer can make any number of requests. */
static void log_failure(const struct channel *channel, const char *message, const char *reason)
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

/* Moves the bytes of a TCP service, or delivers datagrams. May free the channel. */
static void pump(struct channel *channel)
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
		pump(channel);
	}
}

static void on_ready(void *arg)
{
	struct channel *channel = arg;
	struct carrier *carrier = channel->carrier;

	pump(channel);
	carrier->options.flush(carrier->options.arg);
}

/* --- exposing peer */

static void answer(struct channel *channel, enum service_code code)
{
	const uint8_t byte = (uint8_t)code;

	quic_stream_write(channel->stream, &byte, sizeof(byte));
	if (code == SERVICE_OK) {
		channel->state = CHANNEL_OPEN;
		return;
	}
	channel->state = CHANNEL_REFUSED;
	quic_stream_finish(channel->stream);
}

/* Handles the result of the connect to the exposed service. */
static void on_connected(struct channel *channel)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(channel->pipe.in, SOL_SOCKET, SO_ERROR, &error, &size))
		error = errno;
	if (!error) {
		answer(channel, SERVICE_OK);
		pump(channel);
		return;
	}
	log_failure(channel, "exposed service does not answer", strerror(error));
	pipe_close(&channel->pipe, false);
	channel->has_pipe = false;
	answer(channel, SERVICE_SILENT);
}

static void on_local(void *arg)
{
	struct channel *channel = arg;
	struct carrier *carrier = channel->carrier;

	if (channel->state != CHANNEL_CONNECTING) {
		on_ready(arg);
		return;
	}
	on_connected(channel);
	carrier->options.flush(carrier->options.arg);
}

/* Starts to connect to the exposed service. Returns 0 or -errno. */
static int connect_tcp(struct channel *channel, const struct stun_endpoint *at)
{
	const int yes = 1, syn_count = SYN_COUNT;
	union any_sockaddr addr;
	socklen_t size = endpoint_to_sockaddr(at, 0, &addr);
	int fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int result;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &syn_count, sizeof(syn_count));
	result = connect(fd, &addr.sa, size) && errno != EINPROGRESS ? -errno : 0;
	if (result) {
		close(fd);
		return result;
	}
	result = pipe_open(&channel->pipe, channel->carrier->options.loop, fd, fd, on_local,
			   channel);
	if (result)
		return result;
	channel->has_pipe = true;
	return loop_watch_want(channel->pipe.in_watch, false, true);
}

static int open_udp(struct channel *channel, const struct stun_endpoint *at)
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

/* Returns true if the maximum number of channels of this kind exists. */
static bool is_limit(const struct carrier *carrier, enum service_kind kind)
{
	const struct channel *channel;
	unsigned int used = 0;

	LIST_FOREACH(channel, &carrier->channels, entry)
		used += kind == SERVICE_UDP ? channel->udp != NULL : channel->has_pipe;
	return used >= (kind == SERVICE_UDP ? UDP_MAX : TCP_MAX);
}

static void refuse(struct channel *channel, enum service_code code)
{
	log_failure(channel, "request refused", service_describe(code));
	answer(channel, code);
}

static void serve(struct channel *channel)
{
	const struct carrier_options *options = &channel->carrier->options;
	const struct service *service = service_find(options->services, options->count,
						     channel->kind, channel->service);
	int result;

	if (!service) {
		refuse(channel, SERVICE_UNKNOWN);
		return;
	}
	if (is_limit(channel->carrier, service->address.kind)) {
		refuse(channel, SERVICE_LIMIT);
		return;
	}
	if (service->address.kind == SERVICE_TCP) {
		result = connect_tcp(channel, &service->address.at);
		channel->state = CHANNEL_CONNECTING;
	} else {
		result = open_udp(channel, &service->address.at);
		if (!result)
			answer(channel, SERVICE_OK);
	}
	if (!result)
		return;
	log_failure(channel, "exposed service does not answer", strerror(-result));
	if (channel->has_pipe)
		pipe_close(&channel->pipe, false);
	channel->has_pipe = false;
	answer(channel, SERVICE_SILENT);
}

/*
 * Consumes the bytes of a request. Returns the number of bytes consumed, or -EPROTO for an invalid
 * request.
 */
static int take_request(struct channel *channel, const uint8_t *data, size_t length)
{
	size_t before = channel->have, room = sizeof(channel->request) - before;
	size_t part = length < room ? length : room;
	int size;

	/* a fin without data */
	if (!length)
		return 0;
	memcpy(channel->request + before, data, part);
	channel->have += part;
	size = service_request_read(channel->request, channel->have, &channel->kind,
				    channel->service);
	if (size <= 0)
		return size ? size : (int)part;
	serve(channel);
	return size - (int)before;
}

/* --- requesting peer */

static int take_answer(struct channel *channel, unsigned int code)
{
	const struct carrier_options *options = &channel->carrier->options;

	if (code != SERVICE_OK)
		log_failure(channel, "service refused", service_describe(code));
	if (options->answered)
		options->answered(options->hooks_arg, code);
	if (code != SERVICE_OK)
		return -ECONNREFUSED;
	channel->state = CHANNEL_OPEN;
	return 0;
}

/* Opens a stream and sends a request. Returns NULL if no stream is available now. */
static struct channel *ask(struct carrier *carrier, enum service_kind kind, const char *service)
{
	uint8_t request[SERVICE_REQUEST_MAX];
	struct channel *channel = channel_new(carrier, NULL);

	if (!channel)
		return NULL;
	channel->state = CHANNEL_ASKED;
	channel->kind = kind;
	snprintf(channel->service, sizeof(channel->service), "%s", service);
	channel->stream = quic_stream_open(carrier->quic, channel);
	if (!channel->stream) {
		channel_free(channel, false);
		return NULL;
	}
	quic_stream_write(channel->stream, request, service_request_put(request, kind, service));
	return channel;
}

int carrier_tcp(struct carrier *carrier, const char *service, int in, int out)
{
	struct channel *channel;
	int result;

	channel = is_limit(carrier, SERVICE_TCP) ? NULL : ask(carrier, SERVICE_TCP, service);
	if (!channel)
		return -EAGAIN;
	result = pipe_open(&channel->pipe, carrier->options.loop, in, out, on_local, channel);
	channel->has_pipe = !result;
	if (result)
		channel_free(channel, true);
	else
		pump(channel);
	return result;
}

/* Datagrams follow the request at once, without waiting for the answer. */
int carrier_udp(struct carrier *carrier, const char *service, int listen_fd)
{
	const struct stun_endpoint none = { .port_be = 0 };
	struct channel *channel = ask(carrier, SERVICE_UDP, service);
	int result;

	if (!channel)
		return -EAGAIN;
	channel->listen_fd = listen_fd;
	result = open_udp(channel, &none);
	if (result)
		channel_free(channel, false);
	return result;
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

	if (channel->state == CHANNEL_REQUESTED) {
		head = take_request(channel, data, length);
	} else if (channel->state == CHANNEL_ASKED && length) {
		head = 1;
		result = take_answer(channel, data[0]);
	}
	if (head > 0)
		quic_stream_consumed(channel->stream, (size_t)head);
	/* the stream ended within the request */
	if (head < 0 || (channel->state == CHANNEL_REQUESTED && fin))
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
	const struct carrier_options *options = &channel->carrier->options;

	channel->stream = NULL;
	if (channel->state == CHANNEL_ASKED && options->answered)
		options->answered(options->hooks_arg, SERVICE_CODES);
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
