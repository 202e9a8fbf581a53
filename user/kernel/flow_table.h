/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow tables of reply, wire and steer: their limits, and reading them from user space. A table
 * is an array of sets. In reply and wire, each set has a spin lock, which the kernel holds while it
 * copies the set; the sets of steer have no lock (sluice/steer_table.h).
 */
#ifndef SLUICE_KERNEL_FLOW_TABLE_H
#define SLUICE_KERNEL_FLOW_TABLE_H

#include "base/err.h"

#include <linux/types.h>
#include <stddef.h>

#define FLOW_TABLE_MIN 64
#define FLOW_TABLE_MAX 4194304
/* 1.2 MB; a larger table costs more in cache and TLB misses than it saves in evictions. */
#define FLOW_TABLE_DEFAULT 16384
#define FLOW_AGE_MAX	   86400
#define FLOW_AGE_DEFAULT   120 /* nf_conntrack_udp_timeout_stream's default */

/*
 * The flows in a table: live flows, seen within the age, and expired flows that are not yet
 * replaced.
 */
struct flow_table_usage {
	__u32 live;
	__u32 expired;
	__u32 size;
	__u64 bytes; /* kernel memory of the table, whether used or not */
};

/*
 * Returns the size in bytes of a table for @flows flows; a set holds @ways flows in @set_size
 * bytes.
 */
__u64 flow_table_bytes(__u32 flows, __u32 ways, __u32 set_size);

/* A reading of the programs' clock (kernel/ticks.h), and its time (CLOCK_MONOTONIC_COARSE). */
struct flow_table_clock {
	__u32 now;
	__u64 read_ns;
};

/* Returns 0 or -errno. */
int flow_table_clock_read(struct flow_table_clock *clock);
/* Returns the time since a flow was last seen, even if that was after the clock was read. */
__u64 flow_table_idle_ns(const struct flow_table_clock *clock, __u32 seen);
/*
 * Calls @fn with a copy of each set until @fn returns non-zero. @flags is BPF_F_LOCK for sets with
 * a lock. Returns the last value of @fn, or -errno.
 */
int flow_table_walk(int fd, __u32 set_size, __u64 flags, int (*fn)(const void *set, void *arg),
		    void *arg);

/*
 * Extrapolates the number of flows in the first @visited sets to all @sets of a table. These sets
 * are a random sample, since the hash of a flow selects its set.
 */
__u64 flow_table_estimate(__u64 found, __u32 visited, __u32 sets);

/* The offsets of the columns in a set with a lock; a column has SLUICE_FLOW_WAYS elements. */
struct flow_table_layout {
	__u32 set_size;
	__u32 tag;  /* offset of __u16 tag[]; tag 0: free slot */
	__u32 seen; /* offset of __u32 seen[] */
};

#define FLOW_TABLE_LAYOUT(type)                                                                    \
	{                                                                                          \
		.set_size = sizeof(type), .tag = offsetof(type, tag), .seen = offsetof(type, seen) \
	}

/*
 * Counts the flows that were seen within @age_ns. In a large table, estimates their number from its
 * first sets, within a millisecond. Returns 0, or -errno.
 */
int flow_table_live(int fd, const struct flow_table_layout *layout, __u32 sets, __u64 age_ns,
		    __u64 *live);

#endif
