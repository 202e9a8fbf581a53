// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/top/view.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HEAD_LINES  2
#define STATE_WIDTH 11
/* The name gets the remaining width. */
#define NAME_WIDTH_MIN 22
#define NAME_WIDTH_MAX 60

/* --- keys */

static size_t rows_shown(int height)
{
	return height > HEAD_LINES + 1 ? (size_t)height - HEAD_LINES - 1 : 1;
}

static void sort_by(struct top_view *view, int column)
{
	view->sort = (enum top_column)((column + TOP_COLUMNS_MAX) % TOP_COLUMNS_MAX);
	view->reverse = false;
}

bool top_view_key(struct top_view *view, int key, size_t rows, int height)
{
	size_t page = rows_shown(height), last = rows > page ? rows - page : 0;

	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case '<':
	case TOP_KEY_LEFT:
		sort_by(view, (int)view->sort - 1);
		break;
	case '>':
	case TOP_KEY_RIGHT:
		sort_by(view, (int)view->sort + 1);
		break;
	case 'r':
		view->reverse = !view->reverse;
		break;
	case TOP_KEY_UP:
		view->first -= view->first > 0;
		break;
	case TOP_KEY_DOWN:
		view->first++;
		break;
	case TOP_KEY_PAGE_UP:
		view->first -= view->first < page ? view->first : page;
		break;
	case TOP_KEY_PAGE_DOWN:
		view->first += page;
		break;
	case TOP_KEY_HOME:
		view->first = 0;
		break;
	case TOP_KEY_END:
		view->first = last;
		break;
	default:
		break;
	}
	if (view->first > last)
		view->first = last;
	return true;
}

/* --- lines */

/* Returns the number of numeric columns that fit beside a name of minimum width. */
static int columns_shown(int width)
{
	int room = width - NAME_WIDTH_MIN - 1 - STATE_WIDTH, i;

	for (i = 0; i < TOP_NUMBERS && room > top_columns[i].width; i++)
		room -= 1 + top_columns[i].width;
	return i;
}

static int name_width(int width)
{
	int left = width - 1 - STATE_WIDTH, i;

	for (i = 0; i < columns_shown(width); i++)
		left -= 1 + top_columns[i].width;
	return left > NAME_WIDTH_MAX ? NAME_WIDTH_MAX : left < 0 ? 0 : left;
}

/* Appends to a text of @size bytes. */
__attribute__((format(printf, 4, 5))) static void append(char *text, size_t size, size_t *used,
							 const char *fmt, ...)
{
	va_list args;
	int length;

	va_start(args, fmt);
	length = vsnprintf(text + *used, size - *used, fmt, args);
	va_end(args);
	*used += length > 0 ? (size_t)length : 0;
	if (*used >= size)
		*used = size - 1;
}

static void heading_line(char text[TOP_WIDTH_MAX + 1], int width)
{
	int name = name_width(width), i;
	size_t used = 0;

	append(text, TOP_WIDTH_MAX + 1, &used, "%-*s %-*s", name, "name", STATE_WIDTH, "state");
	for (i = 0; i < columns_shown(width); i++)
		append(text, TOP_WIDTH_MAX + 1, &used, " %*s", top_columns[i].width,
		       top_columns[i].heading);
	append(text, TOP_WIDTH_MAX + 1, &used, "%*s", width - (int)used, "");
}

static void row_line(char text[TOP_WIDTH_MAX + 1], const struct top_row *row, int width)
{
	int name = name_width(width), indent = 2 * top_row_depth(row), i;
	size_t used = 0;

	append(text, TOP_WIDTH_MAX + 1, &used, "%*s%-*.*s %-*.*s", indent, "", name - indent,
	       name - indent, row->entry->name, STATE_WIDTH, STATE_WIDTH, row->entry->state);
	for (i = 0; i < columns_shown(width); i++) {
		char number[16];

		append(text, TOP_WIDTH_MAX + 1, &used, " %*s", top_columns[i].width,
		       top_number(row->value[i], number));
	}
}

/* Returns the reason of the first object that cannot be read, or NULL. */
static const struct top_entry *first_failure(const struct top_sample *sample)
{
	size_t i;

	for (i = 0; i < sample->count; i++)
		if (*sample->entry[i].reason)
			return &sample->entry[i];
	return NULL;
}

static void head_lines(const struct top_view *view, const struct top_rows *rows, const char *bpffs,
		       int width, top_line_fn line, void *screen)
{
	const struct top_sample *sample = rows->sample;
	const struct top_entry *failed = first_failure(sample);
	time_t time_s = (time_t)sample->time_s;
	char text[TOP_WIDTH_MAX + 1], clock[16] = "";
	struct tm local;
	size_t used = 0;

	if (localtime_r(&time_s, &local))
		strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	append(text, sizeof(text), &used, "sluice top %s  by %s%s  q quits, < > r sort", clock,
	       top_column_words[view->sort], view->reverse ? " reversed" : "");
	append(text, sizeof(text), &used, "  daemon: %s", sample->daemon ? "runs" : "none");
	text[width] = '\0';
	line(screen, 0, TOP_PLAIN, text);
	used = 0;
	*text = '\0';
	if (failed)
		append(text, sizeof(text), &used, "%s: %s", failed->name, failed->reason);
	else if (!sample->is_loaded)
		append(text, sizeof(text), &used, "nothing is loaded below %s", bpffs);
	else if (!sample->has_run_times)
		append(text, sizeof(text), &used,
		       "cpu%%, runs and ns/run need CAP_SYS_ADMIN, or kernel.bpf_stats_enabled=1");
	text[width] = '\0';
	/* each byte takes one column */
	line(screen, 1, TOP_WARNING, text_plain(text, sizeof(text)));
}

void top_view_lines(struct top_view *view, struct top_rows *rows, const char *bpffs, int width,
		    int height, top_line_fn line, void *screen)
{
	char text[TOP_WIDTH_MAX + 1];
	size_t shown = rows_shown(height), i;

	if (width > TOP_WIDTH_MAX)
		width = TOP_WIDTH_MAX;
	if (width < TOP_WIDTH_MIN || height < TOP_HEIGHT_MIN) {
		snprintf(text, sizeof(text), "needs %dx%d", TOP_WIDTH_MIN, TOP_HEIGHT_MIN);
		if (width > 0)
			text[width] = '\0';
		line(screen, 0, TOP_WARNING, text);
		return;
	}
	top_rows_sort(rows, view->sort, view->reverse);
	top_view_key(view, TOP_KEY_NONE, rows->count, height);
	head_lines(view, rows, bpffs, width, line, screen);
	heading_line(text, width);
	line(screen, HEAD_LINES, TOP_HEADING, text);
	for (i = 0; i < shown && view->first + i < rows->count; i++) {
		const struct top_row *row = rows->order[view->first + i];

		row_line(text, row, width);
		text[width] = '\0';
		line(screen, HEAD_LINES + 1 + (int)i, row->entry->warns ? TOP_WARNING : TOP_PLAIN,
		     text);
	}
}
