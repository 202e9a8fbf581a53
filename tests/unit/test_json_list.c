// SPDX-License-Identifier: GPL-2.0-or-later
/* A list printed item by item must equal the document printed in one piece, byte for byte. */
#include "cli/json_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *item(int i)
{
	return json_pack("{s:i, s:f, s:{s:s}, s:[]}", "number", i, "real", 0.1 * i, "inner", "text",
			 "two\nlines", "empty");
}

static char *whole(bool pretty, int items, int more)
{
	json_t *document = output_document(), *list = json_array(), *next = json_array();
	char *text = NULL;
	size_t size;
	struct output output = { .file = open_memstream(&text, &size),
				 .json = true,
				 .pretty = pretty };
	int i;

	for (i = 0; i < items; i++)
		json_array_append_new(list, item(i));
	for (i = 0; i < more; i++)
		json_array_append_new(next, item(i));
	json_object_set_new(document, "list", list);
	json_object_set_new(document, "next", next);
	output_json(&output, document);
	fclose(output.file);
	return text;
}

static char *piecewise(bool pretty, int items, int more)
{
	char *text = NULL;
	size_t size;
	struct output output = { .file = open_memstream(&text, &size),
				 .json = true,
				 .pretty = pretty };
	struct json_list list;
	int i;

	json_list_begin(&list, &output, output_document(), "list");
	for (i = 0; i < items; i++)
		json_list_add(&list, item(i));
	json_list_next(&list, "next");
	for (i = 0; i < more; i++)
		json_list_add(&list, item(i));
	json_list_end(&list);
	fclose(output.file);
	return text;
}

static void compare(bool pretty)
{
	int i;

	for (i = 0; i < 16; i++) {
		int items = i / 4, more = i % 4;
		char *a = whole(pretty, items, more), *b = piecewise(pretty, items, more);

		assert_string_equal(b, a);
		free(a);
		free(b);
	}
}

static void test_compact(void **state)
{
	compare(false);
}

static void test_pretty(void **state)
{
	compare(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compact),
		cmocka_unit_test(test_pretty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
