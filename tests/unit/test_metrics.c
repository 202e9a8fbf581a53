// SPDX-License-Identifier: GPL-2.0-or-later
/* The exposition formats, their negotiation, the metrics of objects, and the option --metrics. */
#include "metrics/accept.h"
#include "metrics/metrics.h"
#include "metrics/objects.h"
#include "metrics/options.h"
#include "metrics/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void want_accept(const char *accept, enum metrics_format format)
{
	assert_int_equal(accept_format(accept), format);
}

static void test_accept(void **state)
{
	/* header sent by Prometheus 2.42 */
	want_accept("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		    "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		    METRICS_OPENMETRICS);
	want_accept("application/openmetrics-text", METRICS_OPENMETRICS);
	want_accept("APPLICATION/OpenMetrics-Text ; Version=1.0.0 ; Q=0.3 , text/plain;q=0.2",
		    METRICS_OPENMETRICS);
	want_accept("text/plain, application/openmetrics-text;q=0.9", METRICS_PROMETHEUS);
	want_accept("*/*;q=0.5, application/openmetrics-text;q=0.4", METRICS_PROMETHEUS);
	/* text/plain has precedence over the wildcard */
	want_accept("*/*, text/plain;q=0.1, application/openmetrics-text;q=0.4",
		    METRICS_OPENMETRICS);
	want_accept("application/openmetrics-text;q=0", METRICS_PROMETHEUS);
	want_accept("application/openmetrics-text;q=0.000", METRICS_PROMETHEUS);
	want_accept("application/openmetrics-text;version=2.0.0", METRICS_PROMETHEUS);
	want_accept("application/openmetrics-text;q=1.5", METRICS_PROMETHEUS);
	want_accept("application/openmetrics-text;q=0.1234", METRICS_PROMETHEUS);
	want_accept("application/openmetrics-textual", METRICS_PROMETHEUS);
	want_accept("image/png", METRICS_PROMETHEUS);
	want_accept("", METRICS_PROMETHEUS);
	want_accept(NULL, METRICS_PROMETHEUS);
	want_accept(";,=;q", METRICS_PROMETHEUS);
}

static void fill(struct metrics *metrics)
{
	static const struct counter counters[] = { { "sent", "keepalives sent" } };
	const __u64 values[] = { 18446744073709551615ULL };

	metrics_counters(metrics, "sluice_hold", counters, values, 1);
	metrics_family(metrics, METRICS_INFO, "sluice_build", NULL, "the version");
	metrics_add(metrics, 1, "version", "1.2", NULL);
	metrics_family(metrics, METRICS_GAUGE, "sluice_age_seconds", "seconds", "the age");
	metrics_add_real(metrics, 0.5, "netns", "a\"b\\c\n\xff{}", "port", "53", NULL);
}

static void want_document(enum metrics_format format, const char *expected)
{
	struct metrics *metrics = metrics_new(format);
	size_t length;
	char *text;

	assert_non_null(metrics);
	fill(metrics);
	text = metrics_end(metrics, &length);
	assert_string_equal(text, expected);
	assert_int_equal(length, strlen(expected));
	free(text);
}

static void test_document(void **state)
{
	want_document(METRICS_PROMETHEUS,
		      "# HELP sluice_hold_sent_total keepalives sent\n"
		      "# TYPE sluice_hold_sent_total counter\n"
		      "sluice_hold_sent_total 18446744073709551615\n"
		      "# HELP sluice_build_info the version\n"
		      "# TYPE sluice_build_info gauge\n"
		      "sluice_build_info{version=\"1.2\"} 1\n"
		      "# HELP sluice_age_seconds the age\n"
		      "# TYPE sluice_age_seconds gauge\n"
		      "sluice_age_seconds{netns=\"a\\\"b\\\\c??{}\",port=\"53\"} 0.5\n");
	want_document(METRICS_OPENMETRICS,
		      "# HELP sluice_hold_sent keepalives sent\n"
		      "# TYPE sluice_hold_sent counter\n"
		      "sluice_hold_sent_total 18446744073709551615\n"
		      "# HELP sluice_build the version\n"
		      "# TYPE sluice_build info\n"
		      "sluice_build_info{version=\"1.2\"} 1\n"
		      "# HELP sluice_age_seconds the age\n"
		      "# TYPE sluice_age_seconds gauge\n"
		      "# UNIT sluice_age_seconds seconds\n"
		      "sluice_age_seconds{netns=\"a\\\"b\\\\c??{}\",port=\"53\"} 0.5\n"
		      "# EOF\n");
}

static void test_large(void **state)
{
	struct metrics *metrics = metrics_new(METRICS_OPENMETRICS);
	size_t length, expected = strlen("# EOF\n");
	char *text, *at, line[64];
	int i;

	assert_non_null(metrics);
	for (i = 0; i < 20000; i++)
		metrics_add(metrics, (uint64_t)i, "netns", "many", NULL);
	text = metrics_end(metrics, &length);
	assert_non_null(text);
	for (i = 0, at = text; i < 20000; i++) {
		int size = snprintf(line, sizeof(line), "{netns=\"many\"} %d\n", i);

		assert_memory_equal(at, line, (size_t)size);
		at += size;
		expected += (size_t)size;
	}
	assert_string_equal(at, "# EOF\n");
	assert_int_equal(length, expected);
	free(text);
}

/* Returns true if a line of the document begins with @sample and a space, and ends with @value. */
static void want_sample(const char *text, const char *sample, const char *value)
{
	char line[256];

	snprintf(line, sizeof(line), "\n%s %s\n", sample, value);
	if (!strstr(text, line))
		fail_msg("no '%s %s' in:\n%s", sample, value, text);
}

static void test_objects(void **state)
{
	struct metrics *metrics = metrics_new(METRICS_PROMETHEUS);
	struct metrics_objects objects = { 0 };
	size_t length;
	char *text, many[101];
	int i;

	memset(many, 'a', 100);
	many[100] = '\0';
	assert_non_null(metrics);
	objects_add(&objects, "reply", true, true);
	objects_add(&objects, "wire", false, true);
	objects_add(&objects, "hold", true, false);
	objects_add_table(&objects, "reply", "flows", 7, 64, 4096);
	/* a program that is loaded twice, and a program of another object */
	objects_add_program(&objects, "steer", "sluice_steer", 1500000000, 10);
	objects_add_program(&objects, "reply", "sluice_fix4", 250000000, 3);
	objects_add_program(&objects, "steer", "sluice_steer", 500000000, 5);
	objects_metrics(metrics, &objects);
	text = metrics_end(metrics, &length);
	assert_non_null(text);
	want_sample(text, "sluice_object_loaded{object=\"reply\"}", "1");
	want_sample(text, "sluice_object_loaded{object=\"wire\"}", "0");
	want_sample(text, "sluice_object_readable{object=\"wire\"}", "1");
	want_sample(text, "sluice_object_readable{object=\"hold\"}", "0");
	want_sample(text, "sluice_table_entries{object=\"reply\",table=\"flows\"}", "7");
	want_sample(text, "sluice_table_capacity{object=\"reply\",table=\"flows\"}", "64");
	want_sample(text, "sluice_table_size_bytes{object=\"reply\",table=\"flows\"}", "4096");
	want_sample(text,
		    "sluice_program_run_seconds_total{object=\"steer\",program=\"sluice_steer\"}",
		    "2");
	want_sample(text, "sluice_program_runs_total{object=\"steer\",program=\"sluice_steer\"}",
		    "15");
	want_sample(text, "sluice_program_runs_total{object=\"reply\",program=\"sluice_fix4\"}",
		    "3");
	free(text);
	/* entries beyond the capacity are left out */
	for (i = 0; i < 100; i++) {
		objects_add(&objects, "more", true, true);
		objects_add_table(&objects, "more", "flows", 0, 0, 0);
		/* the name gets shorter each time */
		objects_add_program(&objects, "more", many + i, 0, 0);
	}
	assert_int_equal(objects.objects, OBJECTS_MAX);
	assert_int_equal(objects.tables, TABLES_MAX);
	assert_int_equal(objects.programs, PROGRAMS_MAX);
}

static const struct opt opt = { "metrics", 0, METRICS_OPT_ARG, metrics_opt, 0, METRICS_OPT_HELP };

static int parse(const char *text, struct metrics_address *address, struct err *err)
{
	*address = (struct metrics_address){ .port_be = 1 };
	return opt_set(&opt, "--metrics", text, address, err);
}

static void want_address(const char *text, const char *addr, unsigned int port)
{
	struct metrics_address address;
	char parsed[INET6_ADDRSTRLEN];
	struct err err = { 0 };

	assert_int_equal(parse(text, &address, &err), 0);
	inet_ntop(AF_INET6, &address.addr, parsed, sizeof(parsed));
	assert_string_equal(parsed, addr);
	assert_int_equal(ntohs(address.port_be), port);
}

static void test_address(void **state)
{
	static const char *const wrong[] = { "",	   "0",		"65536", ":9477",
					     "host:9477",  "::1",	"9477x", "-1",
					     "127.0.0.1:", "127.0.0.1", "[::1]", "1.2.3:1" };
	struct metrics_address address;
	size_t i;

	want_address("9477", "::ffff:127.0.0.1", 9477);
	want_address("0.0.0.0:1", "::ffff:0.0.0.0", 1);
	want_address("[::1]:9477", "::1", 9477);
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct err err = { 0 };

		assert_int_equal(parse(wrong[i], &address, &err), -EINVAL);
		assert_int_equal(err.code, EXIT_USAGE);
		assert_non_null(strstr(err.what, "--metrics: "));
		assert_non_null(strstr(err.hint, "9477"));
		assert_int_equal(address.port_be, 1);
	}
}

static void test_process(void **state)
{
	struct process_usage usage;

	process_usage_read(&usage);
	assert_true(usage.started_s > 1.5e9);
	assert_true(usage.resident_bytes > 100000);
	assert_true(usage.virtual_bytes > usage.resident_bytes);
	assert_in_range(usage.files, 2, usage.files_max);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),	cmocka_unit_test(test_document),
		cmocka_unit_test(test_large),	cmocka_unit_test(test_objects),
		cmocka_unit_test(test_address), cmocka_unit_test(test_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
