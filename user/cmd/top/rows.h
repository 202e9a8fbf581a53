/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of 'sluice top': the difference between two samples, sorted by a column. */
#ifndef SLUICE_CMD_TOP_ROWS_H
#define SLUICE_CMD_TOP_ROWS_H

#include "cli/output.h"
#include "cmd/top/entry.h"

/* The numeric columns: --sort word, JSON key, heading, width, meaning. */
#define TOP_COLUMNS(X)                                                                            \
	X(events, "events_per_s", "/s", 6, "events of the object per second")                     \
	X(new, "new_flows_per_s", "new/s", 6, "new flows per second")                             \
	X(lost, "lost_per_s", "lost/s", 6, "drops, evictions and refusals per second")            \
	X(flows, "flows", "flows", 6, "live flows")                                               \
	X(use, "use_percent", "use%", 5, "usage of the table; of a worker, of its receive queue") \
	X(cpu, "cpu_percent", "cpu%", 5, "run time of the programs, in percent of a CPU")         \
	X(runs, "runs_per_s", "runs/s", 6, "runs of the programs per second")                     \
	X(cost, "ns_per_run", "ns/run", 6, "mean time of a run")

enum top_column {
#define TOP_COLUMN_INDEX(word, key, heading, width, help) TOP_COLUMN_##word,
	TOP_COLUMNS(TOP_COLUMN_INDEX)
#undef TOP_COLUMN_INDEX
	TOP_COLUMN_name,
	TOP_COLUMNS_MAX
};
/* TOP_COLUMN_name follows the numeric columns. */
#define TOP_NUMBERS TOP_COLUMN_name

struct top_column_info {
	const char *key, *heading;
	int width;
};

extern const struct top_column_info top_columns[TOP_NUMBERS];
/* The words of --sort, up to NULL. */
extern const char *const top_column_words[];

struct top_row {
	const struct top_entry *entry;
	const struct top_row *parent; /* NULL: none */
	double value[TOP_NUMBERS];    /* NAN: unknown */
};

struct top_rows {
	const struct top_sample *sample; /* must outlive the rows */
	double elapsed_s;		 /* time between the samples; 0: first sample */
	struct top_row *row;		 /* in the order of the sample */
	const struct top_row **order;	 /* in sorted order */
	size_t count;
};

/*
 * Builds the rows. A rate is unknown if @before is NULL, if its entry is new, or if its counter was
 * reset. Returns 0 or -ENOMEM.
 */
int top_rows_make(const struct top_sample *before, const struct top_sample *now,
		  struct top_rows *rows);
void top_rows_free(struct top_rows *rows);
/*
 * Sorts the rows below each parent: names ascending, numbers descending, unknown values last.
 * @reverse reverses the order. A parent stays above its rows.
 */
void top_rows_sort(struct top_rows *rows, enum top_column column, bool reverse);

/* Returns the number of parents of an entry. */
int top_row_depth(const struct top_row *row);
/* Formats a number in six characters at most: "-", "0.25", "1.5", "12345", "678k". Returns text. */
const char *top_number(double number, char text[16]);

/* Returns the JSON document. */
json_t *top_rows_json(const struct top_rows *rows);
/* Prints a table that is as wide as its content. */
void top_rows_text(const struct top_rows *rows, const struct output *output);

#endif
