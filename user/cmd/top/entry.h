/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What 'sluice top' knows of one moment: the objects, and what belongs to them. */
#ifndef SLUICE_CMD_TOP_ENTRY_H
#define SLUICE_CMD_TOP_ENTRY_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* An entry of a kind belongs to the last entry before it whose kind is its parent's. */
enum top_kind {
	TOP_OBJECT,
	TOP_PROGRAM, /* of an object */
	TOP_GROUP,   /* of object steer */
	TOP_WORKER,  /* of a group */
};

/* Values that only grow, from the load on. */
enum top_count {
	TOP_COUNT_EVENTS,
	TOP_COUNT_NEW,
	TOP_COUNT_LOST,
	TOP_COUNT_RUNS,
	TOP_COUNT_RUN_NS,
	TOP_COUNTS
};

#define TOP_UNKNOWN (~0ULL)

struct top_entry {
	enum top_kind kind;
	const char *object; /* a literal */
	char name[160];	    /* safe for a terminal, as `state` and `reason` */
	char state[24];
	char reason[256]; /* why the object cannot be read; "": it can */
	bool warns;	  /* the state needs attention */
	pid_t pid;	  /* 0: none */
	__u32 netns;	  /* 0: none */
	__u64 id;	  /* another one with the same name has another id */
	__u64 count[TOP_COUNTS];
	double flows, usage_percent; /* NAN: not known */
};

struct top_sample {
	__u64 at_ns;	    /* CLOCK_MONOTONIC */
	double time_s;	    /* Unix time */
	int daemon;	    /* its process id; 0: none, -1: in another PID namespace */
	bool has_run_times; /* the kernel measures programs */
	bool is_loaded;	    /* at least one object */
	struct top_entry *entry;
	size_t count, room;
};

/* Returns an entry of which nothing else is known. */
struct top_entry top_entry(enum top_kind kind, const char *object, const char *name);
/* Appends a copy. Returns 0 or -ENOMEM. */
int top_sample_add(struct top_sample *sample, const struct top_entry *entry);
void top_sample_free(struct top_sample *sample);

#endif
