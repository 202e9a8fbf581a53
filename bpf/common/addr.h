/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* Addresses of both families: an IPv4 address is stored as a v4-mapped IPv6 address. */
#ifndef SLUICE_BPF_COMMON_ADDR_H
#define SLUICE_BPF_COMMON_ADDR_H

#include "common/kernel.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/in6.h>
#include <sluice/flow.h>
#include <stdbool.h>

static __always_inline bool addr_equal(const struct sluice_addr *a, const struct sluice_addr *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

/* Stores whole halves, as comparisons load them: a load that spans two stores would stall. */
static __always_inline void addr_map_ip4(struct sluice_addr *addr, __be32 ip4_be)
{
	addr->half[0] = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	addr->half[1] = (__u64)ip4_be << 32 | bpf_htonl(0xffff);
#else
	addr->half[1] = (__u64)bpf_htonl(0xffff) << 32 | ip4_be;
#endif
}

static __always_inline bool addr_is_ip4(const struct sluice_addr *addr)
{
	return !addr->half[0] && addr->word_be[2] == bpf_htonl(0xffff);
}

/* Returns 0, but the verifier does not know the result unless it knows @number. */
static __always_inline __u64 hidden_zero(__u64 number)
{
	__u64 same = number;

	asm volatile("%0 ^= %1" : "+r"(same) : "r"(number));
	return same;
}

static __always_inline bool addr_is_link_local(const struct sluice_addr *addr)
{
	return (addr->word_be[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

static __always_inline struct sluice_addr addr_of(const struct in6_addr *from)
{
	struct sluice_addr addr;

	__builtin_memcpy(&addr, from, sizeof(addr));
	return addr;
}

#endif
