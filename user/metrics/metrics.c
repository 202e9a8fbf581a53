// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 128

struct metrics {
	FILE *file;
	char *text;
	size_t length;
	enum metrics_format format;
	char sample[NAME_SIZE]; /* the name of the family's samples */
};

const char *metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

struct metrics *metrics_new(enum metrics_format format)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return NULL;
	metrics->format = format;
	metrics->file = open_memstream(&metrics->text, &metrics->length);
	if (metrics->file) {
		/* a lock for each character would take half of the time */
		__fsetlocking(metrics->file, FSETLOCKING_BYCALLER);
		return metrics;
	}
	free(metrics);
	return NULL;
}

char *metrics_end(struct metrics *metrics, size_t *length)
{
	char *text;
	bool failed;

	if (metrics->format == METRICS_OPENMETRICS)
		fputs("# EOF\n", metrics->file);
	failed = ferror(metrics->file);
	failed |= fclose(metrics->file) != 0;
	text = metrics->text;
	*length = metrics->length;
	free(metrics);
	if (!failed)
		return text;
	free(text);
	return NULL;
}

/* OpenMetrics names the family, and Prometheus its samples. */
void metrics_family(struct metrics *metrics, enum metrics_type type, const char *name,
		    const char *unit, const char *help)
{
	bool open = metrics->format == METRICS_OPENMETRICS;
	const char *type_name = type == METRICS_COUNTER	       ? "counter"
				: type == METRICS_INFO && open ? "info"
							       : "gauge";
	const char *suffix = type == METRICS_COUNTER ? "_total"
			     : type == METRICS_INFO  ? "_info"
						     : "";

	snprintf(metrics->sample, sizeof(metrics->sample), "%s%s", name, suffix);
	if (!open)
		name = metrics->sample;
	fprintf(metrics->file, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type_name);
	if (unit && open)
		fprintf(metrics->file, "# UNIT %s %s\n", name, unit);
}

/*
 * Escapes a value. The formats are UTF-8, and a parser may refuse a whole document for one byte
 * that is not: '?' replaces bytes beyond ASCII and control characters.
 */
static void put_value(FILE *file, const char *value)
{
	for (; *value; value++)
		if (*value == '\\' || *value == '"') {
			putc_unlocked('\\', file);
			putc_unlocked(*value, file);
		} else {
			putc_unlocked(*value >= ' ' && *value < 0x7f ? *value : '?', file);
		}
}

static void put_labels(struct metrics *metrics, const char *const *labels)
{
	char before = '{';

	/* not fprintf(): 256 groups have thousands of samples */
	fputs_unlocked(metrics->sample, metrics->file);
	for (; labels[0]; labels += 2) {
		putc_unlocked(before, metrics->file);
		fputs_unlocked(labels[0], metrics->file);
		fputs_unlocked("=\"", metrics->file);
		put_value(metrics->file, labels[1]);
		putc_unlocked('"', metrics->file);
		before = ',';
	}
	if (before == ',')
		putc_unlocked('}', metrics->file);
}

void metrics_add_labels(struct metrics *metrics, uint64_t value, const char *const *labels)
{
	put_labels(metrics, labels);
	fprintf(metrics->file, " %llu\n", (unsigned long long)value);
}

void metrics_add_real_labels(struct metrics *metrics, double value, const char *const *labels)
{
	put_labels(metrics, labels);
	fprintf(metrics->file, " %.15g\n", value);
}

void metrics_gauge(struct metrics *metrics, const char *name, const char *unit, const char *help,
		   uint64_t value)
{
	metrics_family(metrics, METRICS_GAUGE, name, unit, help);
	metrics_add(metrics, value, NULL);
}

void metrics_gauge_real(struct metrics *metrics, const char *name, const char *unit,
			const char *help, double value)
{
	metrics_family(metrics, METRICS_GAUGE, name, unit, help);
	metrics_add_real(metrics, value, NULL);
}

void metrics_counter(struct metrics *metrics, const char *name, const char *unit, const char *help,
		     uint64_t value)
{
	metrics_family(metrics, METRICS_COUNTER, name, unit, help);
	metrics_add(metrics, value, NULL);
}

void metrics_counters(struct metrics *metrics, const char *prefix, const struct counter *counters,
		      const __u64 *values, int count)
{
	char name[NAME_SIZE];
	int i;

	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s_%s", prefix, counters[i].key);
		metrics_counter(metrics, name, NULL, counters[i].help, values[i]);
	}
}
