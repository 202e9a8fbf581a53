/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The maps shared by the steering program of a group and its loader.
 *
 * A group is a reuseport group of the kernel: the UDP sockets that share an address and a port
 * through SO_REUSEPORT, in one network namespace. Each group has a program and maps of its own, so
 * the flow key needs neither namespace nor port, and the table is sized for the group.
 */
#ifndef SLUICE_STEER_H
#define SLUICE_STEER_H

#include <sluice/meta.h>
#include <sluice/steer_table.h>

/* Raised whenever a pinned map changes its layout or its meaning. */
#define SLUICE_STEER_ABI SLUICE_ABI(4)

#define SLUICE_STEER_CPUS 1024

enum sluice_steer_policy {
	SLUICE_STEER_FLOW = 1,
	SLUICE_STEER_LOAD,
	SLUICE_STEER_SOURCE,
	SLUICE_STEER_CPU,
};

enum sluice_steer_state {
	SLUICE_STEER_FREE = 0,
	SLUICE_STEER_ACTIVE,   /* gets new flows */
	SLUICE_STEER_RETIRED,  /* belongs to an older generation; keeps its existing flows */
	SLUICE_STEER_DRAINING, /* drained by command; keeps its flows until they are idle */
	SLUICE_STEER_DRAINED,  /* gets no datagrams, and its queue is empty */
};

/* A socket of the group. */
struct sluice_steer_slot {
	__u64 cookie;
	__u64 sock;	    /* kernel address of the struct sock; 0: not known */
	__u64 joined_ns;    /* CLOCK_BOOTTIME */
	__u64 instance;	    /* instance of the server; see user/steer/group/instance.h */
	__u32 pid;	    /* pid of the socket's owner; see user/steer/group/owner.h */
	__u32 generation;   /* starts at 1 */
	__u16 incarnation;  /* never 0; a flow with another value belonged to an earlier socket */
	__u16 state;	    /* enum sluice_steer_state */
	__u32 drops_before; /* the socket's drop count when it joined */
	char comm[16];
};
_Static_assert(sizeof(struct sluice_steer_slot) == 64, "struct sluice_steer_slot");

/* The slots that get new flows, in the order of the kernel's group. */
struct sluice_steer_choice {
	__u32 count;
	__u32 reserved;
	__u16 slot[SLUICE_STEER_SLOTS];
};
_Static_assert(sizeof(struct sluice_steer_choice) == 8 + 2048, "struct sluice_steer_choice");

/* Policy cpu: the slots whose consumer runs on a CPU. */
#define SLUICE_STEER_CPU_SLOTS 7
struct sluice_steer_cpu {
	__u16 count;
	__u16 slot[SLUICE_STEER_CPU_SLOTS];
};
_Static_assert(sizeof(struct sluice_steer_cpu) == 16, "struct sluice_steer_cpu");

enum sluice_steer_consumer_cpu {
	SLUICE_STEER_CPU_UNKNOWN = 0,
	SLUICE_STEER_CPU_SEEN,	 /* the thread last received on this CPU, but may migrate */
	SLUICE_STEER_CPU_PINNED, /* its affinity mask has only this CPU */
};

/* Policy cpu: the thread that reads a slot's socket, and its CPU. */
struct sluice_steer_consumer {
	__u64 cookie; /* socket cookie; the entry is void if the slot has another cookie */
	__u32 tid;    /* 0: any thread of the process; all of them run on this CPU */
	__u16 cpu;
	__u16 known; /* enum sluice_steer_consumer_cpu */
};
_Static_assert(sizeof(struct sluice_steer_consumer) == 16, "struct sluice_steer_consumer");

/* Statistics of a slot, per CPU. */
struct sluice_steer_stats {
	__u64 datagrams;
	__u64 bytes; /* UDP headers and payloads */
	__u64 flows; /* new flows */
	__u64 moved; /* flows moved here from another slot */
};
_Static_assert(sizeof(struct sluice_steer_stats) == 32, "struct sluice_steer_stats");

/*
 * Policy load: the number of recent datagrams on all CPUs. Two windows are kept, so that the count
 * does not restart from zero with each window.
 */
struct sluice_steer_recent {
	__u32 window; /* number of the window that `now` counts */
	__u32 now;
	__u32 before;
	__u32 reserved[13]; /* pads to a cache line */
};
_Static_assert(sizeof(struct sluice_steer_recent) == 64, "struct sluice_steer_recent");

/* The record of the load; the first three words are stable across versions. */
struct sluice_steer_meta {
	__u32 magic;
	__u32 abi;
	__u32 state;  /* enum sluice_load_state */
	__u32 policy; /* enum sluice_steer_policy */
	__u64 idle_ns;
	__u64 loaded_ns;   /* CLOCK_BOOTTIME */
	__u32 flows;	   /* per group */
	__u32 netns;	   /* inode number of the namespace; 0: all */
	__u32 generations; /* enum sluice_steer_generations */
	__u32 any_port;
	__u64 ports[1024];
};
_Static_assert(sizeof(struct sluice_steer_meta) == 48 + 8192, "struct sluice_steer_meta");

/* The rule that distinguishes the instances of a server. */
enum sluice_steer_generations {
	SLUICE_STEER_BY_PROCESS = 1,
	SLUICE_STEER_BY_CGROUP,
	SLUICE_STEER_BY_NONE, /* all sockets belong to one instance */
};

/*
 * UDP counters of a network namespace, summed over IPv4, IPv6 and all ports: the name in
 * /proc/net/snmp (RFC 4113 and Linux extensions), the JSON key, and the help text.
 */
#define SLUICE_STEER_UDP(X)                                                              \
	X(IN_DATAGRAMS, "InDatagrams", "in_datagrams", "read by applications")           \
	X(NO_PORTS, "NoPorts", "no_ports", "no socket on the port")                      \
	X(IN_ERRORS, "InErrors", "in_errors", "not delivered, for any reason below")     \
	X(RCVBUF_ERRORS, "RcvbufErrors", "rcvbuf_errors", "the receive buffer was full") \
	X(IN_CSUM_ERRORS, "InCsumErrors", "in_csum_errors", "the checksum was wrong")    \
	X(MEM_ERRORS, "MemErrors", "mem_errors", "UDP's memory limit was reached")

enum sluice_steer_udp {
#define X(name, snmp, key, help) SLUICE_STEER_UDP_##name,
	SLUICE_STEER_UDP(X)
#undef X
	SLUICE_STEER_UDP_COUNTERS,
	SLUICE_STEER_UDP_KNOWN = 7, /* not 0: the counters are valid */
};

/* The findings of earlier sweeps in the current generation; see user/steer/group/generation.h. */
struct sluice_steer_past {
	__u32 instances; /* maximum at one time, excluding instances that may take over later */
	__u32 reserved;
	__u64 fewer_ns; /* CLOCK_BOOTTIME when the number fell below `instances`; 0: it has not */
};
_Static_assert(sizeof(struct sluice_steer_past) == 16, "struct sluice_steer_past");

/* The record of a group; the first three words are stable across versions. */
struct sluice_steer_group {
	__u32 magic;
	__u32 abi;
	__u32 state;
	__u32 policy;
	__u64 idle_ns;
	__u64 loaded_ns; /* CLOCK_BOOTTIME */
	__u32 sets;
	__u32 netns;
	struct sluice_addr local;
	__u32 ifindex; /* ifindex of SO_BINDTODEVICE, or 0 */
	__u16 port;
	__u16 family;
	__u32 prog_id;
	__u32 reserved;
	__u64 udp_before[8]; /* enum sluice_steer_udp: the counters at load time */
	struct sluice_steer_past past;
	__u64 drain_unread; /* datagrams left unread by drained processes */
	struct sluice_steer_keys keys;
};
_Static_assert(sizeof(struct sluice_steer_group) == 384, "struct sluice_steer_group");

#endif
