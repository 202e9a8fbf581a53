// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Options from tables: values passed to set(), the position where parsing stops, and error
 * messages.
 */
#include "base/ports.h"
#include "cli/opt.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct values {
	int verbose;
	const char *port;
	const char *mode;
	int watch;
	const char *seconds; /* NULL: not given */
};

static int set_verbose(const struct opt_value *v, struct err *err)
{
	assert_null(v->text);
	assert_string_equal(v->what, "--verbose");
	++*(int *)v->field;
	return 0;
}

static int set_mode(const struct opt_value *v, struct err *err)
{
	if (!strcmp(v->text, "bad"))
		return err_set(err, EXIT_USAGE, ERANGE, "mode: '%s'", v->text);
	return opt_text(v, err);
}

static int set_watch(const struct opt_value *v, struct err *err)
{
	struct values *values = v->field;

	values->watch++;
	values->seconds = v->text;
	return 0;
}

static const struct opt global_opts[] = {
	{ "verbose", 'v', NULL, set_verbose, offsetof(struct values, verbose), "say more" },
	{ .name = NULL },
};

static const struct opt own_opts[] = {
	{ "port", 'n', "LIST", opt_text, offsetof(struct values, port), "ports" },
	{ "mode", 0, "MODE", set_mode, offsetof(struct values, mode), "how" },
	{ "filed", 0, "N", opt_text, offsetof(struct values, port), "a key", .side = OPT_FILE },
	{ "watch", 'w', "[SECONDS]", set_watch, 0, "again", .side = OPT_LINE },
	{ .name = NULL },
};

#define ARGV_MAX 16

struct parsed {
	struct values global, own;
	struct err err;
	const char *given;
	int result;
	int argc;
	char *argv[ARGV_MAX];
	char copy[ARGV_MAX][32];
};

/* Splits the words at spaces and prepends "prog". */
static struct parsed parse_until(const char *line, int stop_at_word)
{
	static struct parsed p;
	struct opt_table tables[] = { { global_opts, &p.global },
				      { own_opts, &p.own, &p.given },
				      { NULL } };
	char words[256], *rest = words, *word;

	memset(&p, 0, sizeof(p));
	snprintf(words, sizeof(words), "prog %s", line);
	while ((word = strsep(&rest, " ")) && p.argc < ARGV_MAX - 1)
		if (*word) {
			snprintf(p.copy[p.argc], sizeof(p.copy[0]), "%s", word);
			p.argv[p.argc] = p.copy[p.argc];
			p.argc++;
		}
	p.result = opt_parse(tables, p.argc, p.argv, stop_at_word, &p.err);
	return p;
}

static struct parsed parse(const char *line)
{
	return parse_until(line, 0);
}

static void assert_refused(const char *line, const char *what, const char *hint)
{
	struct parsed p = parse(line);

	assert_int_equal(p.result, -EINVAL);
	assert_int_equal(p.err.code, EXIT_USAGE);
	assert_string_equal(p.err.what, what);
	assert_string_equal(p.err.hint, hint);
}

static void test_nothing(void **state)
{
	struct parsed p = parse("");

	assert_int_equal(p.result, 1);
	assert_null(p.own.port);
	assert_int_equal(p.global.verbose, 0);
}

static void test_each_table_into_its_own(void **state)
{
	struct parsed p = parse("--port 53 -v --mode=wire -v");

	assert_int_equal(p.result, p.argc);
	assert_string_equal(p.own.port, "53");
	assert_string_equal(p.own.mode, "wire");
	assert_int_equal(p.global.verbose, 2);
	assert_null(p.global.port);
	assert_int_equal(p.own.verbose, 0);
}

static void test_short(void **state)
{
	assert_string_equal(parse("-n 53").own.port, "53");
	assert_string_equal(parse("-n53").own.port, "53");
	assert_string_equal(parse("-vn53").own.port, "53");
	assert_int_equal(parse("-vvv").global.verbose, 3);
}

static void test_the_last_one_wins(void **state)
{
	assert_string_equal(parse("--port 53 --port 54").own.port, "54");
}

/* A value may look like an option; an empty value is a value. */
static void test_odd_values(void **state)
{
	assert_string_equal(parse("--port -v").own.port, "-v");
	assert_string_equal(parse("--port=").own.port, "");
}

static void assert_watch(const char *line, const char *seconds, int words)
{
	struct parsed p = parse(line);

	assert_int_equal(p.own.watch, 1);
	if (seconds)
		assert_string_equal(p.own.seconds, seconds);
	else
		assert_null(p.own.seconds);
	assert_int_equal(p.result, p.argc - words);
}

/* All forms of an optional value, in any position. */
static void test_value_that_may_be_left_out(void **state)
{
	assert_watch("--watch", NULL, 0);
	assert_watch("-w", NULL, 0);
	assert_watch("--watch=1", "1", 0);
	assert_watch("--watch 1", "1", 0);
	assert_watch("-w1", "1", 0);
	assert_watch("-w 1", "1", 0);
	assert_watch("--watch=", "", 0);
	assert_watch("--watch -v", NULL, 0);
	assert_watch("-vw 1 --port 53", "1", 0);
	assert_watch("word --watch 1 other", "1", 2);
	assert_watch("--watch=1 word", "1", 1);
	assert_watch("--watch -- word", NULL, 1);
	assert_int_equal(parse("--watch 1 -v").global.verbose, 1);
	assert_string_equal(parse("a --watch 1 b -v").argv[4], "a");
}

static void test_words_go_last(void **state)
{
	struct parsed p = parse("a --port 53 b");

	assert_int_equal(p.result, 3);
	assert_string_equal(p.own.port, "53");
	assert_string_equal(p.argv[3], "a");
	assert_string_equal(p.argv[4], "b");
}

static void test_stop_at_word(void **state)
{
	struct parsed p = parse_until("-v reply --port 53", 1);

	assert_int_equal(p.result, 2);
	assert_int_equal(p.global.verbose, 1);
	assert_null(p.own.port);
	assert_string_equal(p.argv[2], "reply");
}

static void test_two_dashes_end_options(void **state)
{
	struct parsed p = parse("-v -- --port");

	assert_int_equal(p.result, 3);
	assert_string_equal(p.argv[3], "--port");
	assert_null(p.own.port);
}

/* opt_parse() runs twice for a command line, so the first call must leave no state. */
static void test_twice(void **state)
{
	assert_int_equal(parse_until("-v reply -v", 1).global.verbose, 1);
	assert_int_equal(parse("-v -v").global.verbose, 2);
	assert_int_equal(parse("-vx").result, -EINVAL);
	assert_int_equal(parse("-v").global.verbose, 1);
}

static void test_unknown_long(void **state)
{
	assert_refused("--prot 53", "unknown option '--prot'", "did you mean '--port'?");
	assert_refused("--mood=wire", "unknown option '--mood'", "did you mean '--mode'?");
	assert_refused("--xyzzy", "unknown option '--xyzzy'", "see --help");
	assert_refused("word --vrebose", "unknown option '--vrebose'", "did you mean '--verbose'?");
}

/* A key of the file that is no option is not suggested. */
static void test_key_of_the_file(void **state)
{
	assert_refused("--filed 1", "unknown option '--filed'",
		       "'filed' is a key of the daemon's file, sluice.conf(5)");
}

/* Returns the name of the last parsed option of a table, for messages. */
static void test_given(void **state)
{
	assert_null(parse("-v").given);
	assert_string_equal(parse("--mode wire -n 53 -v").given, "port");
}

static void test_unknown_short(void **state)
{
	assert_refused("-x", "unknown option '-x'", "see --help");
	assert_refused("-vx", "unknown option '-x'", "see --help");
	assert_refused("word -xv", "unknown option '-x'", "see --help");
	assert_refused("-v word -xv", "unknown option '-x'", "see --help");
}

static void test_value_missing(void **state)
{
	assert_refused("--port", "option '--port' needs a value", "");
	assert_refused("-v --port", "option '--port' needs a value", "");
	assert_refused("word --port", "option '--port' needs a value", "");
	assert_refused("-n", "option '-n' needs a value", "");
}

static void test_value_too_much(void **state)
{
	assert_refused("--verbose=3", "option '--verbose' takes no value", "");
	assert_refused("word --verbose=", "option '--verbose' takes no value", "");
}

/* The setter's own message is kept. */
static void test_value_refused(void **state)
{
	struct parsed p = parse("--mode bad --port 53");

	assert_int_equal(p.result, -ERANGE);
	assert_string_equal(p.err.what, "mode: 'bad'");
	assert_null(p.own.port);
}

static void test_overlong(void **state)
{
	char line[128] = "--", *argv[] = { (char *)"prog", line, NULL };
	struct values values;
	struct opt_table tables[] = { { global_opts, &values }, { NULL } };
	struct err err;

	memset(line + 2, 'x', sizeof(line) - 3);
	assert_int_equal(opt_parse(tables, 2, argv, 0, &err), -EINVAL);
	assert_non_null(strstr(err.what, "unknown option '--xxx"));
	assert_string_equal(err.hint, "see --help");
}

static void test_help(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	opt_help(file, global_opts);
	opt_help(file, own_opts);
	fclose(file);
	assert_string_equal(text, "  -v, --verbose              say more\n"
				  "  -n, --port LIST            ports\n"
				  "      --mode MODE            how\n"
				  "  -w, --watch [SECONDS]      again\n");
	free(text);
}

static const char *const words[] = { "flow", "load", "cpu", NULL };

struct typed {
	bool quiet;
	__u32 small;
	__u64 large;
	unsigned int word, set;
	const char *path;
	struct ports ports;
};

static const struct opt typed_opts[] = {
	{ "quiet", 'q', NULL, opt_switch, offsetof(struct typed, quiet), "say less",
	  .side = OPT_LINE },
	{ "small", 0, "N", opt_u32, offsetof(struct typed, small), "a number", .min = 2, .max = 9,
	  .preset = "3" },
	{ "large", 0, "[N]", opt_u64, offsetof(struct typed, large), "a number", .max = UINT64_MAX,
	  .bare = "7" },
	{ "policy", 0, "WAY", opt_word, offsetof(struct typed, word), "by-what", .words = words,
	  .min = 1, .preset = "load" },
	{ "set", 0, "LIST", opt_word_set, offsetof(struct typed, set), "several", .words = words,
	  .noun = "kind" },
	{ "dir", 0, "DIR", opt_path, offsetof(struct typed, path), "where", .side = OPT_FILE },
	{ "port", 0, "LIST", opt_ports, offsetof(struct typed, ports), ".ports", .preset = "any" },
	{ .name = NULL },
};

static const struct opt *typed_opt(const char *name)
{
	const struct opt *opt = typed_opts;

	while (strcmp(opt->name, name))
		opt++;
	return opt;
}

/* Sets one value, from the file (@what is NULL) or from the command line. */
static struct typed typed(const char *name, const char *what, const char *value)
{
	struct typed into = { 0 };
	struct err err;

	assert_int_equal(opt_set(typed_opt(name), what, value, &into, &err), 0);
	return into;
}

static void assert_untyped(const char *name, const char *what, const char *value, const char *text,
			   const char *hint)
{
	struct typed into = { 0 }, before = { 0 };
	struct err err;

	assert_true(opt_set(typed_opt(name), what, value, &into, &err) < 0);
	assert_int_equal(err.code, EXIT_USAGE);
	assert_string_equal(err.what, text);
	assert_string_equal(err.hint, hint);
	assert_memory_equal(&into, &before, sizeof(into));
}

static void test_types(void **state)
{
	struct typed into;

	assert_true(typed("quiet", "--quiet", NULL).quiet);
	assert_int_equal(typed("small", NULL, "9").small, 9);
	assert_int_equal(typed("large", NULL, "0").large, 0);
	assert_int_equal(typed("large", "--large", NULL).large, 7);
	assert_int_equal(typed("policy", NULL, "flow").word, 1);
	assert_int_equal(typed("policy", NULL, "cpu").word, 3);
	assert_int_equal(typed("set", NULL, "cpu,flow,cpu").set, 5);
	assert_string_equal(typed("dir", NULL, "/a").path, "/a");
	assert_string_equal(typed("dir", "--dir", "a").path, "a");
	into = typed("port", NULL, "53");
	assert_true(ports_contain(&into.ports, 53));
}

/* Errors name the flag on the command line, and the key in the file. */
static void test_type_errors(void **state)
{
	assert_untyped("small", "--small", "10", "--small: 10 is out of range",
		       "give a number from 2 to 9");
	assert_untyped("small", NULL, "10", "10 is out of range", "give a number from 2 to 9");
	assert_untyped("policy", "--policy", "flwo", "--policy: unknown value 'flwo'",
		       "did you mean 'flow'?");
	assert_untyped("policy", NULL, "xyzzy", "unknown value 'xyzzy'",
		       "give 'flow', 'load' or 'cpu'");
	assert_untyped("set", "--set", "cpu,", "--set: unknown kind ''",
		       "give 'flow', 'load' or 'cpu'");
	assert_untyped("dir", NULL, "a", "'a' is not an absolute path", "");
}

static void test_defaults(void **state)
{
	struct typed into = { .large = 5 };

	opt_defaults(typed_opts, &into);
	assert_int_equal(into.small, 3);
	assert_int_equal(into.word, 2);
	assert_true(into.ports.any);
	assert_int_equal(into.large, 5);
	assert_false(ports_empty(&into.ports));
	memset(&into.ports, 0, sizeof(into.ports));
	assert_true(ports_empty(&into.ports));
}

static void test_interfaces(void **state)
{
	char name[2][IFNAMSIZ] = { "" };
	struct err err;

	assert_int_equal(opt_interfaces("x", "eth0, lo,eth0", name, 0, 2, &err), 2);
	assert_string_equal(name[0], "eth0");
	assert_string_equal(name[1], "lo");
	assert_int_equal(opt_interfaces("x", "lo", name, 2, 2, &err), 2);
	assert_int_equal(opt_interfaces("x", "lo2", name, 2, 2, &err), -E2BIG);
	assert_int_equal(opt_interfaces("x", "a/b", name, 0, 2, &err), -EINVAL);
	assert_string_equal(err.what, "x: 'a/b': not an interface name");
	assert_int_equal(opt_interfaces("x", "a,", name, 0, 2, &err), -EINVAL);
	assert_string_equal(err.what, "x: 'a,': a name is empty");
	assert_int_equal(opt_interfaces("x", "sixteencharacter", name, 0, 2, &err), -EINVAL);
}

static void assert_man(enum opt_side side, const char *wanted)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	opt_man(file, typed_opts, side);
	fclose(file);
	assert_string_equal(text, wanted);
	free(text);
}

#define MAN_SMALL "A number.\nFrom 2 to 9.\nThe default is 3.\n"
#define MAN_LARGE "A number.\nFrom 0 to 18446744073709551615.\n"
#define MAN_WORDS "\\fBflow\\fR | \\fBload\\fR | \\fBcpu\\fR\nBy\\-what.\nThe default is load.\n"

static void test_man(void **state)
{
	assert_man(OPT_LINE, ".TP\n\\fB\\-q\\fR, \\fB\\-\\-quiet\\fR\nSay less.\n"
			     ".TP\n\\fB\\-\\-small\\fR \\fIN\\fR\n" MAN_SMALL
			     ".TP\n\\fB\\-\\-large\\fR \\fI[N]\\fR\n" MAN_LARGE
			     ".TP\n\\fB\\-\\-policy\\fR " MAN_WORDS
			     ".TP\n\\fB\\-\\-set\\fR \\fILIST\\fR\nSeveral.\n"
			     ".TP\n\\fB\\-\\-port\\fR \\fILIST\\fR\n\\&.ports.\n"
			     "The default is any.\n");
	assert_man(OPT_FILE,
		   ".TP\n\\fBsmall\\fR = \\fIN\\fR\n" MAN_SMALL
		   ".TP\n\\fBlarge\\fR = \\fI[N]\\fR\n" MAN_LARGE ".TP\n\\fBpolicy\\fR = " MAN_WORDS
		   ".TP\n\\fBset\\fR = \\fILIST\\fR\nSeveral.\n"
		   ".TP\n\\fBdir\\fR = \\fIDIR\\fR\nWhere.\n"
		   ".TP\n\\fBport\\fR = \\fILIST\\fR\n\\&.ports.\n"
		   "The default is any.\n");
}

static void assert_number(const char *text, uint64_t min, uint64_t max, uint64_t expected)
{
	uint64_t number = 0;
	struct err err;

	assert_int_equal(opt_number("size", text, min, max, &number, &err), 0);
	assert_true(number == expected);
}

static void assert_no_number(const char *text, int result, const char *what, const char *hint)
{
	uint64_t number = 42;
	struct err err;

	assert_int_equal(opt_number("size", text, 1, 100, &number, &err), result);
	assert_true(number == 42);
	assert_int_equal(err.code, EXIT_USAGE);
	assert_string_equal(err.what, what);
	assert_string_equal(err.hint, hint);
}

static void test_number(void **state)
{
	assert_number("1", 1, 100, 1);
	assert_number("100", 1, 100, 100);
	assert_number("0", 0, 0, 0);
	assert_number("010", 0, 100, 10); /* parsed as decimal */
	assert_number("18446744073709551615", 0, UINT64_MAX, UINT64_MAX);
}

static void test_out_of_range(void **state)
{
	const char *hint = "give a number from 1 to 100";

	assert_no_number("0", -ERANGE, "size: 0 is out of range", hint);
	assert_no_number("101", -ERANGE, "size: 101 is out of range", hint);
	assert_no_number("18446744073709551616", -ERANGE,
			 "size: 18446744073709551616 is out of range", hint);
}

static void test_not_a_number(void **state)
{
	assert_no_number("", -EINVAL, "size: '' is not a number", "give a number from 1 to 100");
	assert_no_number("a", -EINVAL, "size: 'a' is not a number", "give a number from 1 to 100");
	assert_no_number("-1", -EINVAL, "size: '-1' is not a number",
			 "give a number from 1 to 100");
	assert_no_number("+1", -EINVAL, "size: '+1' is not a number",
			 "give a number from 1 to 100");
	assert_no_number(" 1", -EINVAL, "size: ' 1' is not a number",
			 "give a number from 1 to 100");
	assert_no_number("1k", -EINVAL, "size: '1k' is not a number",
			 "give a number from 1 to 100");
	assert_no_number("1.5", -EINVAL, "size: '1.5' is not a number",
			 "give a number from 1 to 100");
	assert_no_number("0x10", -EINVAL, "size: '0x10' is not a number",
			 "give a number from 1 to 100");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_each_table_into_its_own),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_the_last_one_wins),
		cmocka_unit_test(test_odd_values),
		cmocka_unit_test(test_value_that_may_be_left_out),
		cmocka_unit_test(test_words_go_last),
		cmocka_unit_test(test_stop_at_word),
		cmocka_unit_test(test_two_dashes_end_options),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_unknown_long),
		cmocka_unit_test(test_unknown_short),
		cmocka_unit_test(test_value_missing),
		cmocka_unit_test(test_value_too_much),
		cmocka_unit_test(test_value_refused),
		cmocka_unit_test(test_overlong),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_key_of_the_file),
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_type_errors),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_man),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_out_of_range),
		cmocka_unit_test(test_not_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
