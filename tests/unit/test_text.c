// SPDX-License-Identifier: GPL-2.0-or-later
/* Untrusted names, sanitised for a terminal, for a table and for JSON. */
#include "base/text.h"
#include "cli/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_plain(const char *name, const char *expected)
{
	char text[64];

	assert_string_equal(text_plain_copy(text, sizeof(text), name), expected);
}

static void test_plain_stays(void **state)
{
	assert_plain("", "");
	assert_plain("eth0.5@if7 ~(x)", "eth0.5@if7 ~(x)");
}

static void test_no_command_reaches_a_terminal(void **state)
{
	assert_plain("\033[2Jgone", "?[2Jgone");
	assert_plain("a\nb\tc\rd\177", "a?b?c?d?");
	assert_plain("\x9b"
		     "31m",
		     "?31m"); /* CSI of ISO 6429 in 8 bits */
	assert_plain("\xc2\x9b"
		     "31m",
		     "??31m"); /* the same in UTF-8 */
	assert_plain("\xe2\x80\xae"
		     "txt",
		     "???txt"); /* right-to-left override */
}

static void test_no_cell_is_parted(void **state)
{
	assert_plain("a|b", "a?b");
}

static void test_cut_to_the_room(void **state)
{
	char text[4];

	assert_string_equal(text_plain_copy(text, sizeof(text), "a\nlong one"), "a?l");
}

/* A fixed-size field of the kernel may lack a terminating NUL. */
static void test_stays_within_the_size(void **state)
{
	char text[] = { 'a', '\n', 'b', '\n' };

	text_plain(text, 3);
	assert_memory_equal(text, "a?b\n", 4);
}

static void assert_controls(const char *name, bool lines, const char *expected)
{
	char text[64];

	snprintf(text, sizeof(text), "%s", name);
	assert_string_equal(text_controls(text, lines), expected);
}

static void test_sentences(void **state)
{
	assert_controls("", true, "");
	assert_controls("'x \xe2\x80\xa6' | b\xc3\xbcro", false, "'x \xe2\x80\xa6' | b\xc3\xbcro");
	assert_controls("a\033[2J\177\r", true, "a?[2J??");
	assert_controls("a\xc2\x9b"
			"1m\xc2",
			true, "a??1m?");
	assert_controls("\x80\xff\xfe"
			"ELF\xe2\x80",
			true, "???ELF??");
	assert_controls("a\n\tb\n", true, "a\n\tb\n");
	assert_controls("a\n\tb\n", false, "a?\tb?");
}

static void assert_json(const char *name, const char *expected)
{
	json_t *string = output_name(name);
	char *text = json_dumps(string, JSON_ENCODE_ANY);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
	json_decref(string);
}

static void test_json_of_what_is_utf8(void **state)
{
	assert_json("", "\"\"");
	assert_json("b\xc3\xbcro", "\"b\xc3\xbcro\"");
	assert_json("\033[2J\n|\"", "\"\\u001B[2J\\n|\\\"\"");
}

static void test_json_of_what_is_not(void **state)
{
	assert_json("net\xff", "\"net\xef\xbf\xbd\"");
	assert_json("\x80\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	assert_json("cut\xc3", "\"cut\xef\xbf\xbd\"");
	assert_json("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* a surrogate */
}

static void assert_bytes(__u64 bytes, const char *expected)
{
	char text[24];

	assert_string_equal(bytes_format(bytes, text), expected);
}

static void test_sizes(void **state)
{
	assert_bytes(0, "0 B");
	assert_bytes(999, "999 B");
	assert_bytes(1000, "1.0 kB");
	assert_bytes(1179648, "1.2 MB");
	assert_bytes(805306368, "805.3 MB");
	assert_bytes(999949999, "999.9 MB");
	assert_bytes(999999999, "1.0 GB");
	assert_bytes(~0ULL, "18446744.1 TB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_stays),
		cmocka_unit_test(test_no_command_reaches_a_terminal),
		cmocka_unit_test(test_no_cell_is_parted),
		cmocka_unit_test(test_cut_to_the_room),
		cmocka_unit_test(test_stays_within_the_size),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_json_of_what_is_utf8),
		cmocka_unit_test(test_json_of_what_is_not),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
