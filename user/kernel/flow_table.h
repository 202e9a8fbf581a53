/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow tables of reply and wire: their limits, the options that set them, and how user space
 * reads them. A table is an array of sets; each set has a spin lock and is copied under it.
 */
#ifndef SLUICE_KERNEL_FLOW_TABLE_H
#define SLUICE_KERNEL_FLOW_TABLE_H

#include "base/err.h"

#include <linux/types.h>

#define FLOW_TABLE_MIN 64
#define FLOW_TABLE_MAX 4194304
/* 1.2 MB; a larger one costs more cache and TLB misses than it spares evictions. */
#define FLOW_TABLE_DEFAULT 16384
#define FLOW_AGE_MAX	   86400
#define FLOW_AGE_DEFAULT   120 /* nf_conntrack_udp_timeout_stream's default */

/* Parses a number of flows. `what` names the option or key. Returns 0 or -errno with *err set. */
int flow_table_parse_size(const char *what, const char *value, __u32 *flows, struct err *err);
/* Parses an age in seconds, likewise. */
int flow_table_parse_age(const char *what, const char *value, __u64 *age_s, struct err *err);

/* The flows in a table: those heard within the age, and older ones that nothing has replaced. */
struct flow_table_usage {
	__u32 live;
	__u32 expired;
	__u32 size;
};

/* Returns the time since a flow was last heard, by the clock as it is now: a walk takes long. */
__u64 flow_table_idle_ns(__u32 seen);
/* Calls fn with a copy of each set until fn returns non-zero. Returns that value, or -errno. */
int flow_table_walk(int fd, __u32 set_size, int (*fn)(const void *set, void *arg), void *arg);

#endif
