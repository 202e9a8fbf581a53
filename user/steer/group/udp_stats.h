/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a network namespace counts of UDP, as netstat(8) shows it.  The counters are the
 * namespace's: all its ports are in them.
 */
#ifndef SLUICE_STEER_GROUP_UDP_STATS_H
#define SLUICE_STEER_GROUP_UDP_STATS_H

#include <linux/types.h>
#include <sluice/steer.h>
#include <stdio.h>

/*
 * Reads the counters of the namespace with that inode number through a process that is in it: `pid`
 * if it is, else any.  0, or -ESRCH if there is none that may be looked at.
 */
int udp_stats_read(__u32 netns, __u32 pid, __u64 counters[SLUICE_STEER_UDP_COUNTERS]);

/* Adds what the files hold: /proc/net/snmp, two lines for "Udp:", and /proc/net/snmp6. */
void udp_stats_add(FILE *snmp, __u64 counters[SLUICE_STEER_UDP_COUNTERS]);
void udp_stats_add6(FILE *snmp6, __u64 counters[SLUICE_STEER_UDP_COUNTERS]);

#endif
