// SPDX-License-Identifier: GPL-2.0-or-later
/* Output of commands: documents that can be parsed, and tables with aligned columns. */
#include "cli/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Returns an output that writes to memory. */
struct capture {
	struct output output;
	char *text;
	size_t size;
};

static struct capture *capture_start(void)
{
	static struct capture capture;

	memset(&capture, 0, sizeof(capture));
	capture.output.file = open_memstream(&capture.text, &capture.size);
	assert_non_null(capture.output.file);
	return &capture;
}

static void assert_printed(struct capture *capture, const char *expected)
{
	fclose(capture->output.file);
	assert_string_equal(capture->text, expected);
	free(capture->text);
}

static void test_compact(void **state)
{
	struct capture *capture = capture_start();
	json_t *document = output_document();

	json_object_set_new(document, "name", json_string("a\"b|\xc3\xa9"));
	output_json(&capture->output, document);
	assert_printed(capture, "{\"schema_version\":1,\"name\":\"a\\\"b|\xc3\xa9\"}\n");
}

static void test_pretty(void **state)
{
	struct capture *capture = capture_start();

	capture->output.pretty = true;
	output_json(&capture->output, output_document());
	assert_printed(capture, "{\n  \"schema_version\": 1\n}\n");
}

static void test_tones(void **state)
{
	static const enum output_tone tones[] = { OUTPUT_PLAIN, OUTPUT_GOOD, OUTPUT_WARNING,
						  OUTPUT_BAD, OUTPUT_DIM };
	struct output plain = { .colour = false }, colour = { .colour = true };
	size_t i, j;

	for (i = 0; i < sizeof(tones) / sizeof(*tones); i++) {
		assert_string_equal(output_tone(&plain, tones[i]), "");
		assert_int_equal(strncmp(output_tone(&colour, tones[i]), "\033[", 2), 0);
		for (j = 0; j < i; j++)
			assert_string_not_equal(output_tone(&colour, tones[i]),
						output_tone(&colour, tones[j]));
	}
	assert_string_equal(output_plain(&plain), "");
	assert_string_equal(output_plain(&colour), output_tone(&colour, OUTPUT_PLAIN));
}

static void test_table(void **state)
{
	struct capture *capture = capture_start();
	struct table *table = table_new("name|>count|note");

	table_row(table, "%s|%d|%s", "a", 5, "x");
	table_row(table, "%s|%d|%s", "longer", 12345, "yy");
	table_print(table, &capture->output, 0);
	assert_printed(capture, "name    count  note\n"
				"a           5  x\n"
				"longer  12345  yy\n");
}

static void test_indent(void **state)
{
	struct capture *capture = capture_start();
	struct table *table = table_new("a|b");

	table_row(table, "1|2");
	table_print(table, &capture->output, 2);
	assert_printed(capture, "  a  b\n  1  2\n");
}

static void test_one_column(void **state)
{
	struct capture *capture = capture_start();
	struct table *table = table_new(">n");

	table_row(table, "100");
	table_print(table, &capture->output, 0);
	assert_printed(capture, "  n\n100\n");
}

static void test_no_rows(void **state)
{
	struct capture *capture = capture_start();

	table_print(table_new("a|b"), &capture->output, 0);
	assert_printed(capture, "");
}

static void test_no_table(void **state)
{
	struct capture *capture = capture_start();

	table_row(NULL, "1|2");
	table_print(NULL, &capture->output, 0);
	assert_printed(capture, "");
}

static void test_empty_cells(void **state)
{
	struct capture *capture = capture_start();
	struct table *table = table_new("a|b|c");

	table_row(table, "||3");
	table_print(table, &capture->output, 0);
	assert_printed(capture, "a  b  c\n      3\n");
}

/* The last cell gets the rest of the line, so a message may contain the separator. */
static void test_mark_in_the_last_cell(void **state)
{
	struct capture *capture = capture_start();
	struct table *table = table_new("a|b");

	table_row(table, "1|x|y");
	table_print(table, &capture->output, 0);
	assert_printed(capture, "a  b\n1  x|y\n");
}

static void test_row_with_too_few_cells(void **state)
{
	struct capture *capture = capture_start();
	struct table *table = table_new("a|b|c");

	table_row(table, "1|2");
	table_row(table, "1|2|3");
	table_print(table, &capture->output, 0);
	assert_printed(capture, "a  b  c\n1  2  3\n");
}

static void test_many_rows(void **state)
{
	struct capture *capture = capture_start();
	struct table *table = table_new("n");
	int i, lines = 0;
	size_t at;

	for (i = 0; i < 1000; i++)
		table_row(table, "%d", i);
	table_print(table, &capture->output, 0);
	fflush(capture->output.file);
	for (at = 0; at < capture->size; at++)
		lines += capture->text[at] == '\n';
	assert_int_equal(lines, 1001);
	fclose(capture->output.file);
	free(capture->text);
}

/* Colours have no width; the entire header is dim. */
static void test_colours_and_widths(void **state)
{
	struct capture *capture = capture_start();
	struct output *output = &capture->output;
	struct table *table = table_new("a|>state|b");

	output->colour = true;
	table_row(table, "1|%sok%s|x", output_tone(output, OUTPUT_GOOD), output_plain(output));
	table_row(table, "%s2%s|plain|y", output_tone(output, OUTPUT_BAD), output_plain(output));
	table_print(table, output, 0);
	assert_printed(capture, "\033[2ma  state  b\033[0m\n"
				"1     \033[32mok\033[0m  x\n"
				"\033[31m2\033[0m  plain  y\n");
}

static void test_utf8_widths(void **state)
{
	struct capture *capture = capture_start();
	struct table *table = table_new("a|b");

	table_row(table, "n\xc3\xa4me|x");
	table_row(table, "name|y");
	table_print(table, &capture->output, 0);
	assert_printed(capture, "a     b\n"
				"n\xc3\xa4me  x\n"
				"name  y\n");
}

/* Reading an unterminated escape must not run past the cell. */
static void test_cut_escape(void **state)
{
	struct capture *capture = capture_start();
	struct table *table = table_new("a|b");

	table_row(table, "\033[3|x");
	table_print(table, &capture->output, 0);
	assert_printed(capture, "a  b\n\033[3   x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compact),
		cmocka_unit_test(test_pretty),
		cmocka_unit_test(test_tones),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_indent),
		cmocka_unit_test(test_one_column),
		cmocka_unit_test(test_no_rows),
		cmocka_unit_test(test_no_table),
		cmocka_unit_test(test_empty_cells),
		cmocka_unit_test(test_mark_in_the_last_cell),
		cmocka_unit_test(test_row_with_too_few_cells),
		cmocka_unit_test(test_many_rows),
		cmocka_unit_test(test_colours_and_widths),
		cmocka_unit_test(test_utf8_widths),
		cmocka_unit_test(test_cut_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
