// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE   128
#define NUMBER_SIZE 32
#define ROOM_FIRST  65536

/* Rejected: a FILE of open_memstream(), which takes longer than reading the maps of 256 groups. */
struct metrics {
	char *text; /* NULL: out of memory */
	size_t length, room;
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
	metrics->room = ROOM_FIRST;
	metrics->text = malloc(metrics->room);
	if (metrics->text)
		return metrics;
	free(metrics);
	return NULL;
}

/*
 * Returns the end of the text, with room for @length more bytes; NULL on ENOMEM. The caller writes
 * there, and then calls advance().
 */
static char *reserve(struct metrics *metrics, size_t length)
{
	size_t room = metrics->room;
	char *grown;

	while (room - metrics->length < length)
		room *= 2;
	if (metrics->text && room != metrics->room) {
		grown = realloc(metrics->text, room);
		if (!grown)
			free(metrics->text);
		metrics->text = grown;
		metrics->room = room;
	}
	return metrics->text ? metrics->text + metrics->length : NULL;
}

static void advance(struct metrics *metrics, const char *end)
{
	metrics->length = (size_t)(end - metrics->text);
}

#define put(metrics, ...) put_strings(metrics, (const char *const[]){ __VA_ARGS__, NULL })
static void put_strings(struct metrics *metrics, const char *const *string)
{
	for (; *string; string++) {
		char *at = reserve(metrics, strlen(*string) + 1);

		if (at)
			advance(metrics, stpcpy(at, *string));
	}
}

char *metrics_end(struct metrics *metrics, size_t *length)
{
	char *text;

	put(metrics, metrics->format == METRICS_OPENMETRICS ? "# EOF\n" : "");
	text = metrics->text;
	*length = metrics->length;
	free(metrics);
	return text;
}

/*
 * In the HELP and TYPE lines, OpenMetrics has the name of the family, and Prometheus the name of
 * its samples.
 */
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
	put(metrics, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type_name, "\n");
	if (unit && open)
		put(metrics, "# UNIT ", name, " ", unit, "\n");
}

/*
 * Escapes a value. Both formats are UTF-8, and a parser may reject a document for a single invalid
 * byte: '?' replaces control characters and non-ASCII bytes.
 */
static char *escape(char *at, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			*at++ = '\\';
		*at++ = *value >= ' ' && *value < 0x7f ? *value : '?';
	}
	return at;
}

static void put_sample(struct metrics *metrics, const char *const *labels, const char *number)
{
	size_t length = strlen(metrics->sample) + strlen("} \n") + strlen(number) + 1;
	char *at, before = '{';
	int i;

	for (i = 0; labels[i]; i += 2)
		length += strlen(labels[i]) + strlen(",=\"\"") + 2 * strlen(labels[i + 1]);
	at = reserve(metrics, length);
	if (!at)
		return;
	at = stpcpy(at, metrics->sample);
	for (; labels[0]; labels += 2) {
		*at++ = before;
		at = stpcpy(stpcpy(at, labels[0]), "=\"");
		at = escape(at, labels[1]);
		*at++ = '"';
		before = ',';
	}
	if (before == ',')
		*at++ = '}';
	*at++ = ' ';
	at = stpcpy(at, number);
	*at++ = '\n';
	advance(metrics, at);
}

void metrics_add_labels(struct metrics *metrics, uint64_t value, const char *const *labels)
{
	char number[NUMBER_SIZE], *at = number + sizeof(number);

	*--at = '\0';
	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put_sample(metrics, labels, at);
}

void metrics_add_real_labels(struct metrics *metrics, double value, const char *const *labels)
{
	char number[NUMBER_SIZE];

	snprintf(number, sizeof(number), "%.15g", value);
	put_sample(metrics, labels, number);
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

/* Returns the unit at the end of the key of a counter, or NULL. */
static const char *unit_of(const char *key)
{
	const char *last = strrchr(key, '_');

	return last && !strcmp(last + 1, "bytes") ? last + 1 : NULL;
}

void metrics_counters(struct metrics *metrics, const char *prefix, const struct counter *counters,
		      const __u64 *values, int count)
{
	char name[NAME_SIZE];
	int i;

	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s_%s", prefix, counters[i].key);
		metrics_counter(metrics, name, unit_of(counters[i].key), counters[i].help,
				values[i]);
	}
}
