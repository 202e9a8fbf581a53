/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012) of whole 64-bit words, for BPF and user space: a MAC
 * for short messages, and a hash whose collisions cannot be found without the key.
 */
#ifndef SLUICE_SIPHASH_H
#define SLUICE_SIPHASH_H

#include <linux/types.h>

struct sluice_siphash_key {
	__u64 word[2]; /* 16 bytes of the key, read in little-endian order */
};

#define SLUICE_SIPHASH_ROTATE(x, by) ((x) << (by) | (x) >> (64 - (by)))

static inline __attribute__((always_inline)) void sluice_siphash_round(__u64 v[4])
{
	v[0] += v[1];
	v[1] = SLUICE_SIPHASH_ROTATE(v[1], 13) ^ v[0];
	v[0] = SLUICE_SIPHASH_ROTATE(v[0], 32);
	v[2] += v[3];
	v[3] = SLUICE_SIPHASH_ROTATE(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = SLUICE_SIPHASH_ROTATE(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = SLUICE_SIPHASH_ROTATE(v[1], 17) ^ v[2];
	v[2] = SLUICE_SIPHASH_ROTATE(v[2], 32);
}

/* Hashes @count words, each the little-endian number of 8 bytes of the message. */
static inline __attribute__((always_inline)) __u64 sluice_siphash(
	const struct sluice_siphash_key *key, const __u64 *words, __u32 count)
{
	__u64 v[4] = { 0x736f6d6570736575ULL ^ key->word[0], 0x646f72616e646f6dULL ^ key->word[1],
		       0x6c7967656e657261ULL ^ key->word[0], 0x7465646279746573ULL ^ key->word[1] };
	__u32 i;

	for (i = 0; i <= count; i++) {
		__u64 word = i < count ? words[i] : (__u64)count * 8 << 56;

		v[3] ^= word;
		sluice_siphash_round(v);
		sluice_siphash_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sluice_siphash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
