// SPDX-License-Identifier: GPL-2.0-or-later
/* Log lines: as text for people, and as logfmt, where no value may break out of its field. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static FILE *caught;
static int real_stderr;
static char text[8192];

static void catch_begin(void)
{
	caught = tmpfile();
	assert_non_null(caught);
	fflush(stderr);
	real_stderr = dup(STDERR_FILENO);
	dup2(fileno(caught), STDERR_FILENO);
}

static const char *catch_end(void)
{
	size_t length;

	fflush(stderr);
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	rewind(caught);
	length = fread(text, 1, sizeof(text) - 1, caught);
	text[length] = '\0';
	fclose(caught);
	return text;
}

/* The only test before logfmt is switched on, which is irreversible. */
static void test_people(void **state)
{
	catch_begin();
	log_info("not wanted");
	log_warning("port %d", 53);
	log_verbose(true);
	log_info("wanted");
	assert_string_equal(catch_end(), "sluice: warning: port 53\nsluice: wanted\n");
}

static void test_err(void **state)
{
	struct err err;

	err_set(&err, EXIT_ERROR, 1, "it broke");
	err_hint(&err, 0, "fix it");
	catch_begin();
	log_err(&err);
	assert_string_equal(catch_end(), "sluice: it broke\n  fix it\n");
	log_logfmt(LOG_LEVEL_INFO);
	catch_begin();
	log_err(&err);
	assert_string_equal(catch_end(), "level=error msg=\"it broke\" hint=\"fix it\"\n");
	/* each error in a file has its own line */
	snprintf(err.detail, sizeof(err.detail), "f:1: no\nf:2: \tnot\n");
	catch_begin();
	log_err(&err);
	assert_string_equal(catch_end(), "level=error msg=\"it broke\" hint=\"fix it\"\n"
					 "level=error msg=\"f:1: no\"\n"
					 "level=error msg=\"f:2: ?not\"\n");
}

/* A lasting condition is logged once, and again if its text changes or it recurs. */
static void test_condition(void **state)
{
	struct log_condition condition = { 0 };
	char longer[2 * sizeof(condition.text)];

	assert_false(log_condition_set(&condition, NULL));
	assert_true(log_condition_set(&condition, "it broke"));
	assert_false(log_condition_set(&condition, "it broke"));
	assert_true(log_condition_set(&condition, "it broke again"));
	assert_true(log_condition_set(&condition, NULL));
	assert_false(log_condition_set(&condition, ""));
	assert_true(log_condition_set(&condition, "it broke"));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_true(log_condition_set(&condition, longer));
	assert_false(log_condition_set(&condition, longer));
}

static void test_levels(void **state)
{
	struct log_line line;

	log_logfmt(LOG_LEVEL_WARNING);
	catch_begin();
	log_info("not wanted");
	log_begin(&line, LOG_LEVEL_INFO, "not wanted");
	log_field(&line, "key", "value");
	log_end(&line);
	log_warning("wanted\n");
	assert_string_equal(catch_end(), "level=warning msg=\"wanted\"\n");
	log_logfmt(LOG_LEVEL_INFO);
	assert_string_equal(log_level_names[LOG_LEVEL_DEBUG], "debug");
	assert_null(log_level_names[LOG_LEVEL_DEBUG + 1]);
}

static void test_quotes(void **state)
{
	struct log_line line;

	catch_begin();
	log_begin(&line, LOG_LEVEL_INFO, "a \"b\" \\ c\nlevel=error");
	log_field(&line, "word", "eth0:1");
	log_field(&line, "empty", "%s", "");
	log_field(&line, "two", "%s %d", "x", 2);
	log_field(&line, "equals", "a=b");
	log_field(&line, "control", "a\033b");
	log_end(&line);
	assert_string_equal(catch_end(),
			    "level=info msg=\"a \\\"b\\\" \\\\ c\\nlevel=error\" word=eth0:1"
			    " empty=\"\" two=\"x 2\" equals=\"a=b\" control=\"a?b\"\n");
}

/* A message longer than a line stays one line, with balanced quotes. */
static void test_too_much(void **state)
{
	char much[4096];
	struct log_line line;
	size_t i, quotes = 0;
	const char *got;

	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	much[5] = ' ';
	catch_begin();
	log_begin(&line, LOG_LEVEL_INFO, much);
	for (i = 0; i < 20; i++)
		log_field(&line, "key", "%s", much);
	log_end(&line);
	got = catch_end();
	assert_true(strlen(got) < sizeof(line.text));
	assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
	for (i = 0; got[i]; i++)
		quotes += got[i] == '"';
	assert_int_equal(quotes % 2, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_people),	  cmocka_unit_test(test_err),
		cmocka_unit_test(test_condition), cmocka_unit_test(test_levels),
		cmocka_unit_test(test_quotes),	  cmocka_unit_test(test_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
