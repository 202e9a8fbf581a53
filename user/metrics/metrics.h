/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A document of metrics, as Prometheus text (0.0.4) or as OpenMetrics (1.0).
 *
 * Names follow the conventions of both: sluice_SUBJECT_NAME in base units, the names of counters
 * end with _total, which these functions append. A label has few distinct values: never an address,
 * a path or a process id. Each series exists from the start, with the value 0.
 */
#ifndef SLUICE_METRICS_METRICS_H
#define SLUICE_METRICS_METRICS_H

#include "cli/counters.h"

#include <stdint.h>

enum metrics_format {
	METRICS_PROMETHEUS,
	METRICS_OPENMETRICS,
};

enum metrics_type {
	METRICS_GAUGE,
	METRICS_COUNTER,
	METRICS_INFO,
};

/* Returns the content type of a format. */
const char *metrics_content_type(enum metrics_format format);

struct metrics;

/* Begins a document. Returns NULL on ENOMEM. */
struct metrics *metrics_new(enum metrics_format format);
/*
 * Ends the document and frees @metrics. Returns its text, which the caller frees, and sets *length;
 * NULL on ENOMEM.
 */
char *metrics_end(struct metrics *metrics, size_t *length);

/*
 * Begins a family; its samples follow. @unit is the end of the name, such as "seconds", or NULL.
 */
void metrics_family(struct metrics *metrics, enum metrics_type type, const char *name,
		    const char *unit, const char *help);

/*
 * Add a sample of the family. The variable arguments are pairs of a label and its value, up to
 * NULL; a value may contain any bytes.
 */
#define metrics_add(metrics, value, ...) \
	metrics_add_labels(metrics, value, (const char *const[]){ __VA_ARGS__ })
#define metrics_add_real(metrics, value, ...) \
	metrics_add_real_labels(metrics, value, (const char *const[]){ __VA_ARGS__ })
void metrics_add_labels(struct metrics *metrics, uint64_t value, const char *const *labels);
void metrics_add_real_labels(struct metrics *metrics, double value, const char *const *labels);

/* Add a family with a single sample. */
void metrics_gauge(struct metrics *metrics, const char *name, const char *unit, const char *help,
		   uint64_t value);
void metrics_gauge_real(struct metrics *metrics, const char *name, const char *unit,
			const char *help, double value);
void metrics_counter(struct metrics *metrics, const char *name, const char *unit, const char *help,
		     uint64_t value);
/* Adds a family for each counter of a list: PREFIX_KEY_total. The unit is the end of the key. */
void metrics_counters(struct metrics *metrics, const char *prefix, const struct counter *counters,
		      const __u64 *values, int count);

#endif
