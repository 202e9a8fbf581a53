// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/counters.h"

json_t *counters_json(const struct counter *counters, const __u64 *values, int count)
{
	json_t *object = json_object();
	int i;

	for (i = 0; i < count; i++)
		json_object_set_new(object, counters[i].key, json_integer((json_int_t)values[i]));
	return object;
}

void counters_text(const struct counter *counters, const __u64 *values, int count,
		   const struct output *output)
{
	struct table *table = table_new(">count|counter|meaning");
	int i;

	for (i = 0; i < count; i++)
		if (values[i])
			table_row(table, "%llu|%s|%s", values[i], counters[i].key,
				  counters[i].help);
	table_print(table, output, 2);
}
