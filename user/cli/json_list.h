/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A JSON document that ends with long lists, printed item by item: building a list of 100,000
 * entries in memory would take half a gigabyte and most of the run time.
 */
#ifndef SLUICE_CLI_JSON_LIST_H
#define SLUICE_CLI_JSON_LIST_H

#include "cli/output.h"

struct json_list {
	const struct output *output;
	size_t count;
};

/*
 * Prints @document without its closing brace, then opens its list @key. Drops the reference to
 * @document.
 */
void json_list_begin(struct json_list *list, const struct output *output, json_t *document,
		     const char *key);
/* Closes the list and opens the list @key. */
void json_list_next(struct json_list *list, const char *key);
/* Prints @item and drops the reference to it. */
void json_list_add(struct json_list *list, json_t *item);
void json_list_end(struct json_list *list);

#endif
