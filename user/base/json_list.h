/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A JSON document that ends with long lists, printed item by item: building a list of a hundred
 * thousand entries would take half a gigabyte, and most of the run time.
 */
#ifndef SLUICE_BASE_JSON_LIST_H
#define SLUICE_BASE_JSON_LIST_H

#include "base/output.h"

struct json_list {
	const struct output *output;
	size_t count;
};

/* Prints the open document and the start of its list `key`, and drops the reference to it. */
void json_list_begin(struct json_list *list, const struct output *output, json_t *document,
		     const char *key);
/* Closes the list and opens another one. */
void json_list_next(struct json_list *list, const char *key);
/* Prints an item and drops the reference. */
void json_list_add(struct json_list *list, json_t *item);
void json_list_end(struct json_list *list);

#endif
