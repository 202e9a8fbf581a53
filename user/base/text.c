// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/text.h"

#include <stdio.h>
#include <string.h>

char *text_plain(char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size && text[i]; i++)
		if (text[i] < ' ' || text[i] > '~' || text[i] == '|')
			text[i] = '?';
	return text;
}

char *text_plain_copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
	return text_plain(to, size);
}

/* Returns the length of the UTF-8 sequence at @at, or 0 if it is invalid. */
static size_t utf8_length(const unsigned char *at)
{
	size_t i, length = at[0] < 0x80	  ? 1
			   : at[0] < 0xc2 ? 0
			   : at[0] < 0xe0 ? 2
			   : at[0] < 0xf0 ? 3
			   : at[0] < 0xf5 ? 4
					  : 0;

	for (i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

char *text_controls(char *text, bool lines)
{
	unsigned char *at;
	size_t length;
	bool keeps;

	for (at = (unsigned char *)text; *at; at += length) {
		length = utf8_length(at);
		if (length == 1)
			keeps = (*at >= ' ' && *at != 0x7f) || *at == '\t' ||
				(lines && *at == '\n');
		else /* two or more bytes: a C1 control character is 0xc2 0x80 to 0xc2 0x9f */
			keeps = length && (at[0] != 0xc2 || at[1] >= 0xa0);
		length = length ? length : 1;
		if (!keeps)
			memset(at, '?', length);
	}
	return text;
}

const char *bytes_format(__u64 bytes, char text[24])
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	double value = (double)bytes / 1000;
	size_t i;

	if (bytes < 1000) {
		snprintf(text, 24, "%llu B", bytes);
		return text;
	}
	/* use the next unit for a value that %.1f would round up to 1000.0 */
	for (i = 0; value >= 999.95 && i + 1 < sizeof(units) / sizeof(*units); i++)
		value /= 1000;
	snprintf(text, 24, "%.1f %s", value, units[i]);
	return text;
}

const char *age_format(__u64 age_ns, char text[24])
{
	__u64 s = age_ns / 1000000000ULL;

	if (s >= 86400)
		snprintf(text, 24, "%llud%02lluh", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(text, 24, "%lluh%02llum", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		snprintf(text, 24, "%llum%02llus", s / 60, s % 60);
	else
		snprintf(text, 24, "%llu.%llus", s, age_ns % 1000000000ULL / 100000000ULL);
	return text;
}
