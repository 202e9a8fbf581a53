/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The maps that the programs and the loader of mode wire share: peer records, fragment table,
 * counters and others.
 *
 * A peer sends to an address of a server, the requested address. The programs rewrite nothing until
 * they see a fault: an answer from an address to which the peer has never sent, the server address.
 * The record stores the server address as the proof for the requested address. Both tables are
 * set-associative, for the reasons in flow.h.
 */
#ifndef SLUICE_WIRE_H
#define SLUICE_WIRE_H

#include <sluice/flow.h>
#include <sluice/meta.h>

/* Raised whenever a pinned map changes its layout or its meaning. */
#define SLUICE_WIRE_ABI SLUICE_ABI(6)

#define SLUICE_FRAGMENT_SETS 512
/* Linux waits 30 s for the rest of an IPv4 datagram (RFC 791: 15 to 255 s). */
#define SLUICE_FRAGMENT_LIFE sluice_flow_clock(30000000000ULL)
/* How long a decision about a socket or an address is reused without a new lookup. */
#define SLUICE_WIRE_RECHECK sluice_flow_clock(250000000ULL)
/* How long the programs expect an answer to a request. */
#define SLUICE_WIRE_PENDING sluice_flow_clock(3000000000ULL)
/* The minimum time between two searches of all local addresses for one peer. */
#define SLUICE_WIRE_SEARCH sluice_flow_clock(20000000ULL)
/* How long conntrack keeps the entry of a request that reached no socket. */
#define SLUICE_WIRE_CONNTRACK_MS 1000

/* The task of a program and the kind of its interface, constants in the program. */
enum sluice_wire_role {
	SLUICE_WIRE_HOST = 1 << 0,     /* peers behind the interface, servers on this host */
	SLUICE_WIRE_GATEWAY = 1 << 1,  /* a server is behind the interface */
	SLUICE_WIRE_ETHERNET = 1 << 2, /* frames start with an Ethernet header */
	SLUICE_WIRE_PORT = 1 << 3,     /* a bridge port, which also gets frames for other hosts */
	SLUICE_WIRE_ROLES = 1 << 4,    /* greater than any combination of flags */
};

/* Requested addresses per record; a third one makes the record SLUICE_WIRE_MIXED. */
#define SLUICE_WIRE_REQUESTED 2

/*
 * The record of a peer and a server's port on one interface. The interface is part of the key: an
 * answer that does not leave by the interface of its request finds no record.
 */
struct sluice_wire_flow {
	struct sluice_addr peer;
	__be16 peer_port_be;
	__be16 port_be; /* port of the server */
	__u32 scope;	/* ifindex; on a gateway, also SLUICE_WIRE_SCOPE_GATEWAY */
	__u32 flags;	/* enum sluice_wire_flag */
	__u32 routed;	/* sluice_flow_clock() when `socket` was last looked up, or searched for */
	/* sluice_flow_clock() of a request that awaits its answer, or 0 */
	__u32 pending[SLUICE_WIRE_REQUESTED];
	__u64 seal; /* sluice_wire_seal() of the last wrong answer; 0: none */
	struct sluice_addr requested[SLUICE_WIRE_REQUESTED];
	/* the proof of each requested address: the source of its answers; 0: none */
	struct sluice_addr server[SLUICE_WIRE_REQUESTED];
	__u32 judged; /* sluice_flow_clock() of the last wrong answer */
	__u32 genid;  /* address generation when `server` was last checked */
	/*
	 * the socket that receives the requests: its address in the kernel, with enum
	 * sluice_wire_socket in the low bits; 0: unknown
	 */
	__u64 socket;
};
_Static_assert(sizeof(struct sluice_wire_flow) == 128, "struct sluice_wire_flow");

#define SLUICE_WIRE_SCOPE_GATEWAY (1U << 31)

enum sluice_wire_flag {
	/*
	 * An answer came from a requested address: the programs change nothing until the record
	 * expires.
	 */
	SLUICE_WIRE_RIGHT = 1 << 0,
	/* The peer sent to a group or to a third address: the programs change nothing. */
	SLUICE_WIRE_MIXED = 1 << 1,
	/*
	 * A request was redirected to a server address, so answers from that address belong to it.
	 */
	SLUICE_WIRE_DST = 1 << 2,
	/* The last lookup found that requests must go to the server address. */
	SLUICE_WIRE_REDIRECT = 1 << 3,
	/*
	 * The peer has sent again after the fault. Only a proven record may evict a proven record.
	 */
	SLUICE_WIRE_PROVEN = 1 << 4,
	SLUICE_WIRE_SECOND = 1 << 5, /* requested[1] is set */
	SLUICE_WIRE_LAST = 1 << 6,   /* index of the requested address of the last request */
	SLUICE_WIRE_OLDER = 1 << 7,  /* index of the older of two pending requests */
	/* Gateway: since the server's last answer, an ICMP refusal was withheld from the peer. */
	SLUICE_WIRE_WITHHELD = 1 << 8,
	/* At `genid`, the requested address of the last request was not local to this host. */
	SLUICE_WIRE_ELSEWHERE = 1 << 9,
	/* The server's socket is bound to another device, so lookups on this device do not find it.
	 */
	SLUICE_WIRE_DEVICE = 1 << 10,
};

enum sluice_wire_socket {
	SLUICE_WIRE_CONNECTED = 1 << 0, /* to the peer */
	/* and so that requests to another address may be redirected to it */
	SLUICE_WIRE_BACK = 1 << 1,
	SLUICE_WIRE_SOCKET_FLAGS = SLUICE_WIRE_CONNECTED | SLUICE_WIRE_BACK,
};

/*
 * Half-open and proven records share the sets, so that a packet costs one lookup. They do not
 * compete for slots: a half-open record, which a single spoofed datagram can create, never evicts a
 * live proven record, and proven records leave at least two slots of each set to half-open records.
 */
#define SLUICE_WIRE_PROVEN_WAYS (SLUICE_FLOW_WAYS - 2)

struct sluice_wire_set {
	struct bpf_spin_lock lock;
	__u8 proven; /* bit n: slot n has SLUICE_WIRE_PROVEN */
	__u8 reserved[3];
	__u8 owner[SLUICE_FLOW_WAYS]; /* the low bits of each slot's scope, for the quota */
	__u16 tag[SLUICE_FLOW_WAYS];  /* sluice_flow_tag() of each slot; 0: free */
	__u32 seen[SLUICE_FLOW_WAYS]; /* sluice_flow_clock() when the record was last renewed */
	struct sluice_wire_flow flow[SLUICE_FLOW_WAYS];
};
_Static_assert(sizeof(struct sluice_wire_set) == 64 + 128 * SLUICE_FLOW_WAYS, "wire set");

SLUICE_FLOW_INLINE __u64 sluice_wire_hash(__u64 seed, const struct sluice_addr *peer,
					  __be16 peer_port_be, __be16 port_be, __u32 scope)
{
	__u64 ports = (__u32)peer_port_be << 16 | port_be;
	__u64 hash = sluice_flow_mix(seed, (__u64)scope << 32 | ports);

	hash = sluice_flow_mix(hash, peer->half[0]);
	hash = sluice_flow_mix(hash, peer->half[1]);
	return sluice_flow_mix(hash, hash >> 32);
}

/*
 * Seals a decision: answers from @server, sent by the socket @cookie, belong to @requested while
 * the host's addresses have the generation @genid. A program applies the decision without the set's
 * lock. If another CPU changes the record concurrently, the seal does not match the data that the
 * program has read, even on a weakly ordered CPU. @hash is sluice_wire_hash().
 */
SLUICE_FLOW_INLINE __u64 sluice_wire_seal(__u64 hash, const struct sluice_addr *requested,
					  const struct sluice_addr *server, __u64 cookie,
					  __u32 genid)
{
	hash = sluice_flow_mix(hash, requested->half[0]);
	hash = sluice_flow_mix(hash, requested->half[1]);
	hash = sluice_flow_mix(hash, server->half[0]);
	hash = sluice_flow_mix(hash, server->half[1]);
	hash = sluice_flow_mix(hash, cookie);
	return sluice_flow_mix(hash, genid) | 1;
}

/* The address of a packet that the programs rewrite. */
enum sluice_wire_end {
	SLUICE_WIRE_NEITHER,
	SLUICE_WIRE_SOURCE,
	SLUICE_WIRE_TARGET,
};

/*
 * The decision about the first fragment of a datagram, which also applies to its later fragments.
 */
struct sluice_fragment {
	struct sluice_addr source;
	struct sluice_addr target;
	struct sluice_addr becomes;
	__be32 id_be;
	__u32 where; /* ifindex; on egress, also SLUICE_FRAGMENT_OUT */
	__u8 unused;
	__u8 end; /* enum sluice_wire_end */
	__u8 reserved[6];
};
_Static_assert(sizeof(struct sluice_fragment) == 64, "struct sluice_fragment");

#define SLUICE_FRAGMENT_OUT (1U << 31)

struct sluice_fragment_set {
	struct bpf_spin_lock lock;
	__u32 reserved[3];
	__u16 tag[SLUICE_FLOW_WAYS];
	__u32 seen[SLUICE_FLOW_WAYS]; /* sluice_flow_clock() of the first fragment */
	struct sluice_fragment fragment[SLUICE_FLOW_WAYS];
};
_Static_assert(sizeof(struct sluice_fragment_set) == 64 * (1 + SLUICE_FLOW_WAYS), "fragment set");

/* Direct-mapped caches of recent lookups: a new entry replaces the entry in its slot. */
#define SLUICE_LOCAL_SLOTS  256
#define SLUICE_BRIDGE_SLOTS 256

/* Caches whether an address is local, until an address of the namespace changes. */
struct sluice_local {
	struct sluice_addr addr;
	__u64 net; /* the kernel's struct net; 0: a free slot */
	__u32 genid;
	__u32 local;
};
_Static_assert(sizeof(struct sluice_local) == 32, "struct sluice_local");

/* Caches the Ethernet address of the bridge to which a port belongs. */
struct sluice_bridge {
	__u32 port;    /* ifindex */
	__u32 checked; /* sluice_flow_clock() */
	__u8 address[6];
	__u8 known; /* 0: the port has no bridge */
	__u8 reserved;
};
_Static_assert(sizeof(struct sluice_bridge) == 16, "struct sluice_bridge");

enum sluice_wire_attach_mode {
	SLUICE_WIRE_TCX = 1, /* two pinned links */
	SLUICE_WIRE_CLSACT,  /* two tc filters */
};

/*
 * An attached interface, in the loader's map sluice_w_ifaces, keyed by ifindex. The layout is the
 * same in all versions, since a load also reads the list of another ABI version.
 */
struct sluice_wire_iface {
	char name[16];	   /* IFNAMSIZ; the name at attach time */
	__u32 roles;	   /* enum sluice_wire_role */
	__u32 attach_mode; /* enum sluice_wire_attach_mode */
	__u32 clsact_made; /* sluice created the clsact qdisc and removes it on detach */
	__u32 master;	   /* ifindex of the bridge whose ports sluice follows, or 0 */
};
_Static_assert(sizeof(struct sluice_wire_iface) == 32, "struct sluice_wire_iface");

/* The record of a load. The fields up to netns have the same offsets in all versions. */
struct sluice_wire_meta {
	__u32 magic;
	__u32 abi;
	__u32 state;	   /* enum sluice_load_state */
	__u32 attach_mode; /* enum sluice_wire_attach_mode, for new interfaces */
	__u64 seed;
	__u64 age_ns;
	__u64 loaded_ns; /* CLOCK_BOOTTIME */
	__u64 netns;	 /* inode number of the network namespace */
	__u32 sets;
	__u32 any_port;
	__u64 ports[1024];
};
_Static_assert(sizeof(struct sluice_wire_meta) == 56 + 8192, "struct sluice_wire_meta");

/*
 * The outcomes of the wire programs (sluice_wire_KEY_total); counters.h explains the list. Packets
 * of other protocols or unmanaged ports are not counted.
 */
#define SLUICE_WIRE_COUNTERS(X)                                                                   \
	X(half_open, "new records: the first datagram of a peer to a port")                       \
	X(proven, "faults seen: replies that left from an address the peer never sent to")        \
	X(proof_dropped, "faults dropped: this host no longer has one of their addresses")        \
	X(evicted, "live proven records evicted because their set of the table was full")         \
	X(evicted_half_open,                                                                      \
	  "live half-open records evicted because their set of the table was full")               \
	X(request_rewritten,                                                                      \
	  "requests redirected to a socket that has connected back to the peer")                  \
	X(request_right, "requests left alone: the replies to their peer are right")              \
	X(request_mixed, "requests left alone: their peer uses a group or several addresses")     \
	X(request_passed, "requests left alone: a socket, or another host, receives them")        \
	X(request_refused, "requests left alone: no socket receives them at any address")         \
	X(request_not_looked_up, "requests left alone: too many to unknown addresses at once")    \
	X(request_other_host, "frames for another host, left alone")                              \
	X(reply_rewritten, "replies rewritten to leave from the requested address")               \
	X(reply_right, "replies from a requested address, left alone")                            \
	X(reply_mixed, "replies left alone: their peer uses a group or several addresses")        \
	X(reply_no_flow, "datagrams left alone: no live record of a request from their target")   \
	X(reply_other_sender, "datagrams left alone: not sent by a server's socket of this host") \
	X(reply_source_set, "replies left alone: the server has chosen their source")             \
	X(reply_address_gone, "replies left alone: the requested address is not local")           \
	X(address_search, "searches of all local addresses for a socket that has connected back") \
	X(dnat, "records left alone: a DNAT rule redirects the requests of their peer")           \
	X(conntrack_cut, "conntrack entries of redirected requests whose timeout was shortened")  \
	X(fragment_followed, "later fragments treated as their first fragment")                   \
	X(fragment_early, "later fragments left alone: their first fragment was not seen")        \
	X(fragment_evicted, "fragmented datagrams evicted early: too many at once")               \
	X(error_translated, "ICMP errors about a rewritten datagram, translated")                 \
	X(error_withheld, "gateway: ICMP refusals dropped, since the next request is redirected") \
	X(error_left, "ICMP errors about UDP, left alone")                                        \
	X(skipped_header, "packets whose headers the parser rejects, left alone")                 \
	X(skipped_signed, "datagrams with an AH or a routing header, left alone")                 \
	X(failed, "packets left alone: the kernel refused to change them")

enum sluice_wire_counter {
#define X(name, help) SLUICE_WIRE_##name,
	SLUICE_WIRE_COUNTERS(X)
#undef X
	SLUICE_WIRE_COUNTERS_MAX
};

struct sluice_wire_counters {
	__u64 value[SLUICE_WIRE_COUNTERS_MAX];
};

#endif
