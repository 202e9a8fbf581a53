/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics that all objects have: whether they are loaded, the usage of their tables, and the
 * run time of their programs. Each object adds its rows, and then objects_metrics() adds the
 * families.
 */
#ifndef SLUICE_METRICS_OBJECTS_H
#define SLUICE_METRICS_OBJECTS_H

#include "metrics/metrics.h"

#include <stdbool.h>
#include <stdint.h>

#define OBJECTS_MAX  8
#define TABLES_MAX   8
#define PROGRAMS_MAX 32

struct metrics_objects {
	struct {
		const char *name;
		bool loaded, readable;
	} object[OBJECTS_MAX];
	int objects;
	struct {
		const char *object, *table;
		uint64_t entries, capacity, bytes;
	} table[TABLES_MAX];
	int tables;
	struct {
		const char *object, *name;
		uint64_t run_ns, runs;
	} program[PROGRAMS_MAX];
	int programs;
};

/* Adds an object. @readable: the object is not loaded, or all its maps can be read. */
void objects_add(struct metrics_objects *objects, const char *name, bool loaded, bool readable);
/* Adds a table of an object; all values are 0 if the object is not loaded. */
void objects_add_table(struct metrics_objects *objects, const char *object, const char *table,
		       uint64_t entries, uint64_t capacity, uint64_t bytes);
/* Adds to the run time of a program, which may be loaded several times. */
void objects_add_program(struct metrics_objects *objects, const char *object, const char *name,
			 uint64_t run_ns, uint64_t runs);
/* Returns true if the sysctl kernel.bpf_stats_enabled makes the kernel measure programs. */
bool objects_are_measured(void);
void objects_metrics(struct metrics *metrics, const struct metrics_objects *objects);

#endif
