/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Wire mode: the flow table, the fragment table, the counters, and the other maps that the programs
 * and the loader share.
 *
 * A client sends to the requested address; the server answers from another one, called the server
 * address here. Packets carry the requested address toward the client, and the server address
 * toward the server. Both tables are sets of slots; flow.h gives the reasons.
 */
#ifndef SLUICE_WIRE_H
#define SLUICE_WIRE_H

#include <sluice/flow.h>

/* Raised whenever a pinned map changes its layout or its meaning. */
#define SLUICE_WIRE_ABI 3

#define SLUICE_FRAGMENT_SETS 512
/* Kernels give up waiting for the rest of an IPv4 datagram after 30 s (RFC 791: 15 to 255). */
#define SLUICE_FRAGMENT_LIFE sluice_flow_clock(30000000000ULL)
/* How long a decision (which socket, which address) is reused without a new lookup. */
#define SLUICE_WIRE_RECHECK sluice_flow_clock(250000000ULL)
/* How long a server behind a gateway may be silent before requests go to the other address. */
#define SLUICE_WIRE_PATIENCE sluice_flow_clock(3000000000ULL)

/* How long a reply from the previously requested address stays expected. */
#define SLUICE_WIRE_LATE sluice_flow_clock(3000000000ULL)

/* The task of a program, and the kind of its interface; constant in the program. */
enum sluice_wire_role {
	SLUICE_WIRE_HOST = 1 << 0,     /* clients are behind the interface, servers on this host */
	SLUICE_WIRE_GATEWAY = 1 << 1,  /* a server is behind the interface */
	SLUICE_WIRE_ETHERNET = 1 << 2, /* frames start with an Ethernet header */
	/*
	 * A bridge port: a reply is only matched on the port that the request came in by, so a
	 * client behind another port can't interfere.
	 */
	SLUICE_WIRE_PORT = 1 << 3,
	SLUICE_WIRE_ROLES = 1 << 4, /* all are below */
};

struct sluice_wire_flow {
	struct sluice_addr client;
	struct sluice_addr requested; /* destination of the client's last datagram */
	struct sluice_addr
		server; /* source of the server's replies; equal if the server is right */
	__be16 client_port_be;
	__be16 server_port_be;
	__u32 scope;   /* SLUICE_WIRE_SCOPE_GATEWAY, the ifindex of a bridge port; and flags */
	__u32 checked; /* sluice_flow_clock() when `server` was looked up or seen as a source */
	__u32 seal;    /* sluice_wire_seal() */
};
_Static_assert(sizeof(struct sluice_wire_flow) == 64, "struct sluice_wire_flow");

#define SLUICE_WIRE_SCOPE_GATEWAY (1U << 31)

/* State of a flow, kept in the high bits of `scope`, but not part of the key. */
enum sluice_wire_flag {
	/*
	 * The client switched to another address before `server`, its previous destination, has
	 * replied: the next datagram from `server` is that pending reply, and right as it is.
	 */
	SLUICE_WIRE_OWED = 1 << 27,
	/* This host sent first, from an address of its own choice, which answers must go to. */
	SLUICE_WIRE_HOST_FIRST = 1 << 28,
	/*
	 * Gateway: the client switched to another of the server's addresses, so neither is known to
	 * stand for the other.
	 */
	SLUICE_WIRE_TURNED = 1 << 29,
	/* Gateway: a forwarded request has no reply yet; `checked` is its time. */
	SLUICE_WIRE_WAITING = 1 << 30,
};
#define SLUICE_WIRE_FLAGS                                                         \
	((__u32)(SLUICE_WIRE_OWED | SLUICE_WIRE_HOST_FIRST | SLUICE_WIRE_TURNED | \
		 SLUICE_WIRE_WAITING))

struct sluice_wire_set {
	struct bpf_spin_lock lock;
	__u32 reserved;
	/* 1: the client's last request, within the clock's resolution, has no reply yet */
	__u8 unanswered[SLUICE_FLOW_WAYS];
	__u16 tag[SLUICE_FLOW_WAYS];  /* sluice_flow_tag() of each slot; 0: free */
	__u32 seen[SLUICE_FLOW_WAYS]; /* sluice_flow_clock() of the last datagram of either end */
	struct sluice_wire_flow flow[SLUICE_FLOW_WAYS];
};
_Static_assert(sizeof(struct sluice_wire_set) == 64 * (1 + SLUICE_FLOW_WAYS), "wire set");

SLUICE_FLOW_INLINE __u64 sluice_wire_hash(__u64 seed, const struct sluice_addr *client,
					  __be16 client_port_be, __be16 server_port_be, __u32 scope)
{
	__u64 ports = (__u32)client_port_be << 16 | server_port_be;
	__u64 hash = sluice_flow_mix(seed, (__u64)(scope & ~SLUICE_WIRE_FLAGS) << 32 | ports);

	hash = sluice_flow_mix(hash, client->half[0]);
	hash = sluice_flow_mix(hash, client->half[1]);
	return sluice_flow_mix(hash, hash >> 32);
}

/*
 * Hashes the mutable fields of a flow, so that a lockless read detects a concurrent change. The
 * products are independent, since each datagram pays for them. The seal need not resist guessing:
 * it only distinguishes two states of one flow.
 */
SLUICE_FLOW_INLINE __u32 sluice_wire_seal(__u64 hash, const struct sluice_addr *requested,
					  const struct sluice_addr *server, __u32 flags)
{
	hash += (requested->half[0] ^ flags) * 0xff51afd7ed558ccdULL;
	hash += requested->half[1] * 0xc4ceb9fe1a85ec53ULL;
	hash += server->half[0] * 0x9e3779b97f4a7c15ULL;
	return (hash + server->half[1] * 0xbf58476d1ce4e5b9ULL) >> 32;
}

/* The address of a packet that is rewritten. */
enum sluice_wire_end {
	SLUICE_WIRE_NEITHER,
	SLUICE_WIRE_SOURCE,
	SLUICE_WIRE_TARGET,
};

/* The decision about the first fragment of a datagram, applied to the later ones. */
struct sluice_fragment {
	struct sluice_addr source;
	struct sluice_addr target;
	struct sluice_addr becomes;
	__be32 id_be;
	__u32 where;   /* ifindex; with SLUICE_FRAGMENT_OUT on egress */
	__u8 protocol; /* of IPv4, where it is part of the key (RFC 791); else 0 */
	__u8 end;      /* enum sluice_wire_end */
	__u8 reserved[6];
};
_Static_assert(sizeof(struct sluice_fragment) == 64, "struct sluice_fragment");

#define SLUICE_FRAGMENT_OUT (1U << 31)

struct sluice_fragment_set {
	struct bpf_spin_lock lock;
	__u32 reserved[3];
	__u16 tag[SLUICE_FLOW_WAYS];
	__u32 seen[SLUICE_FLOW_WAYS]; /* sluice_flow_clock() of the first one */
	struct sluice_fragment fragment[SLUICE_FLOW_WAYS];
};
_Static_assert(sizeof(struct sluice_fragment_set) == 64 * (1 + SLUICE_FLOW_WAYS), "fragment set");

/* Direct-mapped caches of recent lookups: a new entry replaces the old one in its slot. */
#define SLUICE_AWAY_SLOTS   256
#define SLUICE_TOWARD_SLOTS 256
#define SLUICE_BRIDGE_SLOTS 256

/* Caches whether an address is local. */
struct sluice_away {
	struct sluice_addr addr;
	__u32 checked; /* sluice_flow_clock() */
	__u32 local;   /* 0: of another host */
};
_Static_assert(sizeof(struct sluice_away) == 24, "struct sluice_away");

/* Caches the source address that the kernel chooses toward a peer. */
struct sluice_toward {
	struct sluice_addr peer;
	struct sluice_addr source; /* 0: not known */
	__u32 ifindex;		   /* SO_BINDTODEVICE of the socket, or 0 */
	__u32 mark;		   /* SO_MARK, or 0 */
	__u32 checked;		   /* sluice_flow_clock() */
	__u32 reserved;
};
_Static_assert(sizeof(struct sluice_toward) == 48, "struct sluice_toward");

/* Caches the Ethernet address of the bridge that a port belongs to. */
struct sluice_bridge {
	__u32 port;    /* ifindex */
	__u32 checked; /* sluice_flow_clock() */
	__u8 address[6];
	__u8 known; /* 0: the port has no bridge */
	__u8 reserved;
};
_Static_assert(sizeof(struct sluice_bridge) == 16, "struct sluice_bridge");

/*
 * Key of the user-space copy of the routes, for kernels whose own lookup is unavailable. IPv4 is
 * stored v4-mapped, so its prefix lengths are 96 longer.
 */
struct sluice_route_key {
	__u32 prefix_len;
	__be32 word_be[4]; /* not struct sluice_addr, which would leave a gap before it */
};
_Static_assert(sizeof(struct sluice_route_key) == 20, "struct sluice_route_key");

enum sluice_route_kind {
	SLUICE_ROUTE_NONE, /* no way there */
	SLUICE_ROUTE_AWAY,
	SLUICE_ROUTE_LOCAL,	/* an address of this host */
	SLUICE_ROUTE_BROADCAST, /* or anycast: this host's, but not for one to answer from */
};

struct sluice_route {
	struct sluice_addr source; /* what this host sends from; 0: not known */
	__u32 kind;		   /* enum sluice_route_kind */
	__u32 generation;	   /* of the reading that brought it, for the loader */
};
_Static_assert(sizeof(struct sluice_route) == 24, "struct sluice_route");

enum sluice_wire_attach_mode {
	SLUICE_WIRE_TCX = 1, /* two pinned links */
	SLUICE_WIRE_CLSACT,  /* two tc filters */
};

/* An attached interface, in the loader's map, keyed by ifindex. */
struct sluice_wire_iface {
	char name[16];	   /* IFNAMSIZ; the name at attach time */
	__u32 roles;	   /* enum sluice_wire_role */
	__u32 attach_mode; /* enum sluice_wire_attach_mode */
	__u32 clsact_made; /* sluice made the clsact, and removes it on detach */
	__u32 master;	   /* ifindex of the bridge that is followed, or 0 */
};
_Static_assert(sizeof(struct sluice_wire_iface) == 32, "struct sluice_wire_iface");

/* The record of a load. The first two words keep their place in every version. */
struct sluice_wire_meta {
	__u32 magic;
	__u32 abi;
	__u32 state;	   /* enum sluice_load_state */
	__u32 attach_mode; /* for new interfaces: enum sluice_wire_attach_mode */
	__u64 seed;
	__u64 age_ns;
	__u64 loaded_ns; /* CLOCK_REALTIME */
	__u64 netns;	 /* inode number of the network namespace */
	__u32 sets;
	__u32 any_port;
	__u64 ports[1024];
};
_Static_assert(sizeof(struct sluice_wire_meta) == 56 + 8192, "struct sluice_wire_meta");

/*
 * Every exit of the wire programs, once; counters.h explains such lists. The metric is
 * sluice_wire_KEY_total. Packets other than UDP, and those of unmanaged ports, are not counted.
 */
#define SLUICE_WIRE_COUNTERS(X)                                                                    \
	X(learned, "new flows: a client's first datagram to a server")                             \
	X(moved,                                                                                   \
	  "flows whose client now sends to another address, or whose server replies from one")     \
	X(evicted, "live flows evicted because their set of the table was full")                   \
	X(host_first, "new flows: this host sent first, from an address that it would not choose") \
	X(request_rewritten, "requests redirected to the address that the server answers from")    \
	X(request_right, "requests to an address that the server answers from, left alone")        \
	X(request_not_local, "datagrams to other hosts, left alone")                               \
	X(request_not_unicast, "datagrams to or from multicast, broadcast, link-local or such")    \
	X(request_no_socket, "requests left alone: no socket is bound")                            \
	X(request_other_socket, "requests left alone: another socket would receive them there")    \
	X(request_no_source, "requests left alone: this host has no address for an answer")        \
	X(reply_rewritten, "replies given the address that the client had requested")              \
	X(reply_right, "replies from the requested address, left alone")                           \
	X(reply_no_flow, "datagrams left alone: no request from their target (or it was evicted)") \
	X(reply_expired, "replies left alone: the flow is too old, and needed no change")          \
	X(reply_other_source, "replies left alone: their source is not the server address")        \
	X(reply_address_gone, "replies left alone: the requested address is no longer local")      \
	X(fragment_followed, "later fragments, treated as their first one")                        \
	X(fragment_early, "later fragments left alone: their first one was not seen")              \
	X(fragment_evicted, "fragmented datagrams evicted early: too many at a time")              \
	X(error_translated, "ICMP errors about a rewritten flow, translated")                      \
	X(error_left, "ICMP errors about UDP, left alone: their flow is right or unknown")         \
	X(skipped_header, "packets whose headers the parser refuses, left alone")                  \
	X(skipped_signed, "datagrams with an AH or a routing header, left alone")                  \
	X(failed, "packets left alone: the kernel refused to change them")                         \
	X(routes_by_table, "source addresses found in the user-space copy of the routes")

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
