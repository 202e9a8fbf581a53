/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow tables of reply, wire and steer: their limits, and how user space reads them. A table is
 * an array of sets. In reply and wire, a set has a spin lock, under which the kernel copies it; in
 * steer, it has none (sluice/steer_table.h).
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

/* The flows in a table: seen within the age, and expired ones not yet replaced. */
struct flow_table_usage {
	__u32 live;
	__u32 expired;
	__u32 size;
	__u64 bytes; /* kernel memory of the table, whether used or not */
};

/* Returns the bytes of a table for this number of flows, in sets of @ways and @set_size bytes. */
__u64 flow_table_bytes(__u32 flows, __u32 ways, __u32 set_size);

/* The programs' clock (kernel/ticks.h), and when it was read. */
struct flow_table_clock {
	__u32 now;
	__u64 read_ns;
};

/* Returns 0 or -errno. */
int flow_table_clock_read(struct flow_table_clock *clock);
/* Returns the time since a flow was last seen, also for one seen since the clock was read. */
__u64 flow_table_idle_ns(const struct flow_table_clock *clock, __u32 seen);
/*
 * Calls fn with a copy of each set until fn returns non-zero. @flags is BPF_F_LOCK for sets with a
 * lock. Returns the value of fn, or -errno.
 */
int flow_table_walk(int fd, __u32 set_size, __u64 flags, int (*fn)(const void *set, void *arg),
		    void *arg);

/*
 * Extends a number of flows found in the first @visited sets to all @sets of a table. The hash of a
 * flow selects its set, so that these are as good a sample as any.
 */
__u64 flow_table_estimate(__u64 found, __u32 visited, __u32 sets);

/* Where a set with a lock has the columns of its SLUICE_FLOW_WAYS flows. */
struct flow_table_layout {
	__u32 set_size;
	__u32 tag;  /* offset of __u16 tag[], of which 0 is a free slot */
	__u32 seen; /* offset of __u32 seen[] */
};

#define FLOW_TABLE_LAYOUT(type)                                                                    \
	{                                                                                          \
		.set_size = sizeof(type), .tag = offsetof(type, tag), .seen = offsetof(type, seen) \
	}

/*
 * Counts the flows seen within an age in a table of @sets sets; in a large table, estimates them
 * from its first sets, a millisecond's work. Returns 0, or -errno.
 */
int flow_table_live(int fd, const struct flow_table_layout *layout, __u32 sets, __u64 age_ns,
		    __u64 *live);

#endif
