// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/top/rows.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN_INFO(word, key, heading, width, help) { key, heading, width },
const struct top_column_info top_columns[TOP_NUMBERS] = { TOP_COLUMNS(COLUMN_INFO) };

#define COLUMN_WORD(word, key, heading, width, help) #word,
const char *const top_column_words[] = { TOP_COLUMNS(COLUMN_WORD) "name", NULL };

/* --- values */

/* Finds the entry in the previous sample. Usually it is the one at *cursor. */
static const struct top_entry *entry_before(const struct top_sample *before,
					    const struct top_entry *entry, size_t *cursor)
{
	size_t i;

	for (i = 0; before && i < before->count; i++) {
		const struct top_entry *at = &before->entry[(*cursor + i) % before->count];

		if (at->kind != entry->kind || at->id != entry->id ||
		    strcmp(at->object, entry->object) || strcmp(at->name, entry->name))
			continue;
		*cursor = (*cursor + i + 1) % before->count;
		return at;
	}
	return NULL;
}

static double rate(const struct top_entry *before, const struct top_entry *now,
		   enum top_count count, double elapsed_s)
{
	if (!before || elapsed_s <= 0 || before->count[count] == TOP_UNKNOWN ||
	    now->count[count] == TOP_UNKNOWN || now->count[count] < before->count[count])
		return NAN;
	return (double)(now->count[count] - before->count[count]) / elapsed_s;
}

static double sum(double a, double b)
{
	return isnan(a) ? b : isnan(b) ? a : a + b;
}

/*
 * Adds the values of the child rows to the parent's own. The events and flows of a parent already
 * include those of its children.
 */
static void add_up(struct top_rows *rows)
{
	static const enum top_column adding[] = { TOP_COLUMN_lost, TOP_COLUMN_runs,
						  TOP_COLUMN_cpu };
	size_t i, k;

	for (i = rows->count; i-- > 0;) {
		const struct top_row *row = &rows->row[i];
		struct top_row *parent = row->parent ? &rows->row[row->parent - rows->row] : NULL;

		for (k = 0; parent && k < sizeof(adding) / sizeof(*adding); k++)
			parent->value[adding[k]] = sum(parent->value[adding[k]],
						       row->value[adding[k]]);
	}
	for (i = 0; i < rows->count; i++) {
		double *value = rows->row[i].value;

		/* a percent of a second is ten million nanoseconds */
		if (value[TOP_COLUMN_runs] > 0)
			value[TOP_COLUMN_cost] = value[TOP_COLUMN_cpu] * 1e7 /
						 value[TOP_COLUMN_runs];
	}
}

static const struct top_row *parent_of(const struct top_row *const last[], enum top_kind kind)
{
	switch (kind) {
	case TOP_OBJECT:
		return NULL;
	case TOP_WORKER:
		return last[TOP_GROUP];
	default:
		return last[TOP_OBJECT];
	}
}

int top_rows_make(const struct top_sample *before, const struct top_sample *now,
		  struct top_rows *rows)
{
	const struct top_row *last[TOP_WORKER + 1] = { NULL };
	size_t i, cursor = 0;

	*rows = (struct top_rows){ .sample = now };
	rows->row = calloc(now->count + 1, sizeof(*rows->row));
	rows->order = calloc(now->count + 1, sizeof(*rows->order));
	if (!rows->row || !rows->order)
		return -ENOMEM;
	rows->count = now->count;
	if (before && now->at_ns > before->at_ns)
		rows->elapsed_s = (double)(now->at_ns - before->at_ns) / 1e9;
	for (i = 0; i < now->count; i++) {
		const struct top_entry *entry = &now->entry[i];
		const struct top_entry *was = entry_before(before, entry, &cursor);
		struct top_row *row = &rows->row[i];
		double *value = row->value, s = rows->elapsed_s;

		row->entry = entry;
		row->parent = parent_of(last, entry->kind);
		last[entry->kind] = row;
		rows->order[i] = row;
		value[TOP_COLUMN_events] = rate(was, entry, TOP_COUNT_EVENTS, s);
		value[TOP_COLUMN_new] = rate(was, entry, TOP_COUNT_NEW, s);
		value[TOP_COLUMN_lost] = rate(was, entry, TOP_COUNT_LOST, s);
		value[TOP_COLUMN_flows] = entry->flows;
		value[TOP_COLUMN_use] = entry->usage_percent;
		value[TOP_COLUMN_runs] = rate(was, entry, TOP_COUNT_RUNS, s);
		value[TOP_COLUMN_cpu] = rate(was, entry, TOP_COUNT_RUN_NS, s) / 1e7;
		value[TOP_COLUMN_cost] = NAN;
	}
	add_up(rows);
	return 0;
}

void top_rows_free(struct top_rows *rows)
{
	free(rows->row);
	free(rows->order);
	*rows = (struct top_rows){ 0 };
}

/* --- order */

int top_row_depth(const struct top_row *row)
{
	int depth = 0;

	while ((row = row->parent))
		depth++;
	return depth;
}

struct order {
	enum top_column column;
	bool reverse;
};

/* Compares two rows of the same parent. */
static int compare_values(const struct top_row *a, const struct top_row *b,
			  const struct order *order)
{
	double left, right;
	int result;

	if (order->column == TOP_COLUMN_name) {
		result = strcmp(a->entry->name, b->entry->name);
		return order->reverse ? -result : result;
	}
	left = a->value[order->column];
	right = b->value[order->column];
	if (isnan(left) || isnan(right))
		return !!isnan(left) - !!isnan(right);
	result = (left < right) - (left > right);
	return order->reverse ? -result : result;
}

static int compare_rows(const struct top_row *a, const struct top_row *b, const struct order *order)
{
	int depth_a = top_row_depth(a), depth_b = top_row_depth(b), result;

	if (a == b)
		return 0;
	if (depth_a > depth_b) {
		result = compare_rows(a->parent, b, order);
		return result ? result : 1;
	}
	if (depth_a < depth_b) {
		result = compare_rows(a, b->parent, order);
		return result ? result : -1;
	}
	if (a->parent != b->parent)
		return compare_rows(a->parent, b->parent, order);
	result = compare_values(a, b, order);
	/* equal rows keep their order, so that the display is stable */
	return result ? result : a < b ? -1 : 1;
}

static int by_order(const void *a, const void *b, void *order)
{
	return compare_rows(*(const struct top_row *const *)a, *(const struct top_row *const *)b,
			    order);
}

void top_rows_sort(struct top_rows *rows, enum top_column column, bool reverse)
{
	struct order order = { .column = column, .reverse = reverse };

	qsort_r(rows->order, rows->count, sizeof(*rows->order), by_order, &order);
}

/* --- text and JSON */

const char *top_number(double number, char text[16])
{
	static const char *const units[] = { "", "k", "M", "G", "T" };
	size_t unit = 0;

	if (isnan(number))
		return strcpy(text, "-");
	while (number >= 99999.5 && unit + 1 < sizeof(units) / sizeof(*units)) {
		number /= 1000;
		unit++;
	}
	snprintf(text, 16, "%.*f%s",
		 number <= 0 || number >= 9.95 ? 0
		 : number >= 0.995	       ? 1
					       : 2,
		 number, units[unit]);
	return text;
}

static json_t *number_json(double number)
{
	return isnan(number) ? json_null() : json_real(number);
}

static json_t *row_json(const struct top_row *row)
{
	static const char *const kinds[] = { [TOP_OBJECT] = "object",
					     [TOP_PROGRAM] = "program",
					     [TOP_GROUP] = "group",
					     [TOP_WORKER] = "worker" };
	const struct top_entry *entry = row->entry;
	json_t *object = json_pack(
		"{s:s, s:s, s:s, s:o, s:s, s:b, s:o, s:o, s:o}", "kind", kinds[entry->kind],
		"object", entry->object, "name", entry->name, "parent",
		row->parent ? json_string(row->parent->entry->name) : json_null(), "state",
		entry->state, "warning", entry->warns, "reason",
		*entry->reason ? output_name(entry->reason) : json_null(), "pid",
		entry->pid ? json_integer(entry->pid) : json_null(), "netns",
		entry->netns ? json_integer(entry->netns) : json_null());
	int i;

	for (i = 0; i < TOP_NUMBERS; i++)
		json_object_set_new(object, top_columns[i].key, number_json(row->value[i]));
	return object;
}

json_t *top_rows_json(const struct top_rows *rows)
{
	const struct top_sample *sample = rows->sample;
	json_t *document = output_document(), *list = json_array();
	size_t i;

	for (i = 0; i < rows->count; i++)
		json_array_append_new(list, row_json(rows->order[i]));
	json_object_update_new(document, json_pack("{s:f, s:f, s:b, s:b, s:o}", "time_s",
						   sample->time_s, "elapsed_s", rows->elapsed_s,
						   "daemon", sample->daemon != 0, "run_times",
						   sample->has_run_times, "rows", list));
	return document;
}

void top_rows_text(const struct top_rows *rows, const struct output *output)
{
	struct table *table;
	char heading[256] = "name|state", cells[TOP_NUMBERS][16];
	size_t i, used = strlen(heading);
	int k;

	for (k = 0; k < TOP_NUMBERS; k++)
		used += (size_t)snprintf(heading + used, sizeof(heading) - used, "|>%s",
					 top_columns[k].heading);
	table = table_new(heading);
	for (i = 0; i < rows->count; i++) {
		const struct top_row *row = rows->order[i];
		const struct top_entry *entry = row->entry;

		for (k = 0; k < TOP_NUMBERS; k++)
			top_number(row->value[k], cells[k]);
		table_row(table, "%*s%s|%s%s%s|%s|%s|%s|%s|%s|%s|%s|%s", 2 * top_row_depth(row), "",
			  entry->name, entry->warns ? output_tone(output, OUTPUT_WARNING) : "",
			  entry->state, entry->warns ? output_plain(output) : "",
			  cells[TOP_COLUMN_events], cells[TOP_COLUMN_new], cells[TOP_COLUMN_lost],
			  cells[TOP_COLUMN_flows], cells[TOP_COLUMN_use], cells[TOP_COLUMN_cpu],
			  cells[TOP_COLUMN_runs], cells[TOP_COLUMN_cost]);
	}
	table_print(table, output, 0);
	for (i = 0; i < rows->count; i++)
		if (*rows->row[i].entry->reason)
			fprintf(output->file, "%s: %s\n", rows->row[i].entry->name,
				rows->row[i].entry->reason);
}
