// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/candidate.h"

#include "meet/nonce.h"

#include <errno.h>
#include <sluice/rendezvous.h>
#include <string.h>

/* kind, transport, two zero bytes */
#define FRONT	    4
#define ID_AT	    8 /* in a message */
#define ATTR_HEADER 4
#define SIZE_IP4    8
#define SIZE_IP6    20

const char *const candidate_kinds[] = { "none", "host", "server-reflexive", "mapped", NULL };

int candidate_parse(const struct stun_message *message, const struct stun_attr *attr,
		    struct candidate *candidate, const char **proof)
{
	struct stun_attr address = { .type = attr->type };
	struct candidate parsed = { .kind = 0 };

	if (attr->length < FRONT + SIZE_IP4 || attr->value[2] || attr->value[3])
		return -EBADMSG;
	parsed.kind = attr->value[0];
	parsed.transport = attr->value[1];
	if (parsed.kind < CANDIDATE_HOST || parsed.kind > CANDIDATE_KIND_MAX ||
	    (parsed.transport != CANDIDATE_UDP && parsed.transport != CANDIDATE_TCP))
		return -EBADMSG;
	address.value = attr->value + FRONT;
	address.length = address.value[1] == SLUICE_STUN_IP4 ? SIZE_IP4 : SIZE_IP6;
	if (attr->length != FRONT + address.length &&
	    attr->length != FRONT + address.length + NONCE_SIZE)
		return -EBADMSG;
	if (stun_value_xor_address(message, &address, &parsed.at))
		return -EBADMSG;
	*candidate = parsed;
	*proof = attr->length > FRONT + address.length
			 ? (const char *)address.value + address.length
			 : NULL;
	return 0;
}

void candidate_put(struct stun_builder *builder, const struct candidate *candidate,
		   const char *proof)
{
	uint8_t value[FRONT + SIZE_IP6 + NONCE_SIZE] = { candidate->kind, candidate->transport };
	/* the codec writes the address as an attribute of a message with this transaction id */
	uint8_t scratch[SLUICE_STUN_HEADER_SIZE + ATTR_HEADER + SIZE_IP6];
	struct stun_builder inner;
	size_t size;

	stun_begin(&inner, scratch, sizeof(scratch), 0, SLUICE_STUN_REQUEST, builder->data + ID_AT);
	stun_put_xor_address(&inner, SLUICE_STUN_XOR_MAPPED_ADDRESS, &candidate->at);
	size = stun_end(&inner) - (sizeof(scratch) - SIZE_IP6);
	memcpy(value + FRONT, scratch + sizeof(scratch) - SIZE_IP6, size);
	if (proof) {
		memcpy(value + FRONT + size, proof, NONCE_SIZE);
		size += NONCE_SIZE;
	}
	stun_put(builder, SLUICE_RENDEZVOUS_CANDIDATE, value, FRONT + size);
}
