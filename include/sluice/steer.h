/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * What the steering program of a group and the loader tell each other through maps.
 *
 * A group is what the kernel has chosen from so far: the UDP sockets that share an address and a
 * port by SO_REUSEPORT, in one network namespace.  Each has a program and maps of its own, so that
 * the namespace and the port need no place in the key of a flow, and a table is sized for the one
 * group.
 *
 * The flow table is set-associative for the reasons that flow.h gives.  Two things differ.  A slot
 * that is live is never given away, since that would move a flow: a full set leaves a new flow
 * unrecorded, and the choice that it gets is a function of its tuple, so that it stays where it is
 * as long as nobody comes or goes.  And a flow of one datagram so far, which any spoofer can make,
 * may only take what is free or what is another such flow's.
 */
#ifndef SLUICE_STEER_H
#define SLUICE_STEER_H

#include <sluice/flow.h>

/* Raised whenever a pinned map changes its layout or its meaning. */
#define SLUICE_STEER_ABI 1

/* Sockets of a group that can be told apart, those of several generations together. */
#define SLUICE_STEER_SLOTS 1024
#define SLUICE_STEER_CPUS  1024
#define SLUICE_STEER_WAYS  8

enum sluice_steer_policy {
	SLUICE_STEER_FLOW = 1,
	SLUICE_STEER_LOAD,
	SLUICE_STEER_SOURCE,
	SLUICE_STEER_CPU,
};

/*
 * Whom a flow belongs to, in one word that is read and written at once.  What a reader takes for
 * its flow's may have changed hands while it compared the addresses: `check` is of the flow's hash,
 * and tells.
 */
union sluice_steer_owner {
	__u64 word;
	struct {
		__be16 peer_port_be;
		__u16 slot;
		__u16 incarnation; /* of the slot, when the flow came to it */
		__u16 check;	   /* sluice_steer_check() */
	};
};
_Static_assert(sizeof(union sluice_steer_owner) == 8, "union sluice_steer_owner");

struct sluice_steer_flow {
	struct sluice_addr peer;
	struct sluice_addr local;	/* what the peer sends to; 0 under policy source */
	union sluice_steer_owner owner; /* its port is 0 under policy source */
};
_Static_assert(sizeof(struct sluice_steer_flow) == 40, "struct sluice_steer_flow");

struct sluice_steer_set {
	struct bpf_spin_lock lock;
	__u32 established; /* bit n: way n has had a second datagram */
	__u32 zero;	   /* for ever; see bpf/steer/steer.bpf.c */
	__u32 reserved;
	__u16 tag[SLUICE_STEER_WAYS];  /* sluice_flow_tag(); 0: free */
	__u32 seen[SLUICE_STEER_WAYS]; /* sluice_flow_clock() of the last datagram */
	struct sluice_steer_flow flow[SLUICE_STEER_WAYS];
};
_Static_assert(sizeof(struct sluice_steer_set) == 64 + 40 * SLUICE_STEER_WAYS, "steer set");

SLUICE_FLOW_INLINE __u16 sluice_steer_check(__u64 hash)
{
	return (__u16)((hash ^ (hash >> 32)) >> 4);
}

enum sluice_steer_state {
	SLUICE_STEER_FREE = 0,
	SLUICE_STEER_ACTIVE,   /* takes new flows */
	SLUICE_STEER_RETIRED,  /* of a generation that a newer one has followed: keeps its flows */
	SLUICE_STEER_DRAINING, /* by command: keeps its flows until they are idle, then none */
	SLUICE_STEER_DRAINED,  /* takes nothing, and nothing of its flows waits in its queue */
};

/* A socket of the group. */
struct sluice_steer_slot {
	__u64 cookie;
	__u64 sock;	 /* the kernel's address of its struct sock; 0: not known */
	__u64 joined_ns; /* CLOCK_BOOTTIME */
	__u64 instance;	 /* which start of the server it belongs to; see user/steer/group/instance.h
			  */
	__u32 pid;	 /* of the process that held it when it joined */
	__u32 generation;   /* counts from 1 */
	__u16 incarnation;  /* a flow of another one is not this socket's; 0 is nobody's */
	__u16 state;	    /* enum sluice_steer_state */
	__u32 drops_before; /* of the socket, when it joined */
	char comm[16];
};
_Static_assert(sizeof(struct sluice_steer_slot) == 64, "struct sluice_steer_slot");

/* The slots that take new flows, in the kernel's own order of the group. */
struct sluice_steer_choice {
	__u32 count;
	__u32 reserved;
	__u16 slot[SLUICE_STEER_SLOTS];
};
_Static_assert(sizeof(struct sluice_steer_choice) == 8 + 2048, "struct sluice_steer_choice");

/* Policy cpu: the slots whose reader runs on a CPU. */
#define SLUICE_STEER_CPU_SLOTS 7
struct sluice_steer_cpu {
	__u16 count;
	__u16 slot[SLUICE_STEER_CPU_SLOTS];
};
_Static_assert(sizeof(struct sluice_steer_cpu) == 16, "struct sluice_steer_cpu");

enum sluice_steer_consumer_cpu {
	SLUICE_STEER_CPU_UNKNOWN = 0,
	SLUICE_STEER_CPU_SEEN,	 /* it ran there last; the scheduler may move it */
	SLUICE_STEER_CPU_PINNED, /* it may run on no other */
};

/* Policy cpu: who reads a slot's socket, and where. */
struct sluice_steer_consumer {
	__u64 cookie; /* of the socket that this was found for: another slot's reader is unknown */
	__u32 tid;    /* 0: not known, though all threads of the process run on this CPU */
	__u16 cpu;
	__u16 known; /* enum sluice_steer_consumer_cpu */
};
_Static_assert(sizeof(struct sluice_steer_consumer) == 16, "struct sluice_steer_reader");

/* What the program counts for a slot, each CPU by itself. */
struct sluice_steer_stats {
	__u64 datagrams;
	__u64 bytes; /* of UDP headers and payloads */
	__u64 flows; /* that began here */
	__u64 moved; /* flows that came from another slot */
};
_Static_assert(sizeof(struct sluice_steer_stats) == 32, "struct sluice_steer_stats");

/* Policy load: datagrams of late, of all CPUs together; two windows, so that none is short. */
struct sluice_steer_recent {
	__u32 window; /* number of the window that `now` counts in */
	__u32 now;
	__u32 before;
	__u32 reserved[13]; /* a cache line for each slot */
};
_Static_assert(sizeof(struct sluice_steer_recent) == 64, "struct sluice_steer_recent");

/* What was loaded for all groups; the first three words keep their place in every version. */
struct sluice_steer_meta {
	__u32 magic;
	__u32 abi;
	__u32 state;  /* enum sluice_load_state */
	__u32 policy; /* enum sluice_steer_policy */
	__u64 idle_ns;
	__u64 loaded_ns;   /* CLOCK_REALTIME */
	__u32 flows;	   /* for each group */
	__u32 netns;	   /* inode number of the namespace; 0: all */
	__u32 generations; /* enum sluice_steer_generations */
	__u32 any_port;
	__u64 ports[1024];
};
_Static_assert(sizeof(struct sluice_steer_meta) == 48 + 8192, "struct sluice_steer_meta");

/* What makes sockets one generation, which a newer one follows. */
enum sluice_steer_generations {
	SLUICE_STEER_BY_PROCESS = 1,
	SLUICE_STEER_BY_CGROUP,
	SLUICE_STEER_BY_NONE, /* there is but one */
};

/*
 * What a network namespace counts of UDP, of IPv4 and IPv6 together and of all its ports: the name
 * in /proc/net/snmp (RFC 4113 and Linux's own), the JSON key, and what it means.
 */
#define SLUICE_STEER_UDP(X)                                                              \
	X(IN_DATAGRAMS, "InDatagrams", "in_datagrams", "read by applications")           \
	X(NO_PORTS, "NoPorts", "no_ports", "no socket on the port")                      \
	X(IN_ERRORS, "InErrors", "in_errors", "not delivered, for all reasons below")    \
	X(RCVBUF_ERRORS, "RcvbufErrors", "rcvbuf_errors", "the receive buffer was full") \
	X(IN_CSUM_ERRORS, "InCsumErrors", "in_csum_errors", "the checksum was wrong")    \
	X(MEM_ERRORS, "MemErrors", "mem_errors", "UDP's memory was used up")

enum sluice_steer_udp {
#define X(name, snmp, key, help) SLUICE_STEER_UDP_##name,
	SLUICE_STEER_UDP(X)
#undef X
	SLUICE_STEER_UDP_COUNTERS,
	SLUICE_STEER_UDP_KNOWN = 7, /* not 0: the others could be read */
};

/* A group that a program is attached to; the first three words as above. */
struct sluice_steer_group {
	__u32 magic;
	__u32 abi;
	__u32 state;
	__u32 policy;
	__u64 seed;
	__u64 idle_ns;
	__u64 loaded_ns; /* CLOCK_REALTIME */
	__u32 sets;
	__u32 netns;
	struct sluice_addr local;
	__u32 ifindex; /* of SO_BINDTODEVICE, or 0 */
	__u16 port;
	__u16 family;
	__u32 prog_id;
	__u32 peak;	     /* most sockets that the generation in force has had; see
				steer/group/generation.h */
	__u64 udp_before[8]; /* enum sluice_steer_udp: the namespace's counters at the load */
};
_Static_assert(sizeof(struct sluice_steer_group) == 144, "struct sluice_steer_group");

#endif
