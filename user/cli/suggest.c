// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/suggest.h"

#include <stdint.h>
#include <string.h>
#include <sys/param.h>

#define WORD_MAX 32

/*
 * Returns the optimal string alignment distance: the number of insertions, deletions, substitutions
 * and swaps of adjacent characters.
 */
static size_t word_distance(const char *a, const char *b)
{
	size_t d[WORD_MAX + 1][WORD_MAX + 1];
	size_t i, j, m = strlen(a), n = strlen(b);

	if (m > WORD_MAX || n > WORD_MAX)
		return SIZE_MAX;
	for (i = 0; i <= m; i++)
		d[i][0] = i;
	for (j = 0; j <= n; j++)
		d[0][j] = j;
	for (i = 1; i <= m; i++)
		for (j = 1; j <= n; j++) {
			size_t change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			d[i][j] = MIN(change, MIN(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = MIN(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[m][n];
}

const char *suggest_nearest(const char *wrong, const char *const *words, size_t count)
{
	size_t i, best = strlen(wrong) / 2 + 1;
	const char *nearest = NULL;

	for (i = 0; i < count; i++) {
		size_t distance = word_distance(wrong, words[i]);

		if (strncmp(wrong, words[i], strlen(wrong)) == 0 && strlen(wrong) > 1)
			distance = 0;
		if (distance < best) {
			best = distance;
			nearest = words[i];
		}
	}
	return nearest;
}
