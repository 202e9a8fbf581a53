/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of the packet parser.
 *
 * Input: one byte of settings, two bytes with the length of the linear part (little endian), then
 * the packet.
 *
 * The parser sums flags and forgets offsets to please the verifier, so this file has a second
 * parser, written for readability with explicit branches. Both parsers must agree on the verdict
 * and on each field. In addition, for any input:
 * - the result is the same in a buffer of exactly the packet's size and in a larger one, at any
 * alignment and with any surrounding bytes (the sanitizers detect overreads of the exact buffer);
 * - a rejected header leaves cursor and result unchanged;
 * - a shorter linear part may only change the result to PACKET_TRUNCATED.
 */
#include "fuzz.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/packet.h>

enum settings {
	SETTING_ETH = 1,
	SETTING_PROTO_SHIFT = 1, /* two bits, index of protos */
	SETTING_LINEAR = 8,	 /* only part of the packet is linear */
};

static const unsigned int protos[4] = { 0, ETH_P_IP, ETH_P_IPV6, ETH_P_ARP };

enum layer {
	LAYER_ETH,
	LAYER_IP,
	LAYER_UDP,
	LAYER_ERROR,
	LAYER_INNER,
	LAYER_INNER_UDP,
	LAYERS
};

struct packet_input {
	const uint8_t *bytes;
	uint32_t there; /* length of the linear part */
	uint32_t len;
	int with_eth;
	unsigned int proto;
};

/* The results of all layers; all zero for a layer that was not reached. */
struct answer {
	uint32_t verdict[LAYERS];
	uint32_t off[LAYERS];
	uint32_t len[LAYERS];
	struct packet_ip ip;
	struct packet_udp udp;
	struct packet_icmp_error error;
	struct packet_ip inner;
	struct packet_udp inner_udp;
};

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static int is_untouched(const void *result, size_t size)
{
	const uint8_t *byte = result;

	while (size && *byte == 0xa5)
		byte++, size--;
	return size == 0;
}

/*
 * Parses one layer, checks the return contract and stores the result. Returns true if parsing may
 * continue.
 */
#define LAYER(answer, cursor, layer, result, call)                                             \
	({                                                                                     \
		const struct packet_cursor before = *(cursor);                                 \
		enum packet_verdict verdict;                                                   \
                                                                                               \
		memset((result), 0xa5, sizeof(*(result)));                                     \
		verdict = (call);                                                              \
		CHECK((cursor)->data == before.data && (cursor)->data_end == before.data_end); \
		if (verdict != PACKET_OK) {                                                    \
			CHECK(is_untouched((result), sizeof(*(result))));                      \
			CHECK(memcmp((cursor), &before, sizeof(before)) == 0);                 \
		}                                                                              \
		(answer)->verdict[layer] = verdict;                                            \
		(answer)->off[layer] = (cursor)->off;                                          \
		(answer)->len[layer] = (cursor)->len;                                          \
		verdict == PACKET_OK;                                                          \
	})

static void parse(struct packet_cursor *cursor, int with_eth, struct answer *answer)
{
	uint8_t nothing;

	if (with_eth && !LAYER(answer, cursor, LAYER_ETH, &nothing, packet_parse_eth(cursor)))
		return;
	if (!LAYER(answer, cursor, LAYER_IP, &answer->ip,
		   packet_parse_ip(cursor, PACKET_WHOLE, &answer->ip)))
		return;
	if (LAYER(answer, cursor, LAYER_UDP, &answer->udp,
		  packet_parse_udp(cursor, &answer->ip, &answer->udp)))
		return;
	if (!LAYER(answer, cursor, LAYER_ERROR, &answer->error,
		   packet_parse_icmp_error(cursor, &answer->ip, &answer->error)))
		return;
	if (!LAYER(answer, cursor, LAYER_INNER, &answer->inner,
		   packet_parse_ip(cursor, PACKET_QUOTED, &answer->inner)))
		return;
	LAYER(answer, cursor, LAYER_INNER_UDP, &answer->inner_udp,
	      packet_parse_udp(cursor, &answer->inner, &answer->inner_udp));
}

/*
 * Parses with @room bytes of @fill on both sides of the packet. With @room 0, the buffer has the
 * exact size of the packet.
 */
static struct answer parse_in(const struct packet_input *input, size_t room, int fill)
{
	uint8_t *buffer = malloc(input->there + 2 * room + 1);
	uint8_t *packet = buffer + room;
	struct packet_cursor cursor;
	struct answer answer;

	CHECK(buffer);
	/* malloc(0) may return NULL, so one extra byte precedes the packet */
	packet += room == 0;
	memset(buffer, fill, input->there + 2 * room + 1);
	memcpy(packet, input->bytes, input->there);
	memset(&answer, 0, sizeof(answer));
	memset(&cursor, 0, sizeof(cursor));
	cursor.data = packet;
	cursor.data_end = packet + input->there;
	cursor.len = input->len;
	cursor.proto_be = PACKET_BE16(input->proto);
	parse(&cursor, input->with_eth, &answer);
	CHECK(memcmp(packet, input->bytes, input->there) == 0);
	free(buffer);
	return answer;
}

/* The second parser: assumes a fully linear packet, and returns each layer's verdict. */
struct view {
	const uint8_t *bytes;
	uint32_t off, len;
	unsigned int proto;
};

static unsigned int get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static enum packet_verdict expect_eth(struct view *view)
{
	uint32_t off = 12;
	int tags = 0;

	for (;; off += 4, tags++) {
		if (tags > 2)
			return PACKET_TOO_DEEP;
		if (off + 2 > view->len)
			return PACKET_TRUNCATED;
		view->proto = get16(view->bytes + off);
		if (view->proto != 0x8100 && view->proto != 0x88a8)
			break;
	}
	if (view->proto != 0x0800 && view->proto != 0x86dd)
		return PACKET_NOT_IP;
	view->off = off + 2;
	return PACKET_OK;
}

static enum packet_verdict expect_ipv4(struct view *view, int quoted, struct packet_ip *ip)
{
	const uint8_t *header = view->bytes + view->off;
	uint32_t left = view->len - view->off, ihl = (header[0] & 15) * 4,
		 flags = get16(header + 6);

	ip->total_len = get16(header + 2);
	if (ip->total_len == 0)
		return PACKET_JUMBO;
	if (ihl < 20 || ip->total_len < ihl)
		return PACKET_LYING;
	if (ihl > left || (!quoted && ip->total_len > left))
		return PACKET_TRUNCATED;
	ip->fragment_off = (flags & 0x1fff) * 8;
	if (ip->fragment_off + ip->total_len - ihl > 65535)
		return PACKET_LYING_FRAGMENT;
	ip->more_fragments = (flags & 0x2000) != 0;
	memset((uint8_t *)&ip->saddr + 10, 0xff, 2);
	memset((uint8_t *)&ip->daddr + 10, 0xff, 2);
	memcpy((uint8_t *)&ip->saddr + 12, header + 12, 4);
	memcpy((uint8_t *)&ip->daddr + 12, header + 16, 4);
	ip->fragment_id_be = PACKET_BE16(get16(header + 4));
	ip->protocol = header[9];
	ip->addresses_fixed = header[9] == 51;
	ip->l4_off = view->off + ihl;
	return PACKET_OK;
}

/* Walks the extension headers between IPv6 and L4, from view->off + 40 on. */
static enum packet_verdict expect_extensions(const struct view *view, struct packet_ip *ip)
{
	const uint32_t end = view->off + ip->total_len;
	int fragments = 0, nth;

	for (nth = 0;; nth++) {
		const uint8_t *header = view->bytes + ip->l4_off;
		uint32_t size;

		switch (ip->protocol) {
		case 0:
			if (nth > 0)
				return PACKET_LYING_EXTENSION;
			break;
		case 44:
			if (fragments++)
				return PACKET_LYING_EXTENSION;
			break;
		case 43:
		case 51:
		case 60:
			break;
		default:
			return PACKET_OK;
		}
		if (nth == 8)
			return PACKET_TOO_DEEP;
		if (ip->l4_off + 8 > end)
			return PACKET_LYING_EXTENSION;
		if (ip->l4_off + 8 > view->len)
			return PACKET_TRUNCATED;
		size = ip->protocol == 44   ? 8
		       : ip->protocol == 51 ? 4 * (header[1] + 2)
					    : 8 * (header[1] + 1);
		if (ip->l4_off + size > end)
			return PACKET_LYING_EXTENSION;
		if (ip->l4_off + size > view->len)
			return PACKET_TRUNCATED;
		if (ip->l4_off + size > PACKET_CHAIN_MAX)
			return PACKET_TOO_DEEP;
		if (ip->protocol == 51 || (ip->protocol == 43 && header[3]))
			ip->addresses_fixed = 1;
		ip->l4_off += size;
		if (ip->protocol != 44) {
			ip->protocol = header[0];
			continue;
		}
		ip->protocol = header[0];
		ip->fragment_off = get16(header + 2) / 8 * 8;
		ip->more_fragments = get16(header + 2) % 2;
		memcpy(&ip->fragment_id_be, header + 4, 4);
		if (!ip->fragment_off)
			continue;
		return ip->fragment_off + end - ip->l4_off > 65535 ? PACKET_LYING_FRAGMENT
								   : PACKET_OK;
	}
}

static enum packet_verdict expect_ipv6(struct view *view, int quoted, struct packet_ip *ip)
{
	const uint8_t *header = view->bytes + view->off;
	uint32_t left = view->len - view->off;
	enum packet_verdict verdict;

	if (left < 40)
		return PACKET_TRUNCATED;
	ip->total_len = 40 + get16(header + 4);
	ip->protocol = header[6];
	if (ip->total_len == 40 && ip->protocol == 0)
		return PACKET_JUMBO;
	if (!quoted && ip->total_len > left)
		return PACKET_TRUNCATED;
	memcpy(&ip->saddr, header + 8, 16);
	memcpy(&ip->daddr, header + 24, 16);
	ip->l4_off = view->off + 40;
	verdict = expect_extensions(view, ip);
	return verdict;
}

static enum packet_verdict expect_ip(struct view *view, int quoted, struct packet_ip *ip)
{
	enum packet_verdict verdict;

	if (view->proto != 0 && view->proto != 0x0800 && view->proto != 0x86dd)
		return PACKET_NOT_IP;
	if (view->len - view->off < 20)
		return PACKET_TRUNCATED;
	ip->version = view->bytes[view->off] >> 4;
	if (ip->version != 4 && ip->version != 6)
		return view->proto ? PACKET_LYING : PACKET_NOT_IP;
	if (view->proto && view->proto != (ip->version == 4 ? 0x0800 : 0x86dd))
		return PACKET_LYING;
	ip->l3_off = view->off;
	verdict = ip->version == 4 ? expect_ipv4(view, quoted, ip) : expect_ipv6(view, quoted, ip);
	if (verdict != PACKET_OK)
		return verdict;
	ip->fragment = ip->fragment_off	    ? PACKET_LATER_FRAGMENT
		       : ip->more_fragments ? PACKET_FIRST_FRAGMENT
					    : PACKET_UNFRAGMENTED;
	if (view->len > view->off + ip->total_len)
		view->len = view->off + ip->total_len;
	view->off = ip->l4_off;
	return PACKET_OK;
}

static enum packet_verdict expect_udp(struct view *view, const struct packet_ip *ip,
				      struct packet_udp *udp)
{
	const uint8_t *header = view->bytes + view->off;
	uint32_t payload = ip->l3_off + ip->total_len - ip->l4_off;

	if (ip->fragment == PACKET_LATER_FRAGMENT)
		return PACKET_NO_L4;
	if (ip->protocol != 17)
		return PACKET_NOT_UDP;
	if (payload < 8)
		return PACKET_LYING_UDP;
	if (view->off + 8 > view->len)
		return PACKET_TRUNCATED;
	udp->len = get16(header + 4);
	if (udp->len == 0 && ip->version == 6)
		return PACKET_JUMBO;
	if (udp->len < 8)
		return PACKET_LYING_UDP;
	if (ip->fragment == PACKET_UNFRAGMENTED && udp->len > payload)
		return PACKET_LYING_UDP;
	memcpy(&udp->source_be, header, 2);
	memcpy(&udp->dest_be, header + 2, 2);
	memcpy(&udp->check_be, header + 6, 2);
	view->off += 8;
	return PACKET_OK;
}

static enum packet_verdict expect_error(struct view *view, const struct packet_ip *ip,
					struct packet_icmp_error *error)
{
	const uint8_t *header = view->bytes + view->off;

	if (ip->fragment == PACKET_LATER_FRAGMENT)
		return PACKET_NO_L4;
	if (ip->protocol != (ip->version == 4 ? 1 : 58))
		return PACKET_NOT_ICMP_ERROR;
	if (view->off + 8 > view->len)
		return PACKET_TRUNCATED;
	if (ip->version == 4 && header[0] != 3 && header[0] != 11 && header[0] != 12)
		return PACKET_NOT_ICMP_ERROR;
	if (ip->version == 6 && (header[0] < 1 || header[0] > 4))
		return PACKET_NOT_ICMP_ERROR;
	error->type = header[0];
	error->code = header[1];
	error->inner_off = view->off + 8;
	view->off += 8;
	view->proto = ip->version == 4 ? 0x0800 : 0x86dd;
	return PACKET_OK;
}

static void expect_equal(const struct answer *answer, enum layer layer, const struct view *view,
			 enum packet_verdict verdict)
{
	CHECK(answer->verdict[layer] == verdict);
	if (verdict != PACKET_OK)
		return;
	CHECK(answer->off[layer] == view->off);
	CHECK(answer->len[layer] == view->len);
	CHECK(view->off <= view->len);
}

static void expect(const struct packet_input *input, const struct answer *answer)
{
	struct view view = { input->bytes, 0, input->len, input->proto };
	struct answer wanted;
	enum packet_verdict verdict;

	memset(&wanted, 0, sizeof(wanted));
	if (input->with_eth) {
		verdict = expect_eth(&view);
		expect_equal(answer, LAYER_ETH, &view, verdict);
		if (verdict != PACKET_OK)
			return;
	}
	verdict = expect_ip(&view, 0, &wanted.ip);
	expect_equal(answer, LAYER_IP, &view, verdict);
	if (verdict != PACKET_OK)
		return;
	CHECK(memcmp(&answer->ip, &wanted.ip, sizeof(wanted.ip)) == 0);
	verdict = expect_udp(&view, &wanted.ip, &wanted.udp);
	expect_equal(answer, LAYER_UDP, &view, verdict);
	if (verdict == PACKET_OK) {
		CHECK(memcmp(&answer->udp, &wanted.udp, sizeof(wanted.udp)) == 0);
		return;
	}
	verdict = expect_error(&view, &wanted.ip, &wanted.error);
	expect_equal(answer, LAYER_ERROR, &view, verdict);
	if (verdict != PACKET_OK)
		return;
	CHECK(memcmp(&answer->error, &wanted.error, sizeof(wanted.error)) == 0);
	verdict = expect_ip(&view, 1, &wanted.inner);
	expect_equal(answer, LAYER_INNER, &view, verdict);
	if (verdict != PACKET_OK)
		return;
	CHECK(memcmp(&answer->inner, &wanted.inner, sizeof(wanted.inner)) == 0);
	verdict = expect_udp(&view, &wanted.inner, &wanted.inner_udp);
	expect_equal(answer, LAYER_INNER_UDP, &view, verdict);
	if (verdict == PACKET_OK)
		CHECK(memcmp(&answer->inner_udp, &wanted.inner_udp, sizeof(wanted.inner_udp)) == 0);
}

/* Checks that both results are equal up to the layer that lacked linear bytes. */
static void check_linear(const struct answer *whole, const struct answer *part)
{
	int layer;

	for (layer = 0; layer < LAYERS; layer++) {
		if (part->verdict[layer] == PACKET_TRUNCATED)
			return;
		CHECK(part->verdict[layer] == whole->verdict[layer]);
		CHECK(part->off[layer] == whole->off[layer]);
		CHECK(part->len[layer] == whole->len[layer]);
	}
	CHECK(memcmp(whole, part, sizeof(*whole)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_input input = {};
	struct answer exact, padded, part;

	if (size < 3)
		return 0;
	input.bytes = data + 3;
	input.len = size - 3;
	input.there = input.len;
	input.with_eth = data[0] & SETTING_ETH;
	if (!input.with_eth)
		input.proto = protos[data[0] >> SETTING_PROTO_SHIFT & 3];

	exact = parse_in(&input, 0, 0);
	padded = parse_in(&input, 64, 0x00);
	CHECK(memcmp(&exact, &padded, sizeof(exact)) == 0);
	padded = parse_in(&input, 2048 + 2, 0x11);
	CHECK(memcmp(&exact, &padded, sizeof(exact)) == 0);
	expect(&input, &exact);

	if (!(data[0] & SETTING_LINEAR))
		return 0;
	input.there = (data[1] | data[2] << 8) % (input.len + 1);
	part = parse_in(&input, 0, 0);
	padded = parse_in(&input, 64, 0x11);
	CHECK(memcmp(&part, &padded, sizeof(part)) == 0);
	check_linear(&exact, &part);
	return 0;
}
