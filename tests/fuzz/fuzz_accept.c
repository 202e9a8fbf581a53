// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the parser of the Accept header, which any HTTP client can set. An unknown media range
 * must not change the answer.
 */
#include "fuzz.h"

#include "../../user/metrics/accept.c"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char suffix[] = ",image/png";
	char *text = malloc(size + sizeof(suffix));
	enum metrics_format format;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	format = accept_format(text);
	memcpy(text + strlen(text), suffix, sizeof(suffix));
	if (accept_format(text) != format)
		__builtin_trap();
	free(text);
	return 0;
}
