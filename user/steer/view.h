/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot of object steer, printed as text or as JSON. A comparison with the previous view
 * yields rates, and detects stalled workers.
 */
#ifndef SLUICE_STEER_VIEW_H
#define SLUICE_STEER_VIEW_H

#include "cli/counters.h"
#include "cli/output.h"
#include "steer/figures.h"
#include "steer/group/slot_status.h"
#include "steer/group/stats.h"
#include "steer/steer.h"
#include "steer/unexplained.h"

#include <limits.h>

struct steer_slot_view {
	int slot;
	struct sluice_steer_slot record;
	struct sluice_steer_stats stats;
	struct slot_status status;
	__u32 flows; /* live and half-open */
	bool stalled;
	double datagrams_per_s, drops_per_s; /* 0 without a previous view */
};

struct steer_group_view {
	char name[NAME_MAX];
	struct sluice_steer_group info;
	__u32 live, half_open, expired, size; /* flows */
	__u64 table_bytes;
	__u64 counters[STEER_COUNTERS];
	struct steer_slot_view *slots;
	int count;
	int closed;	/* slots whose socket is closed */
	int active;	/* slots that take new flows */
	int shared;	/* sockets that several processes hold */
	int not_joined; /* open sockets of the kernel's group that have no slot */
	int generations;
	__u64 datagrams;      /* seen by the program, including freed slots */
	double imbalance;     /* imbalance of the active slots; 0 without datagrams */
	double imbalance_now; /* imbalance since the previous view */
	double datagrams_per_s;
};

/* A network namespace with steered groups. */
struct steer_netns_view {
	__u32 netns;
	char name[NAME_MAX + 1];	      /* "" if the namespace has no name */
	__u64 since_ns;			      /* CLOCK_BOOTTIME of the first group's load */
	bool counted;			      /* udp is valid */
	__u64 udp[SLUICE_STEER_UDP_COUNTERS]; /* counts since since_ns, all ports */
	__u64 kernel;			      /* datagrams left to the kernel's choice */
	__u64 stale;
	struct steer_balance balance;
	struct steer_unexplained unexplained;
	__u64 waiting;	/* memory of the queues in bytes */
	int unmeasured; /* sockets whose queue was not measured */
};

/* Groups on the managed ports that are not steered. */
struct steer_outside {
	int groups;		      /* groups opened since the last load or sweep */
	int left_out, left_out_netns; /* above the quota of their namespace (group/quota.h) */
};

struct steer_view {
	struct sluice_steer_meta meta;
	__u64 at_ns;	  /* CLOCK_MONOTONIC */
	double elapsed_s; /* time since the previous view; 0 without a previous view */
	struct steer_group_view *groups;
	size_t count, room;
	struct steer_netns_view *netns;
	size_t netns_count, netns_room;
	struct steer_outside outside;
	bool lapsed; /* a drain was killed; its slots stay draining until the next sweep */
};

/*
 * Reads a view. @before is the previous view, or NULL. Marks parts that cannot be read, and skips
 * groups that are released during the read. Returns 0, or -errno with *err set; -ENOENT if steer is
 * not loaded. The caller frees the view in either case.
 */
int steer_view_read(const char *bpffs, const struct steer_view *before, struct steer_view *view,
		    struct err *err);
void steer_view_free(struct steer_view *view);
/*
 * Returns true if any queue is full, so that a second view can show whether its worker is stalled.
 */
bool steer_view_any_full(const struct steer_view *view);

/* Returns the state of a slot, such as "active", "stalled" or "closed". */
const char *steer_slot_state(const struct steer_slot_view *slot);
/* Returns the number of datagrams that the program has seen. */
__u64 steer_datagrams(const __u64 counters[SLUICE_STEER_COUNTERS_MAX]);
/* Returns the number of datagrams that the program left to the kernel's choice. */
__u64 steer_left_to_kernel(const __u64 counters[SLUICE_STEER_COUNTERS_MAX]);

/* Prints a view; with @rates, also the rates per second since the previous view. */
void steer_view_text(const struct steer_view *view, bool rates, const struct output *output);
/* Prints a short form for a screen of 80 columns, with the rates first. */
void steer_view_screen(const struct steer_view *view, bool rates, const struct output *output);
/* Returns the JSON document of a view, without the key schema_version. */
json_t *steer_view_json(const struct steer_view *view, bool rates);

#endif
