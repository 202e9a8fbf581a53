// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/member.h"

#include <errno.h>
#include <string.h>

#define KEY_AT	     SLUICE_RENDEZVOUS_SESSION_ID_SIZE
#define ADDRESSES_AT (KEY_AT + KEY_SIZE)

size_t member_request_put(uint8_t buffer[MEMBER_REQUEST_MAX], const struct member_request *request)
{
	uint8_t *to = buffer + ADDRESSES_AT;
	unsigned int i;

	memcpy(buffer, request->id, KEY_AT);
	memcpy(buffer + KEY_AT, request->ephemeral, KEY_SIZE);
	for (i = 0; i < request->addresses; i++, to += MEMBER_ADDRESS_SIZE) {
		memcpy(to, &request->at[i].addr, sizeof(struct in6_addr));
		memcpy(to + sizeof(struct in6_addr), &request->at[i].port_be, sizeof(in_port_t));
	}
	return (size_t)(to - buffer);
}

int member_request_read(const uint8_t *data, size_t length, struct member_request *request)
{
	struct member_request parsed = { .addresses = 0 };
	const uint8_t *from = data + ADDRESSES_AT;

	if (length < ADDRESSES_AT || length > MEMBER_REQUEST_MAX ||
	    (length - ADDRESSES_AT) % MEMBER_ADDRESS_SIZE)
		return -EPROTO;
	memcpy(parsed.id, data, KEY_AT);
	memcpy(parsed.ephemeral, data + KEY_AT, KEY_SIZE);
	for (; from < data + length; from += MEMBER_ADDRESS_SIZE) {
		struct stun_endpoint *at = &parsed.at[parsed.addresses++];

		memcpy(&at->addr, from, sizeof(at->addr));
		memcpy(&at->port_be, from + sizeof(at->addr), sizeof(at->port_be));
		at->tcp = true;
	}
	*request = parsed;
	return 0;
}

void member_introduce(struct introduction *introduction, const struct introduction *path,
		      const struct member_request *other, const uint8_t secret[KEY_SIZE],
		      bool initiator, uint64_t now_ns)
{
	unsigned int i;

	*introduction = (struct introduction){ .start_ns = now_ns,
					       .mapped = path->mapped,
					       .server = path->server,
					       .initiator = initiator };
	memcpy(introduction->name, path->name, sizeof(introduction->name));
	memcpy(introduction->peer_key, path->peer_key, KEY_SIZE);
	memcpy(introduction->id, other->id, sizeof(introduction->id));
	memcpy(introduction->ephemeral_secret, secret, KEY_SIZE);
	memcpy(introduction->peer_ephemeral, other->ephemeral, KEY_SIZE);
	for (i = 0; i < other->addresses; i++)
		introduction->candidate[i] = (struct candidate){ .at = other->at[i],
								 .kind = CANDIDATE_REFLEXIVE,
								 .transport = CANDIDATE_TCP };
	introduction->candidates = other->addresses;
}
