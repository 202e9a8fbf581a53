// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzzes the parser of STUN responses, which come from the network. */
#include "../../user/base/stun.c"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t id[STUN_ID_SIZE] = { 0 };
	struct stun_mapped mapped = { .port_be = 0 };
	unsigned int error = 0;
	int result;

	/* the transaction id of the message itself, so that it is not refused for that */
	if (size >= HEADER_SIZE)
		memcpy(id, data + 8, sizeof(id));
	result = stun_response(data, size, id, &mapped, &error);
	if (result > 0 || error > 7 * 100 + 255)
		__builtin_trap();
	return 0;
}
