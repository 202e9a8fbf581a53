// SPDX-License-Identifier: GPL-2.0-or-later
/* The peer that was asked: connects a stream to the exposed service. */
#include "meet/forward/channel.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/*
 * SYN retransmissions to an exposed service: if it does not answer, the other peer gets a code
 * after 15 s.
 */
#define SYN_COUNT 3
static void answer(struct channel *channel, enum service_code code)
{
	const uint8_t byte = (uint8_t)code;

	quic_stream_write(channel->stream, &byte, sizeof(byte));
	if (code == SERVICE_OK) {
		channel->state = CHANNEL_OPEN;
		return;
	}
	channel->state = CHANNEL_ANSWERED;
	quic_stream_finish(channel->stream);
}

void channel_connected(struct channel *channel)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(channel->pipe.in, SOL_SOCKET, SO_ERROR, &error, &size))
		error = errno;
	if (!error) {
		answer(channel, SERVICE_OK);
		channel_pump(channel);
		return;
	}
	channel_log_failure(channel, "exposed service does not answer", strerror(error));
	pipe_close(&channel->pipe, false);
	channel->has_pipe = false;
	answer(channel, SERVICE_SILENT);
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
	result = pipe_open(&channel->pipe, channel->carrier->options.loop, fd, fd, channel_ready,
			   channel);
	if (result)
		return result;
	channel->has_pipe = true;
	return loop_watch_want(channel->pipe.in_watch, false, true);
}

static void refuse(struct channel *channel, enum service_code code)
{
	channel_log_failure(channel, "request refused", service_describe(code));
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
	if (channel_is_limit(channel->carrier, service->address.kind)) {
		refuse(channel, SERVICE_LIMIT);
		return;
	}
	if (service->address.kind == SERVICE_TCP) {
		result = connect_tcp(channel, &service->address.at);
		channel->state = CHANNEL_CONNECTING;
	} else {
		result = channel_open_udp(channel, &service->address.at);
		if (!result)
			answer(channel, SERVICE_OK);
	}
	if (!result)
		return;
	channel_log_failure(channel, "exposed service does not answer", strerror(-result));
	if (channel->has_pipe)
		pipe_close(&channel->pipe, false);
	channel->has_pipe = false;
	answer(channel, SERVICE_SILENT);
}

/* Answers a request for a member of the pool. Returns 0, or -EPROTO for an invalid request. */
static int serve_member(struct channel *channel, const uint8_t *data, size_t length)
{
	const struct carrier_options *options = &channel->carrier->options;
	uint8_t key[KEY_SIZE];
	struct member_request request;
	enum service_code code = SERVICE_UNKNOWN;

	if (member_request_read(data, length, &request))
		return -EPROTO;
	if (options->member_requested)
		code = options->member_requested(options->hooks_arg, &request, key);
	answer(channel, code);
	if (code != SERVICE_OK)
		return 0;
	quic_stream_write(channel->stream, key, sizeof(key));
	quic_stream_finish(channel->stream);
	channel->state = CHANNEL_ANSWERED;
	return 0;
}

int channel_take_request(struct channel *channel, const uint8_t *data, size_t length)
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
	if (channel->kind != SERVICE_MEMBER)
		serve(channel);
	else if (serve_member(channel, channel->request + SERVICE_HEADER,
			      (size_t)size - SERVICE_HEADER))
		return -EPROTO;
	return size - (int)before;
}
