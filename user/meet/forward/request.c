// SPDX-License-Identifier: GPL-2.0-or-later
/* The peer that asks: requests a service, or a member of the pool. */
#include "meet/forward/carrier.h"
#include "meet/forward/channel.h"

#include <errno.h>
#include <string.h>

/* Consumes the bytes of the answer to a request for a member: a code, and a key after SERVICE_OK.
 */
static int take_key(struct channel *channel, const uint8_t *data, size_t length)
{
	const struct carrier_options *options = &channel->carrier->options;
	size_t room = 1 + KEY_SIZE - channel->have, part = length < room ? length : room;

	memcpy(channel->request + channel->have, data, part);
	channel->have += part;
	if (channel->request[0] == SERVICE_OK && channel->have < 1 + KEY_SIZE)
		return (int)part;
	channel->state = CHANNEL_ANSWERED;
	if (options->member_answered)
		options->member_answered(options->hooks_arg, channel->member, channel->request[0],
					 channel->request + 1);
	return (int)part;
}

int channel_take_answer(struct channel *channel, const uint8_t *data, size_t length)
{
	const struct carrier_options *options = &channel->carrier->options;
	unsigned int code;

	/* a fin without data */
	if (!length)
		return 0;
	if (channel->kind == SERVICE_MEMBER)
		return take_key(channel, data, length);
	code = data[0];
	if (code != SERVICE_OK)
		channel_log_failure(channel, "service refused", service_describe(code));
	if (options->answered)
		options->answered(options->hooks_arg, code);
	if (code != SERVICE_OK)
		return -ECONNREFUSED;
	channel->state = CHANNEL_OPEN;
	return 1;
}

void channel_unanswered(const struct channel *channel)
{
	const struct carrier_options *options = &channel->carrier->options;

	if (channel->kind == SERVICE_MEMBER && options->member_answered)
		options->member_answered(options->hooks_arg, channel->member, SERVICE_CODES, NULL);
	else if (channel->kind != SERVICE_MEMBER && options->answered)
		options->answered(options->hooks_arg, SERVICE_CODES);
}

/* Opens a stream and sends a request. Returns NULL if no stream is available now. */
static struct channel *ask(struct carrier *carrier, enum service_kind kind, const void *request,
			   size_t size)
{
	struct channel *channel = channel_new(carrier, NULL);

	if (!channel)
		return NULL;
	channel->state = CHANNEL_ASKED;
	channel->kind = kind;
	channel->stream = quic_stream_open(carrier->quic, channel);
	if (!channel->stream) {
		channel_discard(channel);
		return NULL;
	}
	quic_stream_write(channel->stream, request, size);
	return channel;
}

static struct channel *ask_service(struct carrier *carrier, enum service_kind kind,
				   const char *service)
{
	uint8_t request[SERVICE_REQUEST_MAX];
	size_t size = service_request_put(request, kind, service, strnlen(service, PEER_NAME_MAX));
	struct channel *channel = ask(carrier, kind, request, size);

	if (channel)
		snprintf(channel->service, sizeof(channel->service), "%s", service);
	return channel;
}

int carrier_member(struct carrier *carrier, const struct member_request *request)
{
	uint8_t bytes[MEMBER_REQUEST_MAX], message[SERVICE_REQUEST_MAX];
	size_t size = member_request_put(bytes, request);
	struct channel *channel;

	size = service_request_put(message, SERVICE_MEMBER, bytes, size);
	channel = ask(carrier, SERVICE_MEMBER, message, size);
	if (!channel)
		return -EAGAIN;
	memcpy(channel->member, request->id, sizeof(channel->member));
	quic_stream_finish(channel->stream);
	return 0;
}

void carrier_forget_member(struct carrier *carrier,
			   const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE])
{
	struct channel *channel;

	LIST_FOREACH(channel, &carrier->channels, entry)
		if (channel->kind == SERVICE_MEMBER && channel->state == CHANNEL_ASKED &&
		    channel->stream && !memcmp(channel->member, id, sizeof(channel->member))) {
			quic_stream_reset(channel->stream);
			channel_discard(channel);
			return;
		}
}

int carrier_tcp(struct carrier *carrier, const char *service, int in, int out)
{
	struct channel *channel;
	int result;

	channel = channel_is_limit(carrier, SERVICE_TCP)
			  ? NULL
			  : ask_service(carrier, SERVICE_TCP, service);
	if (!channel)
		return -EAGAIN;
	result = pipe_open(&channel->pipe, carrier->options.loop, in, out, channel_ready, channel);
	channel->has_pipe = !result;
	if (result)
		channel_free(channel, true);
	else
		channel_pump(channel);
	return result;
}

/* Datagrams follow the request at once, without waiting for the answer. */
int carrier_udp(struct carrier *carrier, const char *service, int listen_fd)
{
	const struct stun_endpoint none = { .port_be = 0 };
	struct channel *channel = ask_service(carrier, SERVICE_UDP, service);
	int result;

	if (!channel)
		return -EAGAIN;
	channel->listen_fd = listen_fd;
	result = channel_open_udp(channel, &none);
	if (result)
		channel_free(channel, false);
	return result;
}
