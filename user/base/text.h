/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Untrusted names: of processes, interfaces, network namespaces, cgroups. They may contain any byte
 * except NUL, including terminal escape sequences. For JSON, use output_name().
 */
#ifndef SLUICE_BASE_TEXT_H
#define SLUICE_BASE_TEXT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Makes text safe for a terminal of any encoding, and for a table cell: replaces all bytes except
 * printable ASCII, and the cell separator '|', with '?'. Reads at most `size` bytes; returns text.
 */
char *text_plain(char *text, size_t size);
/* Makes a safe copy, truncated to `size`; returns `to`. */
char *text_plain_copy(char *to, size_t size, const char *from);
/*
 * Makes a message that contains an untrusted name safe, but keeps UTF-8: replaces invalid UTF-8 and
 * control characters (C0, C1 and DEL) with '?'. Keeps tabs and, with `lines`, newlines. Returns
 * text.
 */
char *text_controls(char *text, bool lines);

/* Formats a size in decimal units: "640 B", "1.2 MB". Returns text. */
const char *bytes_format(__u64 bytes, char text[24]);

/* Formats an age: "3d04h", "12m30s", "1.5s". Returns text. */
const char *age_format(__u64 age_ns, char text[24]);

#endif
