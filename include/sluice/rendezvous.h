/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The rendezvous protocol, sluice-protocol(7): STUN messages (RFC 8489) with methods and attributes
 * from ranges that IANA has not assigned. The whole short refresh is defined here, since an XDP
 * program can answer it.
 */
#ifndef SLUICE_RENDEZVOUS_H
#define SLUICE_RENDEZVOUS_H

#include <linux/types.h>
#include <sluice/siphash.h>
#include <sluice/stun.h>

/*
 * IANA assigns 0x080 to 0x0ff by Expert Review; the first byte of the message is 2 or 3 (RFC 7983)
 */
enum sluice_rendezvous_method {
	SLUICE_RENDEZVOUS_REGISTER = 0x0a0,
	SLUICE_RENDEZVOUS_REFRESH = 0x0a1,
	SLUICE_RENDEZVOUS_UNREGISTER = 0x0a2,
	SLUICE_RENDEZVOUS_CONNECT = 0x0a3,
	SLUICE_RENDEZVOUS_INTRODUCE = 0x0a4, /* from the server to a peer */
	SLUICE_RENDEZVOUS_REPORT = 0x0a5,
	SLUICE_RENDEZVOUS_BIND = 0x0a6, /* binds a channel of the relay */
};

enum sluice_rendezvous_attr {
	SLUICE_RENDEZVOUS_CHANNEL_NUMBER = 0x000c, /* RFC 8656: 2 bytes, and 2 zero bytes */
	SLUICE_RENDEZVOUS_LIFETIME = 0x000d,	   /* RFC 8656: seconds */
	SLUICE_RENDEZVOUS_CANDIDATE = 0x4a50,
	SLUICE_RENDEZVOUS_PEER_NAME = 0x4a51,
	SLUICE_RENDEZVOUS_PEER_KEY = 0x4a52,
	SLUICE_RENDEZVOUS_EPHEMERAL_KEY = 0x4a53,
	SLUICE_RENDEZVOUS_SESSION_ID = 0x4a54,
	SLUICE_RENDEZVOUS_START_DELAY = 0x4a55, /* milliseconds */
	SLUICE_RENDEZVOUS_REGISTRATION = 0x4a56,
	SLUICE_RENDEZVOUS_REFRESH_TOKEN = 0x4a57,
	SLUICE_RENDEZVOUS_REFRESH_PROOF = 0x4a58,
	SLUICE_RENDEZVOUS_OUTCOME = 0x4a59,
	SLUICE_RENDEZVOUS_CHECK_NUMBER = 0x4a5a,    /* between peers */
	SLUICE_RENDEZVOUS_BEHIND_NAT = 0xca50,	    /* 0 or 1 */
	SLUICE_RENDEZVOUS_PREDICTED_PORTS = 0xca51, /* between peers */
};

#define SLUICE_RENDEZVOUS_SESSION_ID_SIZE 16

/*
 * The value of PREDICTED-PORTS: the ports that the sender's NAT will probably use for its next
 * mappings are first, first + step, first + 2 * step, and so on.
 */
struct sluice_rendezvous_predicted {
	__be16 first_be;
	__s8 step; /* not 0 */
	__u8 zero;
} __attribute__((packed));

/* ChannelData (RFC 8656, section 12): the number, the length of the data, the data. */
#define SLUICE_CHANNEL_MIN    0x4000
#define SLUICE_CHANNEL_MAX    0x4fff
#define SLUICE_CHANNEL_HEADER 4

/* The value of OUTCOME. */
enum sluice_rendezvous_outcome {
	SLUICE_RENDEZVOUS_DIRECT_UDP = 1,
	SLUICE_RENDEZVOUS_DIRECT_TCP = 2,
	SLUICE_RENDEZVOUS_RELAYED = 3,
	SLUICE_RENDEZVOUS_FAILED = 4,
};

/*
 * A registration: its slot in the server's table, and the epoch, which differs for each user of the
 * slot.
 */
struct sluice_rendezvous_id {
	__be32 slot_be;
	__be32 epoch_be;
} __attribute__((packed));

/* The value of REFRESH-TOKEN. */
struct sluice_rendezvous_token {
	struct sluice_rendezvous_id id;
	__le64 mac_le;
} __attribute__((packed));

/* The sizes of a short refresh and of its answer, which has REFRESH-PROOF. */
#define SLUICE_RENDEZVOUS_REFRESH_SIZE	 (SLUICE_STUN_HEADER_SIZE + 4 + 16)
#define SLUICE_RENDEZVOUS_REFRESHED_SIZE (SLUICE_STUN_HEADER_SIZE + 4 + 8)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SLUICE_RENDEZVOUS_LE64(number) (number)
#else
#define SLUICE_RENDEZVOUS_LE64(number) __builtin_bswap64(number)
#endif

/*
 * Returns the MAC of a refresh, over the registration, the source address (IPv4 as ::ffff:a.b.c.d),
 * the source port and six zero bytes. The MAC therefore does not match if the source has changed,
 * for example after a NAT has lost its mapping.
 */
static inline __attribute__((always_inline)) __u64 sluice_rendezvous_token_mac(
	const struct sluice_siphash_key *key, const struct sluice_rendezvous_id *id,
	const __be32 addr_be[4], __be16 port_be)
{
	const union {
		struct {
			struct sluice_rendezvous_id id;
			__be32 addr_be[4];
			__be16 port_be;
			__u8 zero[6];
		} __attribute__((packed)) part;
		__u64 word[4];
	} text = { .part = { .id = *id,
			     .addr_be = { addr_be[0], addr_be[1], addr_be[2], addr_be[3] },
			     .port_be = port_be } };
	const __u64 word[4] = { SLUICE_RENDEZVOUS_LE64(text.word[0]),
				SLUICE_RENDEZVOUS_LE64(text.word[1]),
				SLUICE_RENDEZVOUS_LE64(text.word[2]),
				SLUICE_RENDEZVOUS_LE64(text.word[3]) };

	return sluice_siphash(key, word, 4);
}

/* Returns the MAC of the answer, over the registration, the transaction id and four zero bytes. */
static inline __attribute__((always_inline)) __u64 sluice_rendezvous_proof_mac(
	const struct sluice_siphash_key *key, const struct sluice_rendezvous_id *id,
	const __be32 transaction_be[3])
{
	const union {
		struct {
			struct sluice_rendezvous_id id;
			__be32 transaction_be[3];
			__u32 zero;
		} __attribute__((packed)) part;
		__u64 word[3];
	} text = { .part = { .id = *id,
			     .transaction_be = { transaction_be[0], transaction_be[1],
						 transaction_be[2] } } };
	const __u64 word[3] = { SLUICE_RENDEZVOUS_LE64(text.word[0]),
				SLUICE_RENDEZVOUS_LE64(text.word[1]),
				SLUICE_RENDEZVOUS_LE64(text.word[2]) };

	return sluice_siphash(key, word, 3);
}

#endif
