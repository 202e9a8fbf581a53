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

/* How many bytes of a control character stand there; those of C1 have two in UTF-8. */
static size_t control_length(const unsigned char *text, bool lines)
{
	if (text[0] == 0xc2 && text[1] >= 0x80 && text[1] < 0xa0)
		return 2;
	if (text[0] == '\t' || (lines && text[0] == '\n'))
		return 0;
	return text[0] < ' ' || text[0] == 0x7f;
}

char *text_controls(char *text, bool lines)
{
	char *at = text;

	while (*at) {
		size_t length = control_length((unsigned char *)at, lines);

		memset(at, '?', length);
		at += length ? length : 1;
	}
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
