// SPDX-License-Identifier: GPL-2.0-or-later
#include "text.h"

#include <stdio.h>

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
