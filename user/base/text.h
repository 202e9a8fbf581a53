/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names that others chose: of processes, interfaces, network namespaces, cgroups.  They may hold
 * any byte but NUL, so also what a terminal takes for a command; output_name() is the same for
 * JSON.
 */
#ifndef SLUICE_BASE_TEXT_H
#define SLUICE_BASE_TEXT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Makes text fit for a terminal of any encoding, and for a cell of a table: what is not printable
 * ASCII becomes '?', and so does '|', which parts cells.  Reads at most `size` bytes; returns text.
 */
char *text_plain(char *text, size_t size);
/* The same of a copy, cut to the room there is; returns `to`. */
char *text_plain_copy(char *to, size_t size, const char *from);
/*
 * For sentences of ours with such a name in them, which may hold UTF-8: control characters (of C0
 * and C1, and DEL) become '?', but for tabs, and with `lines` the ends of lines.  Returns text.
 */
char *text_controls(char *text, bool lines);

/* Formats an age: "3d04h", "12m30s", "1.5s". Returns text. */
const char *age_format(__u64 age_ns, char text[24]);

#endif
