/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The maps shared by the XDP programs that spread flows over CPUs, and their loader. */
#ifndef SLUICE_SPREAD_H
#define SLUICE_SPREAD_H

#include <linux/types.h>
#include <sluice/meta.h>

/* Raised whenever a pinned map changes its layout or its meaning. */
#define SLUICE_SPREAD_ABI SLUICE_ABI(1)

#define SLUICE_SPREAD_CPUS  1024
#define SLUICE_SPREAD_LINKS 16

/* Queue length per CPU in datagrams; further datagrams are dropped and counted. */
#define SLUICE_SPREAD_QUEUE 2048

enum sluice_spread_mode {
	SLUICE_SPREAD_NATIVE = 1, /* in the driver, before the kernel allocates an skb */
	SLUICE_SPREAD_GENERIC,
};

/* An interface with an attached program. */
struct sluice_spread_link {
	__u32 ifindex;
	__u32 netns; /* inode number of its namespace */
	__u32 mode;  /* enum sluice_spread_mode */
	char name[20];
	char why[160]; /* the reason why the mode is not native, or empty */
};
_Static_assert(sizeof(struct sluice_spread_link) == 192, "struct sluice_spread_link");

/* The record of the load; the first three words are stable across versions. */
struct sluice_spread_meta {
	__u32 magic;
	__u32 abi;
	__u32 state; /* enum sluice_load_state */
	__u32 cpu_count;
	__u16 cpus[SLUICE_SPREAD_CPUS];
	__u32 link_count;
	__u32 map_id; /* id of the cpumap */
	__u64 seed;   /* seed of the flow hash; a reload keeps it, so that no flow moves */
	struct sluice_spread_link links[SLUICE_SPREAD_LINKS];
};
_Static_assert(sizeof(struct sluice_spread_meta) == 32 + 2048 + 192 * SLUICE_SPREAD_LINKS, "meta");

/* The outcomes of the spread programs, as in counters.h. Packets to unmanaged ports are not
 * counted, except fragments and malformed UDP. A lost datagram is also counted as spread.
 */
#define SLUICE_SPREAD_COUNTERS(X)                                                       \
	X(spread, "datagrams sent to another CPU of the list")                          \
	X(stayed, "datagrams that had already arrived on their CPU")                    \
	X(left_fragment, "left where they arrived: fragments, not yet reassembled")     \
	X(left_checksum,                                                                \
	  "left where they arrived: checksum not filled in, as from a local container") \
	X(left_header, "left where they arrived: the parser rejected their headers")    \
	X(left_no_queue, "left where they arrived: the chosen CPU has no queue")        \
	X(lost, "datagrams lost: the queue of their CPU was full")

enum sluice_spread_counter {
#define X(name, help) SLUICE_SPREAD_##name,
	SLUICE_SPREAD_COUNTERS(X)
#undef X
	SLUICE_SPREAD_COUNTERS_MAX
};

struct sluice_spread_counters {
	__u64 value[SLUICE_SPREAD_COUNTERS_MAX];
};

#endif
