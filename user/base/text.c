// SPDX-License-Identifier: GPL-2.0-or-later
#include "text.h"

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
