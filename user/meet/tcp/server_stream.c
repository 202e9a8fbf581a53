// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/tcp/server_stream.h"

#include "meet/channel.h"

ssize_t server_stream_frame(const uint8_t *data, size_t have, size_t max)
{
	return channel_is_data(data, have) ? channel_frame(data, have, max)
					   : stun_frame(data, have, max);
}

void server_stream_send(struct tcp_stream *stream, const void *message, size_t length)
{
	if (!tcp_stream_has_room(stream, length))
		return;
	tcp_stream_queue(stream, message, length);
	tcp_stream_push(stream);
}

void server_stream_send_channel(struct tcp_stream *stream, uint16_t channel, const void *data,
				size_t length, size_t size)
{
	static const uint8_t padding[3];
	uint8_t header[SLUICE_CHANNEL_HEADER];
	const uint8_t *from = data;
	size_t part, padded;

	for (; length; from += part, length -= part) {
		part = length < size ? length : size;
		padded = channel_padded(part);
		if (!tcp_stream_has_room(stream, padded + TCP_STREAM_RESERVED))
			break;
		channel_put_header(header, channel, part);
		tcp_stream_queue(stream, header, sizeof(header));
		tcp_stream_queue(stream, from, part);
		tcp_stream_queue(stream, padding, padded - part - sizeof(header));
	}
	if (stream->connected)
		tcp_stream_push(stream);
}
