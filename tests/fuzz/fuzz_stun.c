// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the STUN codec with a message as a datagram and as the start of a stream. stun_parse()
 * must accept what sluice_stun_recognise() accepts. sluice_stun_answer() and the builder must
 * produce the same answer.
 */
#include "fuzz.h"

#include "../../user/net/stun.c"
#include "../../user/net/stun_build.c"
#include "../../user/net/stun_digest.c"

#include "../unit/stun_read.h"

#include <sluice/stun_binding.h>
#include <stdlib.h>

/* Rebuilds the message from the parsed attributes. All attribute values must match. */
static void build_again(const struct stun_message *message)
{
	uint8_t *copy = malloc(message->length);
	struct stun_builder builder;
	struct stun_attr attr;
	size_t at = 0, end = HEADER;

	MUST(copy);
	stun_begin_response(&builder, copy, message->length, message, message->class);
	for (; stun_next(message, &at, &attr); end = at)
		stun_put(&builder, attr.type, attr.value, attr.length);
	MUST(stun_end(&builder) == end);
	for (at = 0; stun_next(message, &at, &attr);)
		MUST(!memcmp(copy + (attr.value - message->data), attr.value, attr.length));
	free(copy);
}

/* Builds the answer with the full codec, as a server without a fast path does. */
static size_t answer_by_codec(const struct stun_message *request, const struct stun_endpoint *from,
			      uint8_t *answer, size_t size)
{
	struct stun_builder builder;

	stun_begin_response(&builder, answer, size, request, SLUICE_STUN_SUCCESS);
	stun_put_xor_address(&builder, SLUICE_STUN_XOR_MAPPED_ADDRESS, from);
	if (request->fingerprint)
		stun_put_fingerprint(&builder);
	return stun_end(&builder);
}

static void compare_answers(const uint8_t *data, size_t size, int parsed,
			    const struct stun_message *message)
{
	struct packet_cursor cursor = packet_begin((void *)data, (void *)(data + size),
						   (uint32_t)size, 0);
	struct stun_endpoint from[2] = { { .addr = packet_map_ipv4(0x04030201), .port_be = 258 },
					 { .port_be = 772 } };
	struct sluice_stun_request request;
	struct sluice_stun_answer answer;
	uint8_t other[sizeof(answer)];
	enum sluice_stun_kind kind;
	uint16_t unknown[STUN_UNKNOWN_MAX];
	size_t i, length;

	kind = sluice_stun_recognise(&cursor, 0, (uint32_t)size, &request);
	if (kind == SLUICE_STUN_IS_NONE)
		MUST(parsed == -EPROTO || message->classic);
	if (kind != SLUICE_STUN_IS_ORDINARY)
		return;
	MUST(!parsed && !message->classic && message->method == SLUICE_STUN_BINDING);
	MUST(message->class == SLUICE_STUN_REQUEST && !message->integrity);
	MUST(!message->integrity_sha256 && !stun_unknown(message, NULL, 0, unknown));
	memcpy(&from[1].addr, "\x20\x01\x0d\xb8\0\1\2\3\4\5\6\7\10\11\12\13", 16);
	for (i = 0; i < 2; i++) {
		length = answer_by_codec(message, &from[i], other, sizeof(other));
		MUST(length ==
		     sluice_stun_answer(&answer, &request, &from[i].addr, from[i].port_be));
		MUST(!memcmp(&answer, other, length));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stun_message message = { .data = NULL };
	ssize_t framed = stun_frame(data, size, 2048);
	int parsed = stun_parse(data, size, &message);

	MUST(parsed == 0 || parsed == -EPROTO || parsed == -EBADMSG);
	MUST(framed == -EPROTO || framed == 0 || (framed >= HEADER && framed <= 2048));
	if (parsed != -EPROTO) {
		MUST(message.classic || size > 2048 || framed == (ssize_t)size);
		stun_read_all(&message);
		build_again(&message);
	}
	compare_answers(data, size, parsed, &message);
	return 0;
}
