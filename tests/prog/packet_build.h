/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds packets for BPF_PROG_TEST_RUN from a description, with every length and checksum computed
 * from scratch. A test describes the input and the expected output, and compares all bytes. This
 * checks each incremental checksum update in a program against a full computation.
 */
#ifndef SLUICE_TESTS_PROG_PACKET_BUILD_H
#define SLUICE_TESTS_PROG_PACKET_BUILD_H

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX 4000

struct frame {
	uint8_t byte[FRAME_MAX];
	size_t len;
};

enum body {
	BODY_UDP,
	BODY_TCP,
	BODY_ICMP, /* an error that quotes a datagram, or an echo request if `quoted` is NULL */
};

struct shape {
	const char *source, *target; /* both IPv4, or both IPv6 */
	enum body body;
	uint16_t source_port, target_port;
	size_t payload;		/* offset in the whole datagram */
	const uint8_t *content; /* payload; NULL: a pattern */
	bool no_checksum;
	int vlan_tags;
	size_t options;	   /* bytes of IPv4 options, a multiple of 4 */
	const char *chain; /* IPv6: h hop-by-hop, d destination options, r routing, R routing with a
			    * segment left, f fragment, a AH */
	bool fragment;	   /* send only bytes `from` to `to` after the IP header */
	size_t from, to;
	uint32_t id;
	size_t padding;	    /* bytes after the packet, as Ethernet pads short frames */
	uint8_t type, code; /* for BODY_ICMP */
	const struct shape *quoted;
	size_t quote; /* quoted bytes; 0: all */
};

static inline uint32_t sum_add(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *byte = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	if (len & 1)
		sum += (uint32_t)byte[len - 1] << 8;
	return sum;
}

static inline uint16_t sum_finish(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static inline bool shape_is6(const struct shape *shape)
{
	return strchr(shape->source, ':');
}

static inline size_t addr_put(const char *text, uint8_t *at)
{
	bool six = strchr(text, ':');

	assert(inet_pton(six ? AF_INET6 : AF_INET, text, at) == 1);
	return six ? 16 : 4;
}

static inline void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline uint32_t pseudo_sum(const struct shape *shape, uint8_t protocol, size_t len)
{
	uint8_t pseudo[40] = { 0 };
	size_t off = addr_put(shape->source, pseudo);

	off += addr_put(shape->target, pseudo + off);
	put16(pseudo + off, len >> 16);
	put16(pseudo + off + 2, len);
	pseudo[off + 5] = protocol;
	return sum_add(0, pseudo, off + 6);
}

static inline uint8_t shape_protocol(const struct shape *shape)
{
	if (shape->body == BODY_UDP)
		return IPPROTO_UDP;
	if (shape->body == BODY_TCP)
		return IPPROTO_TCP;
	return shape_is6(shape) ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

static size_t build_packet(const struct shape *shape, uint8_t *at);

static inline size_t build_icmp(const struct shape *shape, uint8_t *at)
{
	uint8_t quoted[FRAME_MAX];
	size_t len = 8;

	memset(at, 0, 8);
	at[0] = shape->type;
	at[1] = shape->code;
	if (shape->quoted) {
		size_t all = build_packet(shape->quoted, quoted);
		size_t some = shape->quote && shape->quote < all ? shape->quote : all;

		memcpy(at + len, quoted, some);
		len += some;
	}
	return len;
}

/* Builds the complete IP payload. */
static inline size_t build_body(const struct shape *shape, uint8_t *at)
{
	uint8_t protocol = shape_protocol(shape);
	size_t i, head = shape->body == BODY_TCP ? 20 : 8, len = head + shape->payload;
	size_t check_at = shape->body == BODY_UDP ? 6 : shape->body == BODY_TCP ? 16 : 2;
	bool pseudo = shape->body != BODY_ICMP || shape_is6(shape);
	uint16_t check;

	memset(at, 0, head);
	if (shape->body == BODY_ICMP) {
		len = build_icmp(shape, at);
	} else {
		put16(at, shape->source_port);
		put16(at + 2, shape->target_port);
		if (shape->body == BODY_UDP)
			put16(at + 4, len);
		else
			at[12] = 0x50;
		for (i = head; i < len; i++)
			at[i] = shape->content ? shape->content[i - head]
					       : (uint8_t)(i * 37 + shape->source_port);
	}
	check = sum_finish(sum_add(pseudo ? pseudo_sum(shape, protocol, len) : 0, at, len));
	if (shape->body == BODY_UDP && !check)
		check = 0xffff;
	if (shape->no_checksum)
		check = 0;
	memcpy(at + check_at, &check, sizeof(check));
	return len;
}

static inline size_t build_ip4(const struct shape *shape, uint8_t *at)
{
	size_t head = 20 + shape->options, len, from = shape->fragment ? shape->from : 0;
	uint8_t body[FRAME_MAX];
	uint16_t check;

	len = build_body(shape, body);
	memset(at, 0, head);
	at[0] = (uint8_t)(0x40 | head / 4);
	put16(at + 4, shape->id);
	if (shape->fragment)
		put16(at + 6, from / 8 | (shape->to < len ? 0x2000 : 0));
	if (shape->fragment && shape->to < len)
		len = shape->to;
	at[8] = 64;
	at[9] = shape_protocol(shape);
	addr_put(shape->source, at + 12);
	addr_put(shape->target, at + 16);
	memset(at + 20, 1, shape->options); /* NOP */
	put16(at + 2, head + len - from);
	check = sum_finish(sum_add(0, at, head));
	memcpy(at + 10, &check, sizeof(check));
	memcpy(at + head, body + from, len - from);
	return head + len - from;
}

static inline uint8_t chain_protocol(char letter)
{
	switch (letter) {
	case 'h':
		return IPPROTO_HOPOPTS;
	case 'd':
		return IPPROTO_DSTOPTS;
	case 'f':
		return IPPROTO_FRAGMENT;
	case 'a':
		return IPPROTO_AH;
	default:
		return IPPROTO_ROUTING;
	}
}

/* Builds one extension header. @more and @from apply only to a fragment header. */
static inline size_t build_extension(const struct shape *shape, char letter, uint8_t next,
				     bool more, uint8_t *at)
{
	size_t len = letter == 'h' || letter == 'd' ? 16 : letter == 'a' ? 24 : 8;

	memset(at, 0, len);
	at[0] = next;
	if (letter == 'h' || letter == 'd') {
		at[1] = 1;
		at[2] = 0x1e; /* RFC 4727, 5.1: experimental option; receivers skip it */
		at[3] = 12;
	} else if (letter == 'a') {
		at[1] = 4;
	} else if (letter == 'f') {
		put16(at + 2, (shape->fragment ? shape->from : 0) | more);
		put16(at + 4, shape->id >> 16);
		put16(at + 6, shape->id);
	} else {
		at[2] = 4;
		at[3] = letter == 'R';
	}
	return len;
}

static inline size_t build_ip6(const struct shape *shape, uint8_t *at)
{
	const char *chain = shape->chain ? shape->chain : "";
	uint8_t protocol = shape_protocol(shape), body[FRAME_MAX];
	size_t len = build_body(shape, body), from = shape->fragment ? shape->from : 0;
	bool more = shape->fragment && shape->to < len;
	uint8_t *end = at + 40;

	memset(at, 0, 40);
	at[0] = 0x60;
	at[6] = *chain ? chain_protocol(*chain) : protocol;
	at[7] = 64;
	addr_put(shape->source, at + 8);
	addr_put(shape->target, at + 24);
	for (; *chain; chain++)
		end += build_extension(shape, *chain,
				       chain[1] ? chain_protocol(chain[1]) : protocol, more, end);
	if (more)
		len = shape->to;
	memcpy(end, body + from, len - from);
	end += len - from;
	put16(at + 4, (size_t)(end - at) - 40);
	return (size_t)(end - at);
}

static size_t build_packet(const struct shape *shape, uint8_t *at)
{
	return shape_is6(shape) ? build_ip6(shape, at) : build_ip4(shape, at);
}

static inline void build_frame(const struct shape *shape, struct frame *frame)
{
	uint8_t *at = frame->byte;
	int i;

	memset(frame, 0, sizeof(*frame));
	memset(at, 0x02, 12); /* locally administered, unicast */
	at += 12;
	for (i = 0; i < shape->vlan_tags; i++, at += 4) {
		put16(at, i + 1 < shape->vlan_tags ? 0x88a8 : 0x8100);
		put16(at + 2, 5 + (size_t)i);
	}
	put16(at, shape_is6(shape) ? 0x86dd : 0x0800);
	at += 2;
	frame->len = (size_t)(at - frame->byte) + build_packet(shape, at) + shape->padding;
	assert(frame->len < FRAME_MAX);
}

#endif
