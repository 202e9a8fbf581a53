// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/channel.h"

#include <errno.h>

static unsigned int get16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

int channel_parse(const void *message, size_t length, struct channel_data *out)
{
	const uint8_t *bytes = message;

	if (length < SLUICE_CHANNEL_HEADER || !channel_is_valid(get16(bytes)) ||
	    get16(bytes + 2) > length - SLUICE_CHANNEL_HEADER)
		return -EPROTO;
	*out = (struct channel_data){ .number = (uint16_t)get16(bytes),
				      .data = bytes + SLUICE_CHANNEL_HEADER,
				      .length = get16(bytes + 2) };
	return 0;
}

ssize_t channel_frame(const void *data, size_t have, size_t max)
{
	const uint8_t *bytes = data;
	size_t size;

	if (have && !channel_is_data(data, have))
		return -EPROTO;
	if (have < SLUICE_CHANNEL_HEADER)
		return 0;
	size = channel_padded(get16(bytes + 2));
	return size <= max ? (ssize_t)size : -EPROTO;
}

void channel_put_header(uint8_t header[SLUICE_CHANNEL_HEADER], uint16_t number, size_t length)
{
	header[0] = (uint8_t)(number >> 8);
	header[1] = (uint8_t)number;
	header[2] = (uint8_t)(length >> 8);
	header[3] = (uint8_t)length;
}
