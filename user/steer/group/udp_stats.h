/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP counters of a network namespace, over all its ports, as in netstat(8). */
#ifndef SLUICE_STEER_GROUP_UDP_STATS_H
#define SLUICE_STEER_GROUP_UDP_STATS_H

#include <linux/types.h>
#include <sluice/steer.h>
#include <stdio.h>

/*
 * Reads the counters of the namespace with inode number @netns via /proc/PID/net of a process in
 * the namespace: @pid, else any other process. Returns 0, or -ESRCH if no such process is readable.
 */
int udp_stats_read(__u32 netns, __u32 pid, __u64 counters[SLUICE_STEER_UDP_COUNTERS]);

/* Add the counters in /proc/net/snmp and /proc/net/snmp6. */
void udp_stats_add(FILE *snmp, __u64 counters[SLUICE_STEER_UDP_COUNTERS]);
void udp_stats_add6(FILE *snmp6, __u64 counters[SLUICE_STEER_UDP_COUNTERS]);

#endif
