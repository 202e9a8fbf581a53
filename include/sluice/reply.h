/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The maps that the reply programs share with user space, except the flow table. */
#ifndef SLUICE_REPLY_H
#define SLUICE_REPLY_H

#include <sluice/flow.h>
#include <sluice/meta.h>

/* Raised whenever a pinned map changes its layout or its meaning. */
#define SLUICE_REPLY_ABI SLUICE_ABI(6)

enum sluice_reply_mode {
	SLUICE_REPLY_SOCKET = 1,
	SLUICE_REPLY_AUDIT = 2,
};

/*
 * The record of a load, for user space only; the programs have the same values in rodata. The first
 * two words are stable across versions.
 */
struct sluice_reply_meta {
	__u32 magic;
	__u32 abi;
	__u32 state; /* enum sluice_load_state */
	__u32 mode;  /* enum sluice_reply_mode */
	__u64 seed;  /* seed of sluice_flow_hash() */
	__u64 age_ns;
	__u64 loaded_ns; /* CLOCK_BOOTTIME */
	__u64 cgroup_id;
	__u32 sets; /* sets of the flow table */
	__u32 any_port;
	__u32 any_peer_port; /* a reply may go to any port of its peer */
	__u32 reserved;
	__u64 ports[1024]; /* bit p % 64 of word p / 64: port p is managed */
};
_Static_assert(sizeof(struct sluice_reply_meta) == 64 + 8192, "struct sluice_reply_meta");

/* The local storage of a socket, created at its first datagram. */
struct sluice_sock {
	__u64 cookie;
	__u64 net;	   /* address of the struct net, to which the socket holds a reference */
	__u32 netns;	   /* its inode number */
	__u32 port_chosen; /* the kernel chose the port, not bind(2): a client's socket */
	/*
	 * The seal of the last destination that cannot be a source, and of the address generation
	 * at that time. It is one word and so needs no lock.
	 */
	__u64 refused;
};
_Static_assert(sizeof(struct sluice_sock) == 32, "struct sluice_sock");

/* The destination of a datagram, in its namespace. */
struct sluice_local_key {
	struct sluice_addr addr;
	__u32 netns;
	__u32 reserved;
};
_Static_assert(sizeof(struct sluice_local_key) == 24, "struct sluice_local_key");

/* The result of the last walk over the addresses: whether an interface has the address. */
struct sluice_local_usable {
	__u32 generation; /* address generation of the namespace during the walk */
	__u32 usable;
};
_Static_assert(sizeof(struct sluice_local_usable) == 8, "struct sluice_local_usable");

/* The local storage of a socket that has connected to a peer with a flow. */
struct sluice_connect {
	__u64 cookie; /* cookie of the socket that received the peer's request; key of the audit */
	struct sluice_addr peer;
	struct sluice_addr asked;
	__be16 peer_port_be;
	__u16 reserved[3];
};
_Static_assert(sizeof(struct sluice_connect) == 48, "struct sluice_connect");

/* The audit of a socket, keyed by socket cookie. Mode socket records only connect(2) calls. */
struct sluice_audit {
	__u64 right;
	__u64 wrong;
	__u64 wrong_ns; /* CLOCK_MONOTONIC of the last wrong reply, whose tuple follows */
	struct sluice_addr peer;
	struct sluice_addr asked; /* the requested address */
	struct sluice_addr used;  /* the source of the reply */
	__be16 peer_port_be;
	__u16 port; /* port of the socket */
	__u32 netns;
	/* datagrams to another port of a peer, not sent from the requested address */
	__u64 other_port;
	/* the last of these datagrams */
	struct sluice_addr other_peer;
	struct sluice_addr other_asked;
	struct sluice_addr other_used;
	__be16 other_port_be;
	__u16 reserved;
	__u32 pid; /* pid of the process that connected; 0: unknown on this kernel */
	/* connect(2) calls to a peer that had sent a request */
	__u64 connects;
	/* connect(2) calls of other sockets on the port, for example of one socket per client */
	__u64 siblings;
	__u64 connect_right; /* later datagrams to the peer from the requested address */
	__u64 connect_wrong;
	/* the last of these connect(2) calls */
	struct sluice_addr connect_peer;
	struct sluice_addr connect_asked;
	struct sluice_addr connect_used; /* the source of the last datagram; 0: none was sent */
	__be16 connect_port_be;
	__u16 reserved2[3];
	char comm[16];
};
_Static_assert(sizeof(struct sluice_audit) == 248, "struct sluice_audit");

#endif
