// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/packet.h"

#include "base/addr.h"
#include "net/stun_build.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <sluice/checksum.h>
#include <string.h>
#include <sys/random.h>

#define FULL_TTL 64

/* the length of a Binding indication with FINGERPRINT, in bytes */
#define STUN_SIZE 28

static size_t put_payload(__u8 *to, enum hold_payload payload)
{
	__u8 id[SLUICE_STUN_ID_SIZE];
	struct stun_builder builder;

	switch (payload) {
	case HOLD_PAYLOAD_STUN:
		if (getrandom(id, sizeof(id), 0) != sizeof(id))
			memset(id, 0, sizeof(id));
		/* the peer does not answer a Binding indication: RFC 8445, section 11 */
		stun_begin(&builder, to, STUN_SIZE, SLUICE_STUN_BINDING, SLUICE_STUN_INDICATION,
			   id);
		stun_put_fingerprint(&builder);
		return stun_end(&builder);
	case HOLD_PAYLOAD_CRLF:
		memcpy(to, "\r\n", 2);
		return 2;
	case HOLD_PAYLOAD_FF:
		*to = 0xff;
		return 1;
	case HOLD_PAYLOAD_ZERO:
		*to = 0;
		return 1;
	case HOLD_PAYLOAD_EMPTY:
		break;
	}
	return 0;
}

/* Sums 16-bit words in memory order. Pads an odd length with a zero byte. */
static __u64 sum_of(const void *data, size_t length)
{
	const __u8 *at = data;
	__u64 sum = 0;
	__u16 word;

	for (; length > 1; length -= 2, at += 2) {
		memcpy(&word, at, sizeof(word));
		sum += word;
	}
	if (length) {
		word = 0;
		memcpy(&word, at, 1);
		sum += word;
	}
	return sum;
}

size_t hold_payload_length(enum hold_payload payload)
{
	__u8 discarded[HOLD_PACKET_MAX];

	return put_payload(discarded, payload);
}

size_t hold_packet_build(__u8 packet[HOLD_PACKET_MAX], const struct sluice_hold_key *key,
			 enum hold_payload payload, unsigned int ttl, __u64 seed)
{
	__u32 id = sluice_hold_id(seed, &key->peer, key->peer_port_be);
	bool ip4 = addr_is_ip4(&key->peer), empty = payload == HOLD_PAYLOAD_EMPTY;
	size_t header = ip4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr), length;
	struct udphdr udp = { .uh_sport = key->local_port_be, .uh_dport = key->peer_port_be };
	__u64 sum;

	ttl = empty ? ttl : FULL_TTL;
	length = sizeof(udp) + put_payload(packet + header + sizeof(udp), payload);
	udp.uh_ulen = htons((__u16)length);
	memcpy(packet + header, &udp, sizeof(udp));
	/* the pseudo-header: addresses, length and protocol */
	sum = sum_of(packet + header, length) + udp.uh_ulen + htons(IPPROTO_UDP);
	sum += ip4 ? sum_of(&key->local.word_be[3], 4) + sum_of(&key->peer.word_be[3], 4)
		   : sum_of(&key->local, 16) + sum_of(&key->peer, 16);
	udp.uh_sum = (__u16)~checksum_fold(sum);
	if (!udp.uh_sum)
		udp.uh_sum = 0xffff;
	memcpy(packet + header, &udp, sizeof(udp));
	if (ip4) {
		/* the kernel fills in length and checksum */
		struct iphdr ip = { .version = 4,
				    .ihl = 5,
				    .frag_off = htons(IP_DF),
				    .id = htons(sluice_hold_id4(id)),
				    .ttl = (__u8)ttl,
				    .protocol = IPPROTO_UDP,
				    .saddr = key->local.word_be[3],
				    .daddr = key->peer.word_be[3] };

		memcpy(packet, &ip, sizeof(ip));
	} else {
		struct ip6_hdr ip = { .ip6_flow = htonl(6U << 28 | sluice_hold_label(id)),
				      .ip6_plen = htons((__u16)length),
				      .ip6_nxt = IPPROTO_UDP,
				      .ip6_hlim = (__u8)ttl };

		memcpy(&ip.ip6_src, &key->local, sizeof(ip.ip6_src));
		memcpy(&ip.ip6_dst, &key->peer, sizeof(ip.ip6_dst));
		memcpy(packet, &ip, sizeof(ip));
	}
	return header + length;
}
