/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The flow table of the reply plane: which local address a peer spoke to last, per socket.
 *
 * It is a set-associative cache in a BPF array: a hash of (socket, peer) picks a set of
 * SLUICE_FLOW_WAYS slots.  The usual choice, BPF_MAP_TYPE_LRU_HASH, was rejected: it recycles
 * elements under a reader, so that a send could pick up another flow's address; it can't say how
 * many live entries it threw out; and an insertion costs several times as much.  Here the oldest
 * slot of a full set gives way, and it is counted.  A flow is needed only from a request to its
 * answer, so that as many newer requests must fall into the same set in between before an answer
 * is missed.
 *
 * Whoever changes a slot holds the set's spin lock; but a pair of lock and unlock costs as much as
 * all the rest, so the two common cases do without.  A request that changes nothing but the time
 * stores just that.  A reply copies the slot and holds its seal against what it copied: a slot that
 * was changing meanwhile shows, on CPUs with any memory order, and is read again under the lock.
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

enum sluice_flow_flags {
	/* A link-local peer was heard through two interfaces: the address alone does not name it.
	 */
	SLUICE_FLOW_SCOPE_AMBIGUOUS = 1 << 0,
};

struct sluice_flow {
	__u64 cookie; /* of the socket; 0: the slot is free */
	struct sluice_addr peer;
	struct sluice_addr local; /* what the peer's last datagram was sent to */
	__u64 seal;		  /* sluice_flow_seal() */
	__be16 peer_port_be;
	__u16 flags;	  /* enum sluice_flow_flags */
	__u32 ifindex;	  /* where the peer was heard when this was stored */
	__u32 generation; /* of the namespace's addresses, when local was found among them */
	__u32 netns;	  /* inode number of the socket's network namespace */
};
_Static_assert(sizeof(struct sluice_flow) == 64, "struct sluice_flow");

/*
 * What a search needs of all slots stands in one cache line; of the slots, which are a line each,
 * only the one that matches is touched.
 */
struct sluice_flow_set {
	struct bpf_spin_lock lock;
	__u32 turn; /* whose turn it is to give way among slots of the same age */
	__u32 reserved[2];
	__u16 tag[SLUICE_FLOW_WAYS];  /* sluice_flow_tag() of each slot; 0: free */
	__u32 seen[SLUICE_FLOW_WAYS]; /* sluice_flow_clock() of each peer's last datagram */
	struct sluice_flow flow[SLUICE_FLOW_WAYS];
};
_Static_assert(sizeof(struct sluice_flow_set) == 64 * (1 + SLUICE_FLOW_WAYS), "flow set");

#define SLUICE_FLOW_INLINE static inline __attribute__((always_inline))

/* A multiplication by an odd constant and a fold, as in MurmurHash's finalizer. */
SLUICE_FLOW_INLINE __u64 sluice_flow_mix(__u64 hash, __u64 word)
{
	return ((hash ^ (hash >> 32)) ^ word) * 0xff51afd7ed558ccdULL;
}

/* The seed is drawn at load, so that a peer can't choose its port to meet another's set. */
SLUICE_FLOW_INLINE __u64 sluice_flow_hash(__u64 seed, __u64 cookie, const struct sluice_addr *peer,
					  __be16 peer_port_be)
{
	__u64 hash = sluice_flow_mix(seed, cookie);

	hash = sluice_flow_mix(hash, peer->half[0]);
	hash = sluice_flow_mix(hash, peer->half[1]);
	return sluice_flow_mix(hash, peer_port_be);
}

/* The set of a flow, from 0 to sets - 1. */
SLUICE_FLOW_INLINE __u32 sluice_flow_set_index(__u64 hash, __u32 sets)
{
	return ((hash >> 32) * sets) >> 32;
}

/*
 * Folded, and not the lowest bits: a product's low bits know nothing of its factors' high ones, and
 * all IPv4 peers of a /16 with one port would have the same.
 */
SLUICE_FLOW_INLINE __u16 sluice_flow_tag(__u64 hash)
{
	__u16 tag = (hash ^ (hash >> 32)) >> 16;

	return tag ? tag : 1;
}

SLUICE_FLOW_INLINE __u64 sluice_flow_seal(__u64 hash, const struct sluice_addr *local,
					  __u32 generation, __u16 flags)
{
	hash = sluice_flow_mix(hash, local->half[0]);
	hash = sluice_flow_mix(hash, local->half[1]);
	return sluice_flow_mix(hash, (__u64)generation << 16 | flags);
}

/*
 * The table's clock: units of 2^20 ns of CLOCK_MONOTONIC, about a millisecond.  It wraps after 52
 * days; a flow that nobody replaced for so long counts as young once more, for the time of its age.
 */
#define SLUICE_FLOW_CLOCK_SHIFT 20

SLUICE_FLOW_INLINE __u32 sluice_flow_clock(__u64 monotonic_ns)
{
	return (__u32)(monotonic_ns >> SLUICE_FLOW_CLOCK_SHIFT);
}

#define SLUICE_FLOW_CLOCK_SKEW 1024 /* about a second */

/*
 * The time since a slot's peer was heard.  It may have been heard on another CPU since this one
 * looked at the clock: that is no time ago, and not 52 days.
 */
SLUICE_FLOW_INLINE __u32 sluice_flow_idle(__u32 now, __u32 seen)
{
	__u32 idle = now - seen;

	return idle > (__u32)-SLUICE_FLOW_CLOCK_SKEW ? 0 : idle;
}

#endif
