/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to see of the steering plane, at one moment: read once, then printed as text or as
 * JSON.  With the view before it, it tells rates, and workers that make no progress.
 */
#ifndef SLUICE_STEER_VIEW_H
#define SLUICE_STEER_VIEW_H

#include "base/output.h"
#include "steer/figures.h"
#include "steer/group/slot_status.h"
#include "steer/group/stats.h"
#include "steer/steer.h"

#include <limits.h>

struct steer_slot_view {
	int slot;
	struct sluice_steer_slot record;
	struct sluice_steer_stats stats;
	struct slot_status status;
	__u32 flows; /* live and half-open */
	bool stalled;
	double datagrams_per_s, drops_per_s; /* 0 without a view before */
};

struct steer_group_view {
	char name[NAME_MAX];
	struct sluice_steer_group info;
	__u32 live, half_open, expired, size; /* flows */
	struct sluice_steer_counters counters;
	struct steer_slot_view *slots;
	int count;
	int active; /* slots that take new flows */
	int generations;
	__u64 datagrams;      /* that the program has seen, of slots given back, too */
	double imbalance;     /* of the active slots; 0: nothing to compare */
	double imbalance_now; /* of what came since the view before */
	double datagrams_per_s;
};

/* A network namespace that has such groups. */
struct steer_netns_view {
	__u32 netns;
	char name[NAME_MAX + 1]; /* "" if it has none */
	__u64 since_ns;		 /* CLOCK_REALTIME: when the first of the groups was loaded */
	bool counted;		 /* udp is known */
	__u64 udp[SLUICE_STEER_UDP_COUNTERS]; /* since then, of all ports */
	__u64 kernel;			      /* left to its choice */
	__u64 stale;
	struct steer_balance balance;
	struct steer_rest rest; /* of it */
	__u64 waiting;		/* bytes of memory in queues */
	int unmeasured;		/* sockets that could not be looked into */
};

struct steer_view {
	struct sluice_steer_meta meta;
	__u64 at_ns;	  /* CLOCK_MONOTONIC */
	double elapsed_s; /* since the view before; 0: there was none */
	struct steer_group_view *groups;
	size_t count, room;
	struct steer_netns_view *netns;
	size_t netns_count, netns_room;
	int left_out,
		left_out_netns; /* groups left to the kernel, and the namespaces they are of */
	bool lapsed; /* something is draining that nobody drains any more: steer_sweep() ends it */
};

/*
 * Reads it all; `before` may be NULL.  What may not be read, or has gone meanwhile, is left out and
 * marked so.  -ENOENT with *err set if the plane is not loaded.  Free it in either case.
 */
int steer_view_read(const char *bpffs, const struct steer_view *before, struct steer_view *view,
		    struct err *err);
void steer_view_free(struct steer_view *view);
/* Is there a queue without room, of which a second view would tell whether its worker is stalled?
 */
bool steer_view_any_full(const struct steer_view *view);

/* "active", "stalled", "closed" */
const char *steer_slot_state(const struct steer_slot_view *slot);
/* Datagrams that no program of ours has placed. */
__u64 steer_left_to_kernel(const struct sluice_steer_counters *counters);
/* The counter's key and its help; NULL behind the last one. */
const char *steer_counter_key(int counter);
const char *steer_counter_help(int counter);

/* With `rates`, what came in each second since the view before. */
void steer_view_text(const struct steer_view *view, bool rates, const struct output *output);
/* A document with all keys but schema_version. */
json_t *steer_view_json(const struct steer_view *view, bool rates);

#endif
