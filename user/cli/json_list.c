// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/json_list.h"

#include <stdlib.h>
#include <string.h>

#define INDENT 2

static char *text_of(const struct output *output, json_t *json)
{
	char *text = json_dumps(
		json, OUTPUT_JSON_FLAGS | (output->pretty ? JSON_INDENT(INDENT) : JSON_COMPACT));

	json_decref(json);
	return text;
}

static void list_open(struct json_list *list, const char *key)
{
	bool pretty = list->output->pretty;

	fprintf(list->output->file, pretty ? ",\n%*s\"%s\": [" : ",%*s\"%s\":[",
		pretty ? INDENT : 0, "", key);
	list->count = 0;
}

static void list_close(const struct json_list *list)
{
	bool pretty = list->output->pretty;

	fprintf(list->output->file, pretty && list->count ? "\n%*s]" : "%*s]",
		pretty && list->count ? INDENT : 0, "");
}

void json_list_begin(struct json_list *list, const struct output *output, json_t *document,
		     const char *key)
{
	char *text = text_of(output, document);
	size_t length = text ? strlen(text) : 0;

	/* omit the closing brace and, if pretty, the newline before it */
	length -= length < 2 ? length : output->pretty ? 2 : 1;
	*list = (struct json_list){ .output = output };
	fprintf(output->file, "%.*s", (int)length, text ? text : "");
	free(text);
	list_open(list, key);
}

void json_list_add(struct json_list *list, json_t *item)
{
	const struct output *output = list->output;
	char *text = text_of(output, item), *line, *rest = text;

	if (!text)
		return;
	if (list->count++)
		fputc(',', output->file);
	if (output->pretty)
		while ((line = strsep(&rest, "\n")))
			fprintf(output->file, "\n%*s%s", 2 * INDENT, "", line);
	else
		fputs(text, output->file);
	free(text);
}

void json_list_next(struct json_list *list, const char *key)
{
	list_close(list);
	list_open(list, key);
}

void json_list_end(struct json_list *list)
{
	list_close(list);
	fputs(list->output->pretty ? "\n}\n" : "}\n", list->output->file);
}
