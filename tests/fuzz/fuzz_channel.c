// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzzes the codec of ChannelData, as a datagram and as the start of a stream. */
#include "fuzz.h"

#include "../../user/meet/channel.c"

#include <stdlib.h>
#include <string.h>

#define STREAM_MAX 1280

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ssize_t framed = channel_frame(data, size, STREAM_MAX);
	struct channel_data out = { 0 };
	int parsed = channel_parse(data, size, &out);
	uint8_t *copy;

	MUST(!parsed || parsed == -EPROTO);
	MUST(framed == -EPROTO || framed == 0 ||
	     (framed >= SLUICE_CHANNEL_HEADER && framed <= STREAM_MAX && framed % 4 == 0));
	if (parsed)
		return 0;
	MUST(channel_is_valid(out.number) && channel_is_data(data, size));
	MUST(out.data >= data && out.data + out.length <= data + size);
	/* the same message with padding is the start of a stream */
	copy = calloc(1, channel_padded(out.length));
	MUST(copy);
	channel_put_header(copy, out.number, out.length);
	memcpy(copy + SLUICE_CHANNEL_HEADER, out.data, out.length);
	MUST(!memcmp(copy, data, SLUICE_CHANNEL_HEADER + out.length));
	MUST(channel_frame(copy, SLUICE_CHANNEL_HEADER, SIZE_MAX) ==
	     (ssize_t)channel_padded(out.length));
	if (channel_padded(out.length) <= STREAM_MAX)
		MUST(framed == (ssize_t)channel_padded(out.length));
	free(copy);
	return 0;
}
