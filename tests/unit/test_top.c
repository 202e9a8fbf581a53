// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows, the sort order and the screen of 'sluice top'. */
#include "cmd/top/entry.h"
#include "cmd/top/rows.h"
#include "cmd/top/view.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_NS 1000000000ULL

/* --- samples */

static struct top_entry *add(struct top_sample *sample, enum top_kind kind, const char *object,
			     const char *name, __u64 events)
{
	struct top_entry entry = top_entry(kind, object, name);

	entry.count[TOP_COUNT_EVENTS] = events;
	assert_int_equal(top_sample_add(sample, &entry), 0);
	return &sample->entry[sample->count - 1];
}

static void run_times(struct top_entry *entry, __u64 runs, __u64 run_ns)
{
	entry->count[TOP_COUNT_RUNS] = runs;
	entry->count[TOP_COUNT_RUN_NS] = run_ns;
}

/* Builds a host with two objects, whose counters grow with @n. */
static void fill(struct top_sample *sample, __u64 n)
{
	*sample = (struct top_sample){ .at_ns = 1 + n * 2 * SECOND_NS,
				       .is_loaded = true,
				       .has_run_times = true };
	add(sample, TOP_OBJECT, "reply", "reply", 100 * n)->count[TOP_COUNT_LOST] = 0;
	run_times(add(sample, TOP_PROGRAM, "reply", "sluice_learn", TOP_UNKNOWN), 1000 * n,
		  200000 * n);
	run_times(add(sample, TOP_PROGRAM, "reply", "sluice_fix4", TOP_UNKNOWN), 3000 * n,
		  1800000 * n);
	add(sample, TOP_OBJECT, "steer", "steer", 500 * n);
	run_times(add(sample, TOP_GROUP, "steer", "127.0.0.1:53", 500 * n), 600 * n, 60000 * n);
	add(sample, TOP_WORKER, "steer", "unbound 7", 100 * n)->count[TOP_COUNT_LOST] = 6 * n;
	add(sample, TOP_WORKER, "steer", "unbound 8", 400 * n)->count[TOP_COUNT_LOST] = 10 * n;
}

static const struct top_row *row_of(const struct top_rows *rows, const char *name)
{
	size_t i;

	for (i = 0; i < rows->count; i++)
		if (!strcmp(rows->row[i].entry->name, name))
			return &rows->row[i];
	fail_msg("no row %s", name);
	return NULL;
}

static void assert_value(const struct top_rows *rows, const char *name, enum top_column column,
			 double wanted)
{
	double value = row_of(rows, name)->value[column];

	if (isnan(wanted) ? !isnan(value) : !(fabs(value - wanted) < 1e-6))
		fail_msg("%s, column %d: %f instead of %f", name, (int)column, value, wanted);
}

/* --- values */

static void test_rates(void **state)
{
	struct top_sample before, now;
	struct top_rows rows;

	fill(&before, 1);
	fill(&now, 2);
	assert_int_equal(top_rows_make(&before, &now, &rows), 0);
	assert_value(&rows, "reply", TOP_COLUMN_events, 50);
	assert_value(&rows, "unbound 8", TOP_COLUMN_events, 200);
	assert_value(&rows, "sluice_fix4", TOP_COLUMN_runs, 1500);
	assert_value(&rows, "sluice_fix4", TOP_COLUMN_cost, 600);
	/* 1.8 ms in 2 s */
	assert_value(&rows, "sluice_fix4", TOP_COLUMN_cpu, 0.09);
	assert_value(&rows, "sluice_fix4", TOP_COLUMN_events, NAN);
	assert_value(&rows, "unbound 7", TOP_COLUMN_cost, NAN);
	top_rows_free(&rows);
	top_sample_free(&before);
	top_sample_free(&now);
}

static void test_sums(void **state)
{
	struct top_sample before, now;
	struct top_rows rows;

	fill(&before, 1);
	fill(&now, 2);
	assert_int_equal(top_rows_make(&before, &now, &rows), 0);
	/*
	 * an object sums the runs of its programs and the losses of its workers, but has its own
	 * events
	 */
	assert_value(&rows, "reply", TOP_COLUMN_runs, 2000);
	assert_value(&rows, "reply", TOP_COLUMN_cpu, 0.1);
	assert_value(&rows, "reply", TOP_COLUMN_cost, 500);
	assert_value(&rows, "127.0.0.1:53", TOP_COLUMN_lost, 8);
	assert_value(&rows, "steer", TOP_COLUMN_lost, 8);
	assert_value(&rows, "steer", TOP_COLUMN_events, 250);
	assert_value(&rows, "steer", TOP_COLUMN_runs, 300);
	top_rows_free(&rows);
	top_sample_free(&before);
	top_sample_free(&now);
}

static void test_first_sample(void **state)
{
	struct top_sample now;
	struct top_rows rows;

	fill(&now, 2);
	now.entry[0].flows = 7;
	assert_int_equal(top_rows_make(NULL, &now, &rows), 0);
	assert_value(&rows, "reply", TOP_COLUMN_events, NAN);
	assert_value(&rows, "reply", TOP_COLUMN_runs, NAN);
	assert_value(&rows, "reply", TOP_COLUMN_flows, 7);
	assert_true(rows.elapsed_s == 0);
	top_rows_free(&rows);
	top_sample_free(&now);
}

/* If the kernel does not measure run times, they are unknown, not 0 ns. */
static void test_unmeasured(void **state)
{
	struct top_sample before, now;
	struct top_rows rows;
	size_t i;

	fill(&before, 1);
	fill(&now, 2);
	for (i = 0; i < now.count; i++) {
		run_times(&before.entry[i], TOP_UNKNOWN, TOP_UNKNOWN);
		run_times(&now.entry[i], TOP_UNKNOWN, TOP_UNKNOWN);
	}
	assert_int_equal(top_rows_make(&before, &now, &rows), 0);
	assert_value(&rows, "reply", TOP_COLUMN_cpu, NAN);
	assert_value(&rows, "reply", TOP_COLUMN_cost, NAN);
	assert_value(&rows, "sluice_learn", TOP_COLUMN_runs, NAN);
	top_rows_free(&rows);
	top_sample_free(&before);
	top_sample_free(&now);
}

/* A reset counter, and another worker with the same name, have no rate. */
static void test_resets(void **state)
{
	struct top_sample before, now;
	struct top_rows rows;

	fill(&before, 3);
	fill(&now, 4);
	now.entry[0].count[TOP_COUNT_EVENTS] = 5;
	now.entry[5].id = 99;
	assert_int_equal(top_rows_make(&before, &now, &rows), 0);
	assert_value(&rows, "reply", TOP_COLUMN_events, NAN);
	assert_value(&rows, "unbound 7", TOP_COLUMN_events, NAN);
	assert_value(&rows, "unbound 8", TOP_COLUMN_events, 200);
	assert_value(&rows, "127.0.0.1:53", TOP_COLUMN_lost, 5);
	top_rows_free(&rows);
	top_sample_free(&before);
	top_sample_free(&now);
}

/* Entries come, go, and change position. */
static void test_moved(void **state)
{
	struct top_sample before = { .at_ns = 1 }, now = { .at_ns = 1 + SECOND_NS };
	struct top_rows rows;

	add(&before, TOP_OBJECT, "reply", "reply", 1);
	add(&before, TOP_OBJECT, "hold", "hold", 10);
	add(&before, TOP_OBJECT, "wire", "wire", 100);
	add(&now, TOP_OBJECT, "wire", "wire", 101);
	add(&now, TOP_OBJECT, "steer", "steer", 7);
	add(&now, TOP_OBJECT, "reply", "reply", 3);
	assert_int_equal(top_rows_make(&before, &now, &rows), 0);
	assert_value(&rows, "wire", TOP_COLUMN_events, 1);
	assert_value(&rows, "steer", TOP_COLUMN_events, NAN);
	assert_value(&rows, "reply", TOP_COLUMN_events, 2);
	top_rows_free(&rows);
	top_sample_free(&before);
	top_sample_free(&now);
}

static void test_empty(void **state)
{
	struct top_sample now = { .at_ns = 1 };
	struct top_rows rows;

	assert_int_equal(top_rows_make(NULL, &now, &rows), 0);
	top_rows_sort(&rows, TOP_COLUMN_name, false);
	assert_int_equal(rows.count, 0);
	top_rows_free(&rows);
}

/* --- order */

static void assert_order(const struct top_rows *rows, const char *const *names)
{
	size_t i;

	for (i = 0; i < rows->count; i++)
		assert_string_equal(rows->order[i]->entry->name, names[i]);
}

static void test_sort(void **state)
{
	static const char *const by_events[] = { "steer", "127.0.0.1:53", "unbound 8",	"unbound 7",
						 "reply", "sluice_learn", "sluice_fix4" };
	static const char *const by_name[] = { "reply",	   "sluice_fix4",  "sluice_learn",
					       "steer",	   "127.0.0.1:53", "unbound 7",
					       "unbound 8" };
	static const char *const by_name_reverse[] = { "steer",	     "127.0.0.1:53", "unbound 8",
						       "unbound 7",  "reply",	     "sluice_learn",
						       "sluice_fix4" };
	static const char *const by_runs[] = { "reply",	   "sluice_fix4",  "sluice_learn",
					       "steer",	   "127.0.0.1:53", "unbound 7",
					       "unbound 8" };
	/* unknown values stay last */
	static const char *const by_lost_reverse[] = { "reply",	   "sluice_learn", "sluice_fix4",
						       "steer",	   "127.0.0.1:53", "unbound 7",
						       "unbound 8" };
	struct top_sample before, now;
	struct top_rows rows;

	fill(&before, 1);
	fill(&now, 2);
	assert_int_equal(top_rows_make(&before, &now, &rows), 0);
	top_rows_sort(&rows, TOP_COLUMN_events, false);
	assert_order(&rows, by_events);
	top_rows_sort(&rows, TOP_COLUMN_name, false);
	assert_order(&rows, by_name);
	top_rows_sort(&rows, TOP_COLUMN_name, true);
	assert_order(&rows, by_name_reverse);
	top_rows_sort(&rows, TOP_COLUMN_runs, false);
	assert_order(&rows, by_runs);
	top_rows_sort(&rows, TOP_COLUMN_lost, true);
	assert_order(&rows, by_lost_reverse);
	top_rows_free(&rows);
	top_sample_free(&before);
	top_sample_free(&now);
}

static void test_words(void **state)
{
	assert_string_equal(top_column_words[TOP_COLUMN_events], "events");
	assert_string_equal(top_column_words[TOP_COLUMN_cost], "cost");
	assert_string_equal(top_column_words[TOP_COLUMN_name], "name");
	assert_null(top_column_words[TOP_COLUMNS_MAX]);
}

/* --- text and JSON */

static void assert_number(double number, const char *wanted)
{
	char text[16];

	assert_string_equal(top_number(number, text), wanted);
}

static void test_numbers(void **state)
{
	assert_number(NAN, "-");
	assert_number(0, "0");
	assert_number(0.004, "0.00");
	assert_number(0.25, "0.25");
	assert_number(1.25, "1.2");
	assert_number(9.94, "9.9");
	assert_number(9.96, "10");
	assert_number(99999, "99999");
	assert_number(99999.6, "100k");
	assert_number(1234567, "1235k");
	assert_number(123456789, "123M");
	assert_number(1.5e12, "1500G");
	assert_number(99999e12, "99999T");
}

static void test_json(void **state)
{
	struct top_sample before, now;
	struct top_rows rows;
	json_t *document, *list, *row;

	fill(&before, 1);
	fill(&now, 2);
	now.entry[5].pid = 7;
	assert_int_equal(top_rows_make(&before, &now, &rows), 0);
	document = top_rows_json(&rows);
	list = json_object_get(document, "rows");
	assert_int_equal(json_array_size(list), now.count);
	row = json_array_get(list, 5);
	assert_string_equal(json_string_value(json_object_get(row, "kind")), "worker");
	assert_string_equal(json_string_value(json_object_get(row, "parent")), "127.0.0.1:53");
	assert_int_equal(json_integer_value(json_object_get(row, "pid")), 7);
	assert_true(json_real_value(json_object_get(row, "events_per_s")) == 50.0);
	assert_true(json_is_null(json_object_get(row, "ns_per_run")));
	row = json_array_get(list, 0);
	assert_true(json_is_null(json_object_get(row, "parent")));
	assert_true(json_is_null(json_object_get(row, "reason")));
	assert_true(json_real_value(json_object_get(document, "elapsed_s")) == 2.0);
	json_decref(document);
	top_rows_free(&rows);
	top_sample_free(&before);
	top_sample_free(&now);
}

static void test_text(void **state)
{
	struct top_sample now = { .at_ns = 1 };
	struct output output = { 0 };
	struct top_rows rows;
	struct top_entry *entry;
	char *text = NULL;
	size_t size;

	output.file = open_memstream(&text, &size);
	assert_non_null(output.file);
	entry = add(&now, TOP_OBJECT, "steer", "steer", 1);
	strcpy(entry->state, "error");
	strcpy(entry->reason, "no such file");
	add(&now, TOP_GROUP, "steer", "[::]:53", 1)->flows = 12;
	assert_int_equal(top_rows_make(NULL, &now, &rows), 0);
	top_rows_text(&rows, &output);
	fclose(output.file);
	assert_string_equal(
		text, "name       state  /s  new/s  lost/s  flows  use%  cpu%  runs/s  ns/run\n"
		      "steer      error   -      -       -      -     -     -       -       -\n"
		      "  [::]:53          -      -       -     12     -     -       -       -\n"
		      "steer: no such file\n");
	free(text);
	top_rows_free(&rows);
	top_sample_free(&now);
}

/* --- the screen */

#define SCREEN_LINES 16

struct screen {
	char line[SCREEN_LINES][TOP_WIDTH_MAX + 1];
	enum top_tone tone[SCREEN_LINES];
	int width, height;
};

static void record(void *arg, int y, enum top_tone tone, const char *text)
{
	struct screen *screen = arg;

	assert_in_range(y, 0, screen->height - 1);
	assert_true(strlen(text) <= (size_t)screen->width);
	strcpy(screen->line[y], text);
	screen->tone[y] = tone;
}

static void draw(struct screen *screen, struct top_view *view, int width, int height)
{
	struct top_sample before, now;
	struct top_rows rows;

	fill(&before, 1);
	fill(&now, 2);
	strcpy(now.entry[5].state, "stalled");
	now.entry[5].warns = true;
	memset(screen, 0, sizeof(*screen));
	screen->width = width;
	screen->height = height;
	assert_int_equal(top_rows_make(&before, &now, &rows), 0);
	top_view_lines(view, &rows, "/sys/fs/bpf/sluice", width, height, record, screen);
	top_rows_free(&rows);
	top_sample_free(&before);
	top_sample_free(&now);
}

static void test_screen(void **state)
{
	struct top_view view = { .sort = TOP_COLUMN_events };
	struct screen screen;

	draw(&screen, &view, 80, 12);
	assert_non_null(strstr(screen.line[0], "by events"));
	assert_string_equal(screen.line[1], "");
	assert_string_equal(
		screen.line[2],
		"name                         state           /s  new/s lost/s  flows  use%  cpu%");
	assert_int_equal(screen.tone[2], TOP_HEADING);
	assert_string_equal(
		screen.line[3],
		"steer                                       250      -    8.0      -     -  0.00");
	assert_string_equal(
		screen.line[6],
		"    unbound 7                stalled         50      -    3.0      -     -     -");
	assert_int_equal(screen.tone[6], TOP_WARNING);
	assert_int_equal(screen.tone[5], TOP_PLAIN);
	assert_string_equal(screen.line[10], "");
}

/* No size and no number overflows a line. */
static void test_screen_sizes(void **state)
{
	struct top_view view = { .sort = TOP_COLUMN_name };
	struct screen screen;
	int width, height;

	for (width = 1; width < 140; width++)
		for (height = 1; height <= SCREEN_LINES; height++)
			draw(&screen, &view, width, height);
	draw(&screen, &view, 39, 10);
	assert_string_equal(screen.line[0], "needs 40x4");
	draw(&screen, &view, 3, 1);
	assert_string_equal(screen.line[0], "nee");
	draw(&screen, &view, 94, 10);
	assert_non_null(strstr(screen.line[2], "ns/run"));
}

static void test_keys(void **state)
{
	struct top_view view = { .sort = TOP_COLUMN_events };
	struct screen screen;

	/* 7 rows, of which a screen of 6 lines shows 3 */
	assert_true(top_view_key(&view, TOP_KEY_DOWN, 7, 6));
	assert_int_equal(view.first, 1);
	assert_true(top_view_key(&view, TOP_KEY_PAGE_DOWN, 7, 6));
	assert_int_equal(view.first, 4);
	assert_true(top_view_key(&view, TOP_KEY_DOWN, 7, 6));
	assert_int_equal(view.first, 4);
	assert_true(top_view_key(&view, TOP_KEY_PAGE_UP, 7, 6));
	assert_int_equal(view.first, 1);
	assert_true(top_view_key(&view, TOP_KEY_PAGE_UP, 7, 6));
	assert_int_equal(view.first, 0);
	assert_true(top_view_key(&view, TOP_KEY_UP, 7, 6));
	assert_int_equal(view.first, 0);
	assert_true(top_view_key(&view, TOP_KEY_END, 7, 6));
	assert_int_equal(view.first, 4);
	/* a larger terminal shows all rows */
	draw(&screen, &view, 80, 12);
	assert_int_equal(view.first, 0);
	assert_true(top_view_key(&view, '<', 7, 6));
	assert_int_equal(view.sort, TOP_COLUMN_name);
	assert_true(top_view_key(&view, 'r', 7, 6));
	assert_true(view.reverse);
	assert_true(top_view_key(&view, TOP_KEY_RIGHT, 7, 6));
	assert_int_equal(view.sort, TOP_COLUMN_events);
	assert_false(view.reverse);
	assert_true(top_view_key(&view, 'x', 7, 6));
	assert_false(top_view_key(&view, 'q', 7, 6));
}

static void test_failure(void **state)
{
	struct top_view view = { .sort = TOP_COLUMN_events };
	struct top_sample now = { .at_ns = 1 };
	struct screen screen = { .width = 60, .height = 10 };
	struct top_rows rows;

	add(&now, TOP_OBJECT, "hold", "hold", TOP_UNKNOWN);
	assert_int_equal(top_rows_make(NULL, &now, &rows), 0);
	top_view_lines(&view, &rows, "/sys/fs/bpf/sluice", 60, 10, record, &screen);
	assert_string_equal(screen.line[1], "nothing is loaded below /sys/fs/bpf/sluice");
	now.is_loaded = true;
	top_view_lines(&view, &rows, "/sys/fs/bpf/sluice", 60, 10, record, &screen);
	assert_non_null(strstr(screen.line[1], "CAP_SYS_ADMIN"));
	strcpy(now.entry[0].reason, "it cannot be read");
	top_view_lines(&view, &rows, "/sys/fs/bpf/sluice", 60, 10, record, &screen);
	assert_string_equal(screen.line[1], "hold: it cannot be read");
	top_rows_free(&rows);
	top_sample_free(&now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),	     cmocka_unit_test(test_sums),
		cmocka_unit_test(test_first_sample), cmocka_unit_test(test_unmeasured),
		cmocka_unit_test(test_resets),	     cmocka_unit_test(test_moved),
		cmocka_unit_test(test_empty),	     cmocka_unit_test(test_sort),
		cmocka_unit_test(test_words),	     cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_json),	     cmocka_unit_test(test_text),
		cmocka_unit_test(test_screen),	     cmocka_unit_test(test_screen_sizes),
		cmocka_unit_test(test_keys),	     cmocka_unit_test(test_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
