/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The flow table of the object reply: the local address of each peer's last request, per socket.
 *
 * It is a set-associative cache in a BPF array: a hash of the server and the peer picks a set of
 * SLUICE_FLOW_WAYS slots. The usual choice, BPF_MAP_TYPE_LRU_HASH, was rejected: it recycles
 * elements that another CPU is still reading, so that a send could get another flow's address; it
 * does not count evictions of live entries; and an insertion is several times as expensive. Here a
 * full set evicts its oldest flow and counts the eviction. A flow matters only between a request
 * and its reply, so a reply is missed only if SLUICE_FLOW_WAYS newer requests hash to its set in
 * between.
 *
 * The set's spin lock protects writes to a slot. Acquiring the lock costs as much as the rest of a
 * lookup, so the two common cases avoid it. A request that changes only the timestamp stores it
 * without the lock. A reply copies the slot and checks the copy against its seal. The seal reveals
 * a concurrent write, even on a weakly ordered CPU; the reply then reads the slot again under the
 * lock.
 */
#ifndef SLUICE_FLOW_H
#define SLUICE_FLOW_H

#include <linux/bpf.h>
#include <linux/types.h>

#define SLUICE_FLOW_WAYS 8

/* An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
struct sluice_addr {
	union {
		__u8 byte[16];
		__be32 word_be[4];
		__u64 half[2];
	};
};
_Static_assert(sizeof(struct sluice_addr) == 16, "struct sluice_addr");

struct sluice_flow {
	__u64 cookie; /* socket cookie */
	struct sluice_addr peer;
	struct sluice_addr local; /* the destination of the peer's last datagram */
	__u64 seal;		  /* sluice_flow_seal() */
	__be16 peer_port_be;	  /* 0: any port of the peer */
	__u16 port;		  /* port of the socket */
	__u32 ifindex;		  /* interface on which the peer's last datagram arrived */
	__u32 generation;	  /* address generation when `local` was last checked */
	__u32 netns;		  /* inode number of the socket's network namespace */
};
_Static_assert(sizeof(struct sluice_flow) == 64, "struct sluice_flow");

/*
 * A lookup reads the cache line that holds the tags of all slots, and then the line of the matching
 * slot.
 */
struct sluice_flow_set {
	struct bpf_spin_lock lock;
	__u32 turn; /* the next slot to evict if several have the same age */
	__u32 reserved[2];
	__u16 tag[SLUICE_FLOW_WAYS];  /* sluice_flow_tag() of each slot; 0: free */
	__u32 seen[SLUICE_FLOW_WAYS]; /* sluice_flow_clock() of each peer's last datagram */
	struct sluice_flow flow[SLUICE_FLOW_WAYS];
};
_Static_assert(sizeof(struct sluice_flow_set) == 64 * (1 + SLUICE_FLOW_WAYS), "flow set");

#define SLUICE_FLOW_INLINE static inline __attribute__((always_inline))

/*
 * Mixes @word into @hash: folds, then multiplies by an odd constant, like MurmurHash's finalizer.
 */
SLUICE_FLOW_INLINE __u64 sluice_flow_mix(__u64 hash, __u64 word)
{
	return ((hash ^ (hash >> 32)) ^ word) * 0xff51afd7ed558ccdULL;
}

/*
 * Hashes the key of a flow. The seed is random for each load, so that a peer cannot choose a port
 * that hits another peer's set. The hash covers the socket's namespace and port, not its cookie, so
 * that another socket of the server finds the flow. @scope is the ifindex of a link-local peer's
 * link, or 0.
 */
SLUICE_FLOW_INLINE __u64 sluice_flow_hash(__u64 seed, __u32 netns, __u16 port,
					  const struct sluice_addr *peer, __be16 peer_port_be,
					  __u32 scope)
{
	__u64 hash = sluice_flow_mix(seed, (__u64)netns << 16 | port);

	hash = sluice_flow_mix(hash, peer->half[0] ^ (__u64)scope << 32);
	hash = sluice_flow_mix(hash, peer->half[1]);
	return sluice_flow_mix(hash, peer_port_be);
}

/* Returns the set of a flow, from 0 to sets - 1. */
SLUICE_FLOW_INLINE __u32 sluice_flow_set_index(__u64 hash, __u32 sets)
{
	return ((hash >> 32) * sets) >> 32;
}

/*
 * Returns the tag of a flow, never 0. Mixes the hash once more, since the flows of a set share its
 * high bits, and the low bits of a product do not depend on the high bits of its factors.
 */
SLUICE_FLOW_INLINE __u16 sluice_flow_tag(__u64 hash)
{
	__u16 tag = sluice_flow_mix(hash, 0) >> 48;

	return tag ? tag : 1;
}

SLUICE_FLOW_INLINE __u64 sluice_flow_seal(__u64 hash, __u64 cookie, const struct sluice_addr *local,
					  __u32 generation)
{
	hash = sluice_flow_mix(hash, cookie);
	hash = sluice_flow_mix(hash, local->half[0]);
	hash = sluice_flow_mix(hash, local->half[1]);
	return sluice_flow_mix(hash, generation);
}

/*
 * The table's clock: units of 2^20 ns of the tick counter, about a millisecond. It wraps after 52
 * days: a flow that is still in its slot then counts as live again until it expires.
 */
#define SLUICE_FLOW_CLOCK_SHIFT 20

SLUICE_FLOW_INLINE __u32 sluice_flow_clock(__u64 ns)
{
	return (__u32)(ns >> SLUICE_FLOW_CLOCK_SHIFT);
}

#define SLUICE_FLOW_CLOCK_SKEW 1024 /* about a second */

/*
 * Returns the time since a slot's peer was last seen. Returns 0, not 52 days, if another CPU stored
 * @seen after this CPU had read @now.
 */
SLUICE_FLOW_INLINE __u32 sluice_flow_idle(__u32 now, __u32 seen)
{
	__u32 idle = now - seen;

	return idle > (__u32)-SLUICE_FLOW_CLOCK_SKEW ? 0 : idle;
}

#endif
