// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/top/entry.h"

#include "base/array.h"
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct top_entry top_entry(enum top_kind kind, const char *object, const char *name)
{
	struct top_entry entry = {
		.kind = kind, .object = object, .flows = NAN, .usage_percent = NAN
	};
	int i;

	text_plain_copy(entry.name, sizeof(entry.name), name);
	for (i = 0; i < TOP_COUNTS; i++)
		entry.count[i] = TOP_UNKNOWN;
	return entry;
}

int top_sample_add(struct top_sample *sample, const struct top_entry *entry)
{
	void *entries = sample->entry;

	if (array_grow(&entries, &sample->room, sample->count, sizeof(*entry)))
		return -ENOMEM;
	sample->entry = entries;
	sample->entry[sample->count++] = *entry;
	return 0;
}

void top_sample_free(struct top_sample *sample)
{
	free(sample->entry);
	*sample = (struct top_sample){ 0 };
}
