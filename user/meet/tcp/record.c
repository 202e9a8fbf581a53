// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/tcp/record.h"

#include <errno.h>

ssize_t record_frame(const uint8_t *data, size_t have, size_t max)
{
	size_t size;

	if (have < RECORD_HEADER)
		return 0;
	size = RECORD_HEADER + ((size_t)data[0] << 8 | data[1]);
	return size > RECORD_HEADER && size <= max ? (ssize_t)size : -EPROTO;
}

void record_put_header(uint8_t header[RECORD_HEADER], size_t length)
{
	header[0] = (uint8_t)(length >> 8);
	header[1] = (uint8_t)length;
}
