/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The server side of an ordinary Binding transaction (RFC 8489), for BPF and user space:
 * sluice_stun_recognise() reads a request, sluice_stun_answer() builds the response. Both are pure
 * and bounds-checked. All other messages need the full codec (user/net/stun.h).
 */
#ifndef SLUICE_STUN_BINDING_H
#define SLUICE_STUN_BINDING_H

#include <sluice/packet.h>
#include <sluice/stun.h>

struct sluice_stun_header {
	__be16 type_be;
	__be16 length_be; /* length of the attributes in bytes */
	__be32 cookie_be;
	__be32 id_be[3];
} PACKET_UNALIGNED;

struct sluice_stun_attr_header {
	__be16 type_be;
	__be16 length_be; /* length of the value in bytes, without padding */
} PACKET_UNALIGNED;

enum sluice_stun_kind {
	/* not a STUN message of RFC 8489 */
	SLUICE_STUN_IS_NONE,
	/*
	 * needs the full codec: not a Binding request, too long, or with attributes that are not
	 * optional
	 */
	SLUICE_STUN_IS_OTHER,
	/* a Binding request for sluice_stun_answer() */
	SLUICE_STUN_IS_ORDINARY,
};

struct sluice_stun_request {
	__be32 id_be[3];
	__u32 fingerprint; /* 1: the request has a correct FINGERPRINT, so the response needs one */
};

/*
 * The longest ordinary request, in bytes and in attributes. A longer request is
 * SLUICE_STUN_IS_OTHER, so that the work of a BPF program is bounded.
 */
#define SLUICE_STUN_ORDINARY_MAX 128U
#define SLUICE_STUN_ATTRS_MAX	 8

#define SLUICE_STUN_ANSWER_WORDS 13 /* header, XOR-MAPPED-ADDRESS of IPv6, FINGERPRINT */

/* A response, as words in network order. */
struct sluice_stun_answer {
	__be32 word_be[SLUICE_STUN_ANSWER_WORDS];
};
_Static_assert(sizeof(struct sluice_stun_answer) == 52, "struct sluice_stun_answer");

/*
 * Adds a word in network order to a CRC-32 (ITU V.42), 4 bits at a time: a table of 16 words fits
 * in one cache line, and the messages are short.
 */
PACKET_INLINE __u32 sluice_stun_crc_word(__u32 crc, __be32 word_be)
{
	static const __u32 table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	int i;

	/* the first byte in memory becomes the least significant byte */
	crc ^= (__u32)__builtin_bswap32(PACKET_BE32(word_be));
	for (i = 0; i < 8; i++)
		crc = crc >> 4 ^ table[crc & 15];
	return crc;
}

struct sluice_stun_word {
	__be32 word_be;
} PACKET_UNALIGNED;

/* Returns 1 if the FINGERPRINT at @at is correct for the message that starts at @off. */
PACKET_INLINE __u32 sluice_stun_fingerprint_ok(const struct packet_cursor *cursor, __u32 off,
					       __u32 at)
{
	const struct sluice_stun_word *word;
	__u32 i, crc = ~0U;

	for (i = 0; i < SLUICE_STUN_ORDINARY_MAX / 4 && off < at; i++, off += 4) {
		word = packet_at(cursor, off, sizeof(*word));
		if (!word)
			return 0;
		crc = sluice_stun_crc_word(crc, word->word_be);
	}
	word = packet_at(cursor, at + sizeof(struct sluice_stun_attr_header), sizeof(*word));
	return word && PACKET_BE32(word->word_be) == (~crc ^ SLUICE_STUN_FINGERPRINT_XOR);
}

/*
 * Classifies the payload of a datagram: the @length bytes at offset @off of the cursor. Sets
 * *request only if it returns SLUICE_STUN_IS_ORDINARY.
 *
 * An ordinary request has only comprehension-optional attributes, and a FINGERPRINT, if any, that
 * is correct and last.
 */
PACKET_INLINE enum sluice_stun_kind sluice_stun_recognise(const struct packet_cursor *cursor,
							  __u32 off, __u32 length,
							  struct sluice_stun_request *request)
{
	const struct sluice_stun_header *header = packet_at(cursor, off, sizeof(*header));
	__u32 i, at = sizeof(*header), fingerprint = 0;

	if (!header || length < sizeof(*header) || length % 4 ||
	    header->cookie_be != PACKET_BE32(SLUICE_STUN_COOKIE) ||
	    PACKET_BE16(header->type_be) & 0xc000U ||
	    PACKET_BE16(header->length_be) != length - sizeof(*header))
		return SLUICE_STUN_IS_NONE;
	if (header->type_be !=
		    PACKET_BE16(SLUICE_STUN_TYPE(SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST)) ||
	    length > SLUICE_STUN_ORDINARY_MAX)
		return SLUICE_STUN_IS_OTHER;
	request->id_be[0] = header->id_be[0];
	request->id_be[1] = header->id_be[1];
	request->id_be[2] = header->id_be[2];
	for (i = 0; i < SLUICE_STUN_ATTRS_MAX && at < length; i++) {
		const struct sluice_stun_attr_header *attr = packet_at(cursor, off + at,
								       sizeof(*attr));
		__u32 size;

		/* nothing follows FINGERPRINT */
		if (!attr || fingerprint || !(attr->type_be & PACKET_BE16(SLUICE_STUN_OPTIONAL)))
			return SLUICE_STUN_IS_OTHER;
		size = PACKET_BE16(attr->length_be);
		if (attr->type_be == PACKET_BE16(SLUICE_STUN_FINGERPRINT)) {
			if (size != 4)
				return SLUICE_STUN_IS_OTHER;
			fingerprint = at;
		}
		at += sizeof(*attr) + ((size + 3) & ~3U);
	}
	if (at != length ||
	    (fingerprint && !sluice_stun_fingerprint_ok(cursor, off, off + fingerprint)))
		return SLUICE_STUN_IS_OTHER;
	request->fingerprint = !!fingerprint;
	return SLUICE_STUN_IS_ORDINARY;
}

/* Appends FINGERPRINT after @words words; the length in the header already includes it. */
PACKET_INLINE void sluice_stun_answer_fingerprint(struct sluice_stun_answer *answer, __u32 words)
{
	__u32 i, crc = ~0U;

	for (i = 0; i < words; i++)
		crc = sluice_stun_crc_word(crc, answer->word_be[i]);
	answer->word_be[words] = PACKET_BE32((__u32)SLUICE_STUN_FINGERPRINT << 16 | 4);
	answer->word_be[words + 1] = PACKET_BE32(~crc ^ SLUICE_STUN_FINGERPRINT_XOR);
}

/*
 * Builds the success response to an ordinary request: XOR-MAPPED-ADDRESS with the source @addr
 * (IPv4 as ::ffff:a.b.c.d), and FINGERPRINT if the request had one. Returns the length of the
 * response: 32, 40, 44 or 52 bytes.
 */
PACKET_INLINE __u32 sluice_stun_answer(struct sluice_stun_answer *answer,
				       const struct sluice_stun_request *request,
				       const struct in6_addr *addr, __be16 port_be)
{
	const __u32 ip4 = !addr->s6_addr32[0] && !addr->s6_addr32[1] &&
			  addr->s6_addr32[2] == PACKET_BE32(0xffff);
	const __u32 size = ip4 ? 8 : 20, fingerprint = request->fingerprint ? 8 : 0;
	const __u32 xor_port = PACKET_BE16(port_be) ^ SLUICE_STUN_COOKIE >> 16;
	__be32 *word_be = answer->word_be;

	word_be[0] = PACKET_BE32(SLUICE_STUN_TYPE(SLUICE_STUN_BINDING, SLUICE_STUN_SUCCESS) << 16 |
				 (sizeof(struct sluice_stun_attr_header) + size + fingerprint));
	word_be[1] = PACKET_BE32(SLUICE_STUN_COOKIE);
	word_be[2] = request->id_be[0];
	word_be[3] = request->id_be[1];
	word_be[4] = request->id_be[2];
	word_be[5] = PACKET_BE32((__u32)SLUICE_STUN_XOR_MAPPED_ADDRESS << 16 | size);
	if (ip4) {
		word_be[6] = PACKET_BE32((__u32)SLUICE_STUN_IP4 << 16 | xor_port);
		word_be[7] = addr->s6_addr32[3] ^ word_be[1];
		if (fingerprint)
			sluice_stun_answer_fingerprint(answer, 8);
	} else {
		word_be[6] = PACKET_BE32((__u32)SLUICE_STUN_IP6 << 16 | xor_port);
		word_be[7] = addr->s6_addr32[0] ^ word_be[1];
		word_be[8] = addr->s6_addr32[1] ^ word_be[2];
		word_be[9] = addr->s6_addr32[2] ^ word_be[3];
		word_be[10] = addr->s6_addr32[3] ^ word_be[4];
		if (fingerprint)
			sluice_stun_answer_fingerprint(answer, 11);
	}
	return SLUICE_STUN_HEADER_SIZE + sizeof(struct sluice_stun_attr_header) + size +
	       fingerprint;
}

#endif
