// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/figures.h"

#include <string.h>

/* The same 7/8 of the room as QUEUE_FULL in bpf/steer/load.h. */
#define FULL_EIGHTHS 7

double steer_imbalance(const __u64 *amounts, size_t count)
{
	__u64 most = 0;
	double sum = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		sum += (double)amounts[i];
		if (amounts[i] > most)
			most = amounts[i];
	}
	return most ? (double)most * (double)count / sum : 0;
}

static size_t bar_blocks(unsigned int eighths, char *text)
{
	static const char *const partial[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	size_t length = 0;

	for (; eighths >= 8; eighths -= 8, length += strlen("█"))
		memcpy(text + length, "█", strlen("█"));
	memcpy(text + length, partial[eighths], strlen(partial[eighths]));
	return length + strlen(partial[eighths]);
}

const char *steer_bar(double part, double whole, bool utf8, char text[STEER_BAR_MAX])
{
	unsigned int units = STEER_BAR_CELLS * (utf8 ? 8 : 1), filled;
	size_t length;

	filled = whole > 0 && part > 0 ? (unsigned int)(part / whole * units + 0.5) : 0;
	if (filled > units)
		filled = units;
	if (!filled && part > 0)
		filled = 1;
	length = utf8 ? bar_blocks(filled, text) : filled;
	if (!utf8)
		memset(text, '#', length);
	text[length] = '\0';
	return text;
}

bool steer_queue_is_full(__u32 used, __u32 room)
{
	return room && (__u64)used * 8 >= (__u64)room * FULL_EIGHTHS;
}

unsigned int steer_queue_usage(__u32 used, __u32 room)
{
	__u64 percent = room ? (__u64)used * 100 / room : 0;

	return percent < 100 ? (unsigned int)percent : 100;
}
