/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The maps that the hold programs share with user space.
 *
 * A flow corresponds to a mapping of a NAT: the addresses and ports of a UDP socket and its peer,
 * in one network namespace. The programs record when datagrams of a flow pass; the daemon sends the
 * keepalives.
 *
 * The flows are in an array that user space maps (BPF_F_MMAPABLE); a hash map finds the slot of a
 * flow. The daemon can therefore follow a million flows without a system call for each, and stores
 * only a slot number per flow. BPF_MAP_TYPE_LRU_HASH was rejected: it evicts the flow that has been
 * silent longest, which is the one that most needs a keepalive. Here a new flow replaces only a
 * flow that needs no keepalive: its socket is closed, its peer has not answered, or it has been
 * silent for longer than --max. If one namespace has more than half of the table, other namespaces
 * may also replace its flows.
 */
#ifndef SLUICE_HOLD_H
#define SLUICE_HOLD_H

#include <sluice/flow.h>
#include <sluice/hold_counters.h>
#include <sluice/meta.h>

/* Raised whenever a pinned map changes its layout or its meaning. */
#define SLUICE_HOLD_ABI SLUICE_ABI(2)

/*
 * The record of a load, for user space only; the programs have the same values in rodata. The first
 * two words are stable across versions.
 */
struct sluice_hold_meta {
	__u32 magic;
	__u32 abi;
	__u32 state; /* enum sluice_load_state */
	__u32 netns; /* inode number; 0: all */
	__u64 seed;  /* seed of sluice_hold_id() */
	__u64 max_ns;
	__u64 loaded_ns; /* CLOCK_BOOTTIME */
	__u64 cgroup_id;
	__u32 table; /* flows */
	__u32 any_port;
	__u64 ports[1024]; /* bit p % 64 of word p / 64: port p is managed */
};
_Static_assert(sizeof(struct sluice_hold_meta) == 56 + 8192, "struct sluice_hold_meta");

/* The addresses and ports as the socket sees them, before this host's NAT. */
struct sluice_hold_key {
	struct sluice_addr local;
	struct sluice_addr peer;
	__be16 local_port_be;
	__be16 peer_port_be;
	__u32 netns; /* inode number */
};
_Static_assert(sizeof(struct sluice_hold_key) == 40, "struct sluice_hold_key");

/*
 * A slot of the array, except slot 0. Times are CLOCK_BOOTTIME, since mappings also expire during
 * suspend; 0 means never. The daemon polls only the first cache line.
 */
struct sluice_hold_flow {
	__u32 serial;  /* incremented twice per flow of the slot; odd while the flow changes */
	__u32 ifindex; /* interface by which the last datagram left */
	__u64 cookie;  /* cookie of the socket that sent last; 0: the slot is free */
	struct sluice_hold_key key;
	__u64 out_ns;	      /* when the last datagram left; up to a tick too early */
	__u64 in_ns;	      /* when the last datagram arrived; up to a tick too early */
	__u64 answered_ns;    /* when the first datagram arrived */
	__u64 unreachable_ns; /* when the peer sent port unreachable; 0 after a later datagram */
	__u64 out;	      /* datagrams that left */
	__u64 in;
	__u32 mark;	/* SO_MARK of the socket */
	__u32 bound_if; /* SO_BINDTODEVICE, or 0 */
	__u32 out_tick; /* the programs' tick when out_ns was stored */
	__u32 in_tick;
	__u8 in_ttl; /* TTL of the last datagram that arrived */
	__u8 reserved[7];
};
_Static_assert(sizeof(struct sluice_hold_flow) == 128, "struct sluice_hold_flow");

/* Slot 0: the allocator of the other slots. */
struct sluice_hold_alloc {
	__u32 used; /* the last slot that has ever been used */
	__u32 hand; /* the last slot inspected in the search for a replaceable flow */
	__u64 reserved[15];
};
_Static_assert(sizeof(struct sluice_hold_alloc) == sizeof(struct sluice_hold_flow), "slot 0");

/*
 * Lock n guards serial, cookie and key of each slot whose number modulo SLUICE_HOLD_LOCKS is n;
 * lock 0 also guards the allocator. The locks have a map of their own, because the kernel refuses
 * mmap() of an array with spin locks.
 */
#define SLUICE_HOLD_LOCKS 256

struct sluice_hold_lock {
	struct bpf_spin_lock lock;
};

/* An open socket, by its cookie. */
struct sluice_hold_socket {
	__u32 netns;	/* inode number */
	__be16 port_be; /* source port of its last datagram; may change if not bound */
	__u16 reserved;
};
_Static_assert(sizeof(struct sluice_hold_socket) == 8, "struct sluice_hold_socket");

/* The open sockets and tracked flows of a namespace. */
struct sluice_hold_netns {
	__u64 sockets;
	__u64 flows;
};

/*
 * The number of close counters. A socket that is closed or changes its port increments the counter
 * at its cookie modulo this number. As long as the counter is unchanged, the socket is open, and
 * the daemon need not look it up.
 */
#define SLUICE_HOLD_CLOSES 65536

/* The daemon's treatment of a flow; only the daemon writes it. */
enum sluice_hold_state {
	SLUICE_HOLD_NEW,	 /* the daemon has not seen the flow, or no daemon runs */
	SLUICE_HOLD_UNANSWERED,	 /* the peer has not answered: no keepalive */
	SLUICE_HOLD_ACTIVE,	 /* the application sends often enough */
	SLUICE_HOLD_KEPT,	 /* kept alive by keepalive datagrams */
	SLUICE_HOLD_RENEWED,	 /* kept alive by renewing the conntrack entry of this host's NAT */
	SLUICE_HOLD_UNREACHABLE, /* the peer's host has sent port unreachable */
	SLUICE_HOLD_REMAPPED,	 /* this host's NAT has assigned another port */
	SLUICE_HOLD_NEAR,	 /* the peer is on the link: a keepalive would reach it */
	SLUICE_HOLD_FAILED,	 /* the kernel refused to send */
	SLUICE_HOLD_ENDED,	 /* silent for longer than --max */
	SLUICE_HOLD_CLOSED,	 /* the socket is closed, or has another port now */
	SLUICE_HOLD_STATES
};

struct sluice_hold_kept {
	__u32 serial; /* the slot's serial; differs if the entry belongs to an earlier flow */
	__u8 state;   /* enum sluice_hold_state */
	__u8 reserved[3];
	__u64 kept_ns; /* time of the last keepalive or renewal */
	__u64 due_ns;  /* time of the next keepalive or check */
	__u32 sent;    /* keepalives and renewals */
	__u32 mapping; /* digest of the mapping at this host's NAT; 0: unknown */
};
_Static_assert(sizeof(struct sluice_hold_kept) == 32, "struct sluice_hold_kept");

/* The source of the interval. */
enum sluice_hold_source {
	SLUICE_HOLD_DEFAULT,
	SLUICE_HOLD_FIXED,  /* set in the configuration file */
	SLUICE_HOLD_PROBED, /* found by --probe */
};

/* The status of the sending daemon; only the daemon writes it. */
struct sluice_hold_status {
	__u64 alive_ns;	   /* CLOCK_BOOTTIME of the daemon's last iteration; 0: no daemon */
	__u64 interval_ns; /* the longest time between two datagrams of a kept flow */
	__u64 proven_ns;   /* the longest mapping lifetime that a probe has confirmed; 0: none */
	__u64 probed_ns;   /* time of the last probe result */
	__s64 saved_ended; /* keepalives saved on flows that have ended */
	__u32 pid;
	__u32 source;	 /* enum sluice_hold_source */
	__u32 outermost; /* 1: this host is the outermost NAT, by configuration or probe */
	__u32 ttl;	 /* TTL of keepalives; 0: not limited */
	__u32 payload;
	__u32 rate;
	struct sluice_hold_send_counters counters;
};

/*
 * Returns the mark of a keepalive, which lets the programs recognise an ICMP error that quotes a
 * keepalive. The mark goes into the IPv4 identification, which is meaningless in a datagram that
 * cannot be fragmented (RFC 6864), or into the IPv6 flow label. It depends only on the peer, since
 * NAT may change the source.
 */
SLUICE_FLOW_INLINE __u32 sluice_hold_id(__u64 seed, const struct sluice_addr *peer,
					__be16 peer_port_be)
{
	__u64 hash = sluice_flow_hash(seed, 0, 0, peer, peer_port_be, 0);

	return (__u32)(hash >> 32) ^ (__u32)hash;
}

SLUICE_FLOW_INLINE __u16 sluice_hold_id4(__u32 id)
{
	__u16 folded = (__u16)(id ^ id >> 16);

	return folded ? folded : 1;
}

SLUICE_FLOW_INLINE __u32 sluice_hold_label(__u32 id)
{
	__u32 label = (id ^ id >> 12) & 0xfffff;

	return label ? label : 1;
}

#endif
