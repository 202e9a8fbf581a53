/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * What the reply programs and the loader tell each other through maps, beside the flow table.
 */
#ifndef SLUICE_REPLY_H
#define SLUICE_REPLY_H

#include <sluice/flow.h>

/* Raised whenever a pinned map changes its layout or its meaning. */
#define SLUICE_REPLY_ABI 4

enum sluice_reply_mode {
	SLUICE_REPLY_SOCKET = 1,
	SLUICE_REPLY_AUDIT = 2,
};

/*
 * What was loaded, for the loader alone; the programs have the same as rodata.  The first two words
 * keep their place in every version.
 */
struct sluice_reply_meta {
	__u32 magic;
	__u32 abi;
	__u32 state; /* enum sluice_load_state */
	__u32 mode;  /* enum sluice_reply_mode */
	__u64 seed;  /* of sluice_flow_set_index() */
	__u64 age_ns;
	__u64 loaded_ns; /* CLOCK_REALTIME */
	__u64 cgroup_id;
	__u32 sets; /* of the flow table */
	__u32 any_port;
	__u64 ports[1024]; /* bit p % 64 of word p / 64: port p is managed */
};
_Static_assert(sizeof(struct sluice_reply_meta) == 56 + 8192, "struct sluice_reply_meta");

/* What was found out about a socket at its first datagram; kept in its socket storage. */
struct sluice_sock {
	__u64 cookie;
	__u64 net;	   /* the kernel's struct net, which lives as long as the socket */
	__u32 netns;	   /* its inode number */
	__u32 port_chosen; /* by the kernel, not by bind(2): the socket of a client */
};
_Static_assert(sizeof(struct sluice_sock) == 24, "struct sluice_sock");

/* An address of a namespace; the value is the generation at which it was found there. */
struct sluice_local_key {
	struct sluice_addr addr;
	__u32 netns;
	__u32 reserved;
};
_Static_assert(sizeof(struct sluice_local_key) == 24, "struct sluice_local_key");

/* What audit mode sees a socket do; keyed by socket cookie. */
struct sluice_audit {
	__u64 right;
	__u64 wrong;
	__u64 wrong_ns; /* CLOCK_MONOTONIC of the last wrong one; what follows is its tuple */
	struct sluice_addr peer;
	struct sluice_addr asked; /* the address that the peer had sent to */
	struct sluice_addr used;  /* the address that the reply left from */
	__be16 peer_port_be;
	__u16 port; /* of the socket */
	__u32 netns;
	/* connect(2) to a peer that the socket had heard */
	__u64 connects;
	__u64 connect_right; /* datagrams to that peer since, from the address that it had asked */
	__u64 connect_wrong;
	/* what follows is of the last one */
	struct sluice_addr connect_peer;
	struct sluice_addr connect_asked;
	struct sluice_addr connect_used; /* what the last datagram left from; 0: none has */
	__be16 connect_port_be;
	__u16 reserved;
	__u32 pid; /* of the process that connected; 0: the kernel does not tell */
	char comm[16];
};
_Static_assert(sizeof(struct sluice_audit) == 176, "struct sluice_audit");

#endif
