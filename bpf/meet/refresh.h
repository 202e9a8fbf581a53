/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Answers the short refresh of a registration. The refresh is authenticated by a MAC over
 * registration and source, and its answer is shorter, so it needs no budget. The program only
 * stores the time of the refresh in the map, where the server reads it.
 */
#ifndef SLUICE_BPF_MEET_REFRESH_H
#define SLUICE_BPF_MEET_REFRESH_H

#include "meet/answer.h"

#include <sluice/rendezvous.h>

struct refresh_message {
	struct sluice_stun_header header;
	struct sluice_stun_attr_header attr;
	struct sluice_rendezvous_token token;
} PACKET_UNALIGNED;
_Static_assert(sizeof(struct refresh_message) == SLUICE_RENDEZVOUS_REFRESH_SIZE, "refresh");

/* Returns true if the datagram is a short refresh. */
static __always_inline bool refresh_is(const struct packet_cursor *cursor,
				       const struct datagram *datagram)
{
	const struct refresh_message *message = packet_at(cursor, datagram->payload_off,
							  sizeof(*message));

	return message && datagram->payload_len == sizeof(*message) &&
	       message->header.type_be == PACKET_BE16(SLUICE_STUN_TYPE(SLUICE_RENDEZVOUS_REFRESH,
								       SLUICE_STUN_REQUEST)) &&
	       PACKET_BE16(message->header.length_be) ==
		       sizeof(*message) - sizeof(message->header) &&
	       message->attr.type_be == PACKET_BE16(SLUICE_RENDEZVOUS_REFRESH_TOKEN) &&
	       PACKET_BE16(message->attr.length_be) == sizeof(message->token);
}

/*
 * Returns the registration if the token is valid and comes from the registered source, else NULL.
 */
static __always_inline struct sluice_meet_peer *refresh_peer(const struct datagram *datagram,
							     const struct sluice_rendezvous_id *id,
							     __u64 mac)
{
	__u32 slot = PACKET_BE32(id->slot_be), epoch = PACKET_BE32(id->epoch_be);
	struct sluice_meet_peer *peer = bpf_map_lookup_elem(&sluice_m_peers, &slot);

	if (!peer || !epoch || *(volatile __u32 *)&peer->epoch != epoch ||
	    peer->port_be != datagram->source_port_be ||
	    !addr_equal(&peer->addr, &datagram->source))
		return NULL;
	return sluice_rendezvous_token_mac(&peer->key, id, datagram->source.word_be,
					   datagram->source_port_be) == mac
		       ? peer
		       : NULL;
}

/*
 * Builds the answer. Returns XDP_TX and sets *found to the registration, or else the XDP verdict
 * for the request.
 */
static __always_inline int refresh_answer(const struct packet_cursor *cursor,
					  const struct datagram *datagram, bool open_ok, __u64 *now,
					  struct sluice_meet_peer **found,
					  struct sluice_stun_answer *answer)
{
	const struct refresh_message *message = packet_at(cursor, datagram->payload_off,
							  sizeof(*message));
	struct sluice_rendezvous_id id;
	struct sluice_meet_peer *peer;
	__be32 *word_be = answer->word_be;
	__u64 mac, proof;
	int verdict;

	if (!message)
		return XDP_PASS;
	id = message->token.id;
	mac = SLUICE_RENDEZVOUS_LE64(message->token.mac_le);
	word_be[0] = PACKET_BE32(SLUICE_STUN_TYPE(SLUICE_RENDEZVOUS_REFRESH, SLUICE_STUN_SUCCESS)
					 << 16 |
				 (SLUICE_RENDEZVOUS_REFRESHED_SIZE - SLUICE_STUN_HEADER_SIZE));
	word_be[1] = PACKET_BE32(SLUICE_STUN_COOKIE);
	word_be[2] = message->header.id_be[0];
	word_be[3] = message->header.id_be[1];
	word_be[4] = message->header.id_be[2];
	verdict = may_answer(cursor, datagram, open_ok, now);
	if (verdict != XDP_TX)
		return verdict;
	peer = refresh_peer(datagram, &id, mac);
	if (!peer)
		return pass(SLUICE_MEET_passed_refresh);
	proof = SLUICE_RENDEZVOUS_LE64(sluice_rendezvous_proof_mac(&peer->key, &id, &word_be[2]));
	word_be[5] = PACKET_BE32((__u32)SLUICE_RENDEZVOUS_REFRESH_PROOF << 16 | sizeof(proof));
	__builtin_memcpy(&word_be[6], &proof, sizeof(proof));
	*found = peer;
	return XDP_TX;
}

#endif
