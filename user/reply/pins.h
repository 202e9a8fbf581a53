/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reply plane's folder of pins, and its flow tables, for those that load and those that read.
 */
#ifndef SLUICE_REPLY_PINS_H
#define SLUICE_REPLY_PINS_H

#include "kernel/state_dir.h"

#include <sluice/reply.h>
#include <stdbool.h>

#define REPLY_PLANE "reply"

/* The pins of this plane's links; a map's pin is the map's name. */
#define PIN_LEARN    "link_learn"
#define PIN_FIX4     "link_fix4"
#define PIN_FIX6     "link_fix6"
#define PIN_AUDIT    "link_audit"
#define PIN_CONNECT4 "link_connect4"
#define PIN_CONNECT6 "link_connect6"

/* The flow table, the one before it, and while a load is under way the one before that. */
#define PIN_FLOWS    "sluice_flows"
#define PIN_PREVIOUS "sluice_previous"
#define PIN_OLDER    "sluice_older"

extern const struct plane reply_plane;

/* The clock of the tables. */
__u32 reply_flow_now(void);

/* Called for each slot of a table that is taken, with a copy of its set; other than 0 ends it. */
typedef int (*reply_slot_fn)(const struct sluice_flow_set *set, __u32 way, void *arg);
int reply_slots_walk(int fd, reply_slot_fn fn, void *arg);
/* The flow of a table, of `sets` sets, that has the socket and peer of *flow; false if none has. */
bool reply_table_find(int fd, __u64 seed, __u32 sets, struct sluice_flow *flow);
/* Has the table, of `sets` sets, the flow? */
bool reply_table_has(int fd, __u64 seed, __u32 sets, const struct sluice_flow *flow);

#endif
