/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Turns a frame into its answer: addresses and ports swapped, a new payload, all headers written
 * again. The frame grows and shrinks at its start, since a driver may leave no tailroom (a veth
 * copies the frame into a separate page). This also removes the padding after a short packet.
 */
#ifndef SLUICE_BPF_MEET_ANSWER_H
#define SLUICE_BPF_MEET_ANSWER_H

#include "common/clock.h"
#include "meet/datagram.h"
#include "meet/maps.h"

#define TTL 64

static __always_inline int pass(enum sluice_meet_counter counter)
{
	count(counter);
	return XDP_PASS;
}

/* Returns XDP_TX and sets *now if the datagram may be answered, or else the XDP verdict for it. */
static __always_inline int may_answer(const struct packet_cursor *cursor,
				      const struct datagram *datagram, bool open_ok, __u64 *now)
{
	if (!source_is_valid(datagram))
		return pass(SLUICE_MEET_passed_source);
	if (!checksum_is_right(cursor, datagram, open_ok))
		return pass(SLUICE_MEET_passed_checksum);
	*now = clock_ns();
	return *now < lease_until_ns ? XDP_TX : pass(SLUICE_MEET_passed_lease);
}

/* The Ethernet header and two VLAN tags, in 16-bit units. */
#define L2_SIZE	    14
#define L2_TAG_SIZE 4
#define L2_HALVES   11

struct l2 {
	__be16 half_be[L2_HALVES];
};

struct halves {
	__be16 half_be[L2_HALVES];
} PACKET_UNALIGNED;

/* Reads the link-layer header and swaps its addresses. */
static __always_inline bool l2_read(const struct packet_cursor *cursor, __u32 size, struct l2 *l2)
{
	const struct halves *halves = packet_at(cursor, 0, L2_SIZE);
	int i;

	if (!halves)
		return false;
	for (i = 0; i < 3; i++) {
		l2->half_be[i] = halves->half_be[3 + i];
		l2->half_be[3 + i] = halves->half_be[i];
	}
	l2->half_be[6] = halves->half_be[6];
	if (size > L2_SIZE) {
		halves = packet_at(cursor, 0, L2_SIZE + L2_TAG_SIZE);
		if (!halves)
			return false;
		l2->half_be[7] = halves->half_be[7];
		l2->half_be[8] = halves->half_be[8];
	}
	if (size > L2_SIZE + L2_TAG_SIZE) {
		halves = packet_at(cursor, 0, L2_SIZE + 2 * L2_TAG_SIZE);
		if (!halves)
			return false;
		l2->half_be[9] = halves->half_be[9];
		l2->half_be[10] = halves->half_be[10];
	}
	return true;
}

static __always_inline bool l2_write(const struct packet_cursor *cursor, __u32 size,
				     const struct l2 *l2)
{
	struct halves *halves = packet_at(cursor, 0, L2_SIZE);
	int i;

	if (!halves)
		return false;
	for (i = 0; i < 7; i++)
		halves->half_be[i] = l2->half_be[i];
	if (size > L2_SIZE) {
		halves = packet_at(cursor, 0, L2_SIZE + L2_TAG_SIZE);
		if (!halves)
			return false;
		halves->half_be[7] = l2->half_be[7];
		halves->half_be[8] = l2->half_be[8];
	}
	if (size > L2_SIZE + L2_TAG_SIZE) {
		halves = packet_at(cursor, 0, L2_SIZE + 2 * L2_TAG_SIZE);
		if (!halves)
			return false;
		halves->half_be[9] = l2->half_be[9];
		halves->half_be[10] = l2->half_be[10];
	}
	return true;
}

struct head {
	__be32 word_be[IP6_WORDS + UDP_WORDS];
};

/*
 * Builds the IP and UDP headers of a payload. The words after the end of the payload are 0, so that
 * they do not change its checksum.
 */
static __always_inline void head_build(struct head *head, const struct datagram *datagram, bool ip4,
				       const struct sluice_stun_answer *payload, __u32 length)
{
	__be32 *ip = head->word_be, *udp = ip + (ip4 ? IP4_WORDS : IP6_WORDS);
	__u32 udp_length = UDP_WORDS * 4 + length;
	__u16 check;
	__u64 sum;
	int i;

	if (ip4) {
		ip[0] = PACKET_BE32(0x45000000U | (IP4_WORDS * 4 + udp_length));
		ip[1] = PACKET_BE32(0x4000U); /* DF, and identification 0 */
		ip[2] = PACKET_BE32((__u32)TTL << 24 | IPPROTO_UDP << 16);
		ip[3] = datagram->target.word_be[3];
		ip[4] = datagram->source.word_be[3];
		check = (__u16)~checksum_fold(words_sum(ip, IP4_WORDS));
		ip[2] |= PACKET_BE32((__u32)PACKET_BE16(check));
	} else {
		ip[0] = PACKET_BE32(6U << 28);
		ip[1] = PACKET_BE32(udp_length << 16 | IPPROTO_UDP << 8 | TTL);
		for (i = 0; i < 4; i++) {
			ip[2 + i] = datagram->target.word_be[i];
			ip[6 + i] = datagram->source.word_be[i];
		}
	}
	udp[0] = PACKET_BE32((__u32)PACKET_BE16(datagram->target_port_be) << 16 |
			     PACKET_BE16(datagram->source_port_be));
	udp[1] = PACKET_BE32(udp_length << 16);
	/*
	 * the sum does not depend on the order of the addresses, so the request's sum can be used
	 */
	sum = addresses_sum(datagram) + PACKET_BE16(IPPROTO_UDP) + PACKET_BE16(udp_length) +
	      words_sum(udp, UDP_WORDS) + words_sum(payload->word_be, SLUICE_STUN_ANSWER_WORDS);
	check = (__u16)~checksum_fold(sum);
	/* 0 would mean "no checksum" (RFC 768) */
	udp[1] |= PACKET_BE32((__u32)PACKET_BE16(check ? check : 0xffff));
}

/* Writes @count words at @off, if @off is below @end. */
static __always_inline bool words_write(const struct packet_cursor *cursor, __u32 off, __u32 end,
					const __be32 *word_be, const __u32 count)
{
	void *to;

	if (off >= end)
		return true;
	to = packet_at(cursor, off, count * 4);
	if (to)
		__builtin_memcpy(to, word_be, count * 4);
	return to;
}

/*
 * Sends an answer with a payload of @length bytes: 32, 40, 44 or 52. It never returns XDP_PASS
 * after it has changed the frame.
 */
static __always_inline int answer_send(struct xdp_md *ctx, const struct datagram *datagram,
				       const bool ip4, const struct sluice_stun_answer *payload,
				       __u32 length)
{
	const __u32 head_words = (ip4 ? IP4_WORDS : IP6_WORDS) + UDP_WORDS;
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct packet_cursor cursor = packet_begin(data, data_end, data_end - data, 0);
	__u32 off = datagram->l3_off, end = off + head_words * 4 + length;
	long shrink = cursor.len;
	struct head head;
	struct l2 l2;
	bool written;

	/*
	 * the verifier rejects 32-bit arithmetic on the pointers from which the length is computed
	 */
	asm volatile("" : "+r"(shrink));
	shrink -= end;
	if (!l2_read(&cursor, off, &l2))
		return XDP_PASS;
	head_build(&head, datagram, ip4, payload, length);
	if (bpf_xdp_adjust_head(ctx, (int)shrink)) {
		count(SLUICE_MEET_passed_headroom);
		return XDP_PASS;
	}
	cursor.data = (void *)(long)ctx->data;
	cursor.data_end = (void *)(long)ctx->data_end;
	written = l2_write(&cursor, off, &l2) &&
		  words_write(&cursor, off, end, head.word_be, head_words);
	off += head_words * 4;
	written = written && words_write(&cursor, off, end, payload->word_be, 8);
	if (ip4) {
		written = written && words_write(&cursor, off + 32, end, &payload->word_be[8], 2);
	} else {
		written = written && words_write(&cursor, off + 32, end, &payload->word_be[8], 3) &&
			  words_write(&cursor, off + 44, end, &payload->word_be[11], 2);
	}
	if (written)
		return XDP_TX;
	count(SLUICE_MEET_aborted);
	return XDP_ABORTED;
}

#endif
