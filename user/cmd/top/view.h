/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The screen of 'sluice top' as lines of text, and its keys. terminal.h draws the lines. */
#ifndef SLUICE_CMD_TOP_VIEW_H
#define SLUICE_CMD_TOP_VIEW_H

#include "cmd/top/rows.h"

/* The minimum terminal size: a name and a state; the head and one row. */
#define TOP_WIDTH_MIN  40
#define TOP_HEIGHT_MIN 4
#define TOP_WIDTH_MAX  512

/* Keys; any other key is its character. */
enum top_key {
	TOP_KEY_NONE = 0,
	TOP_KEY_UP = 256,
	TOP_KEY_DOWN,
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
};

struct top_view {
	enum top_column sort;
	bool reverse;
	size_t first; /* the first row on the screen */
};

enum top_tone {
	TOP_PLAIN,
	TOP_HEADING,
	TOP_WARNING,
};

/* A line of a screen, cut at the screen width. */
typedef void (*top_line_fn)(void *screen, int y, enum top_tone tone, const char *text);

/* Applies a key to the view. Returns false to quit. */
bool top_view_key(struct top_view *view, int key, size_t rows, int height);
/*
 * Writes the lines of the screen in the sort order of the view. Lines that it does not write stay
 * blank. Moves view->first if there are fewer rows than before. The head line shows @bpffs.
 */
void top_view_lines(struct top_view *view, struct top_rows *rows, const char *bpffs, int width,
		    int height, top_line_fn line, void *screen);

#endif
