/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of 'sluice top': the difference of two samples, in the order of a column. */
#ifndef SLUICE_CMD_TOP_ROWS_H
#define SLUICE_CMD_TOP_ROWS_H

#include "base/output.h"
#include "cmd/top/entry.h"

/* The columns with numbers: word of --sort, JSON key, heading, width, meaning. */
#define TOP_COLUMNS(X)                                                                            \
	X(events, "events_per_s", "/s", 6, "what the object is for, a second")                    \
	X(new, "new_flows_per_s", "new/s", 6, "new flows a second")                               \
	X(lost, "lost_per_s", "lost/s", 6, "drops, evictions and refusals a second")              \
	X(flows, "flows", "flows", 6, "live flows")                                               \
	X(use, "use_percent", "use%", 5, "usage of the table; of a worker, of its receive queue") \
	X(cpu, "cpu_percent", "cpu%", 5, "time of the programs, in percent of a CPU")             \
	X(runs, "runs_per_s", "runs/s", 6, "runs of the programs a second")                       \
	X(cost, "ns_per_run", "ns/run", 6, "time of a run")

enum top_column {
#define TOP_COLUMN_INDEX(word, key, heading, width, help) TOP_COLUMN_##word,
	TOP_COLUMNS(TOP_COLUMN_INDEX)
#undef TOP_COLUMN_INDEX
	TOP_COLUMN_name,
	TOP_COLUMNS_MAX
};
/* The columns with numbers are those before TOP_COLUMN_name. */
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
	double value[TOP_NUMBERS];    /* NAN: not known */
};

struct top_rows {
	const struct top_sample *sample; /* has to outlive the rows */
	double elapsed_s;		 /* between the samples; 0: there was none before */
	struct top_row *row;		 /* as in the sample */
	const struct top_row **order;	 /* as sorted */
	size_t count;
};

/*
 * Makes the rows; without a sample @before, no rate is known. A rate is not known either if its
 * entry is new, or its counter has been reset. Returns 0 or -ENOMEM.
 */
int top_rows_make(const struct top_sample *before, const struct top_sample *now,
		  struct top_rows *rows);
void top_rows_free(struct top_rows *rows);
/*
 * Sorts the rows below each parent: names upward, numbers downward, unknown ones last; @reverse is
 * the opposite. A parent stays above its rows.
 */
void top_rows_sort(struct top_rows *rows, enum top_column column, bool reverse);

/* Returns the number of parents. */
int top_row_depth(const struct top_row *row);
/* Formats a number in six characters at most: "-", "0.25", "1.5", "12345", "678k". Returns text. */
const char *top_number(double number, char text[16]);

/* Returns the JSON document. */
json_t *top_rows_json(const struct top_rows *rows);
/* Prints a table as wide as it needs. */
void top_rows_text(const struct top_rows *rows, const struct output *output);

#endif
