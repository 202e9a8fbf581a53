/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sample of 'sluice top': the objects with their programs, groups and workers. */
#ifndef SLUICE_CMD_TOP_ENTRY_H
#define SLUICE_CMD_TOP_ENTRY_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The parent of an entry is the last preceding entry of the parent's kind. */
enum top_kind {
	TOP_OBJECT,
	TOP_PROGRAM, /* of an object */
	TOP_GROUP,   /* of object steer */
	TOP_WORKER,  /* of a group */
};

/* Counters since the load; they only increase. */
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
	char reason[256]; /* why the object cannot be read; "": readable */
	bool warns;	  /* the state needs attention */
	pid_t pid;	  /* 0: none */
	__u32 netns;	  /* 0: none */
	__u64 id;	  /* differs if another entry has the same name */
	__u64 count[TOP_COUNTS];
	double flows, usage_percent; /* NAN: unknown */
};

struct top_sample {
	__u64 at_ns;	    /* CLOCK_MONOTONIC */
	double time_s;	    /* Unix time */
	int daemon;	    /* PID; 0: no daemon, -1: in another PID namespace */
	bool has_run_times; /* the kernel collects run times of programs */
	bool is_loaded;	    /* at least one object is loaded */
	struct top_entry *entry;
	size_t count, room;
};

/* Returns an entry with all other fields unknown. */
struct top_entry top_entry(enum top_kind kind, const char *object, const char *name);
/* Appends a copy. Returns 0 or -ENOMEM. */
int top_sample_add(struct top_sample *sample, const struct top_entry *entry);
void top_sample_free(struct top_sample *sample);

#endif
