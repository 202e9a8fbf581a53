// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon's file: which files are accepted, and which problems are reported with line and text.
 */
#include "daemon/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct config config;
static struct err err;

static int parse_bytes(const char *text, size_t size)
{
	FILE *file = fmemopen((void *)text, size, "r");
	int result;

	assert_non_null(file);
	result = config_parse(file, "test.conf", &config, &err);
	fclose(file);
	return result;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static int teardown(void **state)
{
	config_free(&config);
	return 0;
}

/* Asserts that the file has only this problem, on this line. */
static void assert_problem(const char *text, unsigned int line, const char *words)
{
	assert_int_equal(parse(text), -EINVAL);
	assert_int_equal(err.code, EXIT_USAGE);
	assert_non_null(strstr(err.what, "test.conf: 1 problem, "));
	assert_int_equal(config.conf.problems, 1);
	assert_int_equal(config.conf.problem[0].line, line);
	if (!strstr(config.conf.problem[0].text, words))
		fail_msg("wanted '%s' in '%s'", words, config.conf.problem[0].text);
	config_free(&config);
}

static void test_defaults(void **state)
{
	assert_int_equal(parse("[reply]\nmode = audit\n"), 0);
	assert_true(config.has[SECTION_REPLY]);
	assert_false(config.has[SECTION_WIRE]);
	assert_int_equal(config.reply.mode, SLUICE_REPLY_AUDIT);
	assert_true(config.reply.ports.any);
	assert_int_equal(config.reply.table, FLOW_TABLE_DEFAULT);
	assert_int_equal(config.reply.age_s, FLOW_AGE_DEFAULT);
	assert_int_equal(config.log_level, LOG_LEVEL_INFO);
	assert_null(config.location.bpffs);
	assert_null(config.location.cgroup);
	assert_null(config.netns);
	assert_false(config.has[SECTION_STEER]);
	config_free(&config);
	assert_int_equal(parse("[steer]\nport = any\nnetns = this\n"), 0);
	assert_true(config.has[SECTION_STEER]);
	assert_false(config.has[SECTION_REPLY]);
	assert_int_equal(config.steer.policy, SLUICE_STEER_FLOW);
	assert_int_equal(config.steer.generations, SLUICE_STEER_BY_PROCESS);
	assert_int_equal(config.steer.flows, STEER_FLOWS_DEFAULT);
	assert_int_equal(config.steer.idle_s, STEER_IDLE_DEFAULT);
	assert_int_equal(config.steer_sweep_s, STEER_SWEEP_DEFAULT);
	assert_null(config.steer_netns);
}

static void test_hold(void **state)
{
	struct in6_addr addr;

	assert_int_equal(parse("[hold]\nport = any\n"), 0);
	assert_true(config.has[SECTION_HOLD]);
	assert_int_equal(config.hold.table, HOLD_TABLE_DEFAULT);
	assert_int_equal(config.hold.max_s, HOLD_MAX_DEFAULT);
	assert_int_equal(config.hold_send.interval_s, 0);
	assert_int_equal(config.hold_send.interval_max_s, HOLD_INTERVAL_MAX_DEFAULT);
	assert_int_equal(config.hold_send.ttl, HOLD_TTL_DEFAULT);
	assert_int_equal(config.hold_send.payload, HOLD_PAYLOAD_EMPTY);
	assert_int_equal(config.hold_send.rate, HOLD_RATE_DEFAULT);
	assert_int_equal(config.hold_send.outermost, 0);
	assert_int_equal(config.hold_send.probe.port_be, 0);
	assert_null(config.hold_cgroup);
	config_free(&config);
	assert_int_equal(parse("[hold]\nport = 53\ntable = 64\nmax = 0\ncgroup = /c\nnetns = all\n"
			       "interval = 20\ninterval_max = 40\nttl = 2\npayload = crlf\n"
			       "rate = 5\nrate_netns = 6\noutermost = yes\n"
			       "probe = [2001:db8::1]:3478\n"),
			 0);
	assert_true(ports_contain(&config.hold.ports, 53));
	assert_int_equal(config.hold.table, 64);
	assert_int_equal(config.hold.max_s, 0);
	assert_string_equal(config.hold_cgroup, "/c");
	assert_string_equal(config.hold_netns, "all");
	assert_int_equal(config.hold_send.interval_s, 20);
	assert_int_equal(config.hold_send.interval_max_s, 40);
	assert_int_equal(config.hold_send.ttl, 2);
	assert_int_equal(config.hold_send.payload, HOLD_PAYLOAD_CRLF);
	assert_int_equal(config.hold_send.rate, 5);
	assert_int_equal(config.hold_send.rate_netns, 6);
	assert_int_equal(config.hold_send.outermost, 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &addr), 1);
	assert_memory_equal(&config.hold_send.probe.addr, &addr, sizeof(addr));
	assert_int_equal(ntohs(config.hold_send.probe.port_be), 3478);
}

static void test_every_key(void **state)
{
	struct in6_addr addr;

	assert_int_equal(parse("[global]\nbpffs = /b\ncgroup = /c\nlog_level = warning\n"
			       "[reply]\nmode = socket\nport = 53\ntable = 100\nage = 7\n"
			       "[wire]\nnetns = blue\niface = eth0, eth1\nfollow = br0\n"
			       "port = 1-5\ntable = 200\nage = 8\ngateway = eth2\n"
			       "server = 10.0.0.5,fd00::5\nattach = clsact\n"
			       "[steer]\nport = 443\npolicy = cpu\nflows = 1000\nidle = 9\n"
			       "xdp = lo, eth0,lo\ncpus = 0, 0\n"
			       "generation = cgroup\nnetns = all\nsweep = 5\n"),
			 0);
	assert_string_equal(config.location.bpffs, "/b");
	assert_string_equal(config.location.cgroup, "/c");
	assert_int_equal(config.log_level, LOG_LEVEL_WARNING);
	assert_int_equal(config.reply.mode, SLUICE_REPLY_SOCKET);
	assert_true(ports_contain(&config.reply.ports, 53));
	assert_false(ports_contain(&config.reply.ports, 54));
	assert_int_equal(config.reply.table, 100);
	assert_int_equal(config.reply.age_s, 7);
	assert_string_equal(config.netns, "blue");
	assert_int_equal(config.wire.ifaces.count, 2);
	assert_string_equal(config.wire.ifaces.name[0], "eth0");
	assert_string_equal(config.wire.ifaces.name[1], "eth1");
	assert_int_equal(config.wire.follow.count, 1);
	assert_string_equal(config.wire.follow.name[0], "br0");
	assert_true(ports_contain(&config.wire.ports, 5));
	assert_false(ports_contain(&config.wire.ports, 53));
	assert_int_equal(config.wire.table, 200);
	assert_int_equal(config.wire.age_s, 8);
	assert_string_equal(config.wire.gateways.name[0], "eth2");
	assert_int_equal(config.wire.servers.count, 2);
	inet_pton(AF_INET6, "::ffff:10.0.0.5", &addr);
	assert_memory_equal(&config.wire.servers.addr[0], &addr, sizeof(addr));
	inet_pton(AF_INET6, "fd00::5", &addr);
	assert_memory_equal(&config.wire.servers.addr[1], &addr, sizeof(addr));
	assert_int_equal(config.wire.attach_mode, SLUICE_WIRE_CLSACT);
	assert_true(ports_contain(&config.steer.ports, 443));
	assert_false(ports_contain(&config.steer.ports, 53));
	assert_int_equal(config.steer.policy, SLUICE_STEER_CPU);
	assert_int_equal(config.spread.ifcount, 2);
	assert_string_equal(config.spread.ifname[0], "lo");
	assert_string_equal(config.spread.ifname[1], "eth0");
	assert_int_equal(config.spread.cpu_count, 1);
	assert_int_equal(config.steer.flows, 1000);
	assert_int_equal(config.steer.idle_s, 9);
	assert_int_equal(config.steer.generations, SLUICE_STEER_BY_CGROUP);
	assert_string_equal(config.steer_netns, "all");
	assert_int_equal(config.steer_sweep_s, 5);
}

static void test_forms(void **state)
{
	assert_int_equal(parse("\xef\xbb\xbf# comment\r\n\r\n  [reply] ; comment\r\n"
			       "\tmode:socket ; comment\r\n; comment\r\n   port=53,\r\n"
			       "# between\r\n\r\n  54-60, ; and on\r\n\t70\r\n age = 9"),
			 0);
	assert_int_equal(config.reply.age_s, 9);
	assert_true(ports_contain(&config.reply.ports, 53));
	assert_true(ports_contain(&config.reply.ports, 60));
	assert_true(ports_contain(&config.reply.ports, 70));
	assert_false(ports_contain(&config.reply.ports, 71));
}

static void test_sections(void **state)
{
	assert_problem("[reply]\nmode=audit\n[wier]\nx=1\n", 3, "did you mean [wire]?");
	assert_problem("[reply]\nmode=audit\n[]\n", 3, "unknown section []");
	assert_problem("[reply]\nmode=audit\n[reply]\n", 3, "already started on line 1");
	assert_problem("[reply]\nmode=audit\n[wire\n", 3, "neither");
	assert_problem("mode=audit\n[reply]\nmode=audit\n", 1, "before any [section]");
	assert_problem("", 0, "nothing to do");
	assert_problem("[global]\nlog_level=debug\n", 0, "nothing to do");
}

static void test_keys(void **state)
{
	assert_problem("[reply]\nmode=audit\nprot=5\n", 3,
		       "unknown key 'prot'; did you mean 'port'?");
	assert_problem("[reply]\nmode=audit\n=5\n", 3, "unknown key ''");
	assert_problem("[reply]\nmode=audit\nport\n", 3, "neither");
	assert_problem("[reply]\nmode=audit\nport=\n", 3, "no value");
	assert_problem("[reply]\nmode=audit\nage=1\nage=1\n", 4, "already set on line 3");
	assert_problem("[reply]\nport=5\n", 1, "needs a mode");
	assert_problem("[reply]\nmode=audit\nport=53,\nage=1\n", 3,
		       "[reply] port: '53,': a port is empty");
}

static void test_values(void **state)
{
	assert_problem("[reply]\nmode=audti\n", 2, "did you mean 'audit'?");
	assert_problem("[reply]\nmode=audit\nport=1-\n", 3, "[reply] port: '1-'");
	assert_problem("[reply]\nmode=audit\ntable=63\n", 3, "[reply] table: 63");
	assert_problem("[reply]\nmode=audit\nage=0\n", 3, "[reply] age: 0");
	assert_problem("[wire]\nfollow=a/b\n", 2, "not an interface name");
	assert_problem("[wire]\niface=x\nattach=tc\n", 3, "did you mean 'tcx'?");
	assert_problem("[hold]\nttl=4\n", 1, "[hold] needs a port");
	assert_problem("[hold]\nport=5\nttl=0\n", 3, "[hold] ttl: 0");
	assert_problem("[hold]\nport=5\nprobe=1.2.3.4\n", 3, "[hold] probe: '1.2.3.4'");
	assert_problem("[hold]\nport=5\npayload=sip\n", 3, "unknown payload 'sip'");
	assert_problem("[steer]\npolicy=flow\n", 1, "[steer] needs a port");
	assert_problem("[steer]\nport=5\npolicy=sorce\n", 3, "did you mean 'source'?");
	assert_problem("[steer]\nport=5\nflows=63\n", 3, "[steer] flows: 63");
	assert_problem("[steer]\nport=5\nidle=0\n", 3, "[steer] idle: 0");
	assert_problem("[steer]\nport=5\nsweep=0\n", 3, "[steer] sweep: 0");
	assert_problem("[wire]\nport=5\n", 1, "needs iface, follow or gateway");
	assert_problem("[wire]\ngateway=x\nserver=10.0.0.1\n", 1, "one address is not enough");
	assert_problem("[wire]\ngateway=x\nserver=10.0.0.1,nine\n", 3, "'nine': not an IP address");
	assert_problem("[wire]\ngateway=x\nserver=10.0.0.1,::1,::ffff:10.0.0.1\n", 3,
		       "given twice");
	assert_problem("[wire]\ngateway=x\nserver=10.0.0.1,224.0.0.1\n", 3, "one host");
	assert_problem("[wire]\ngateway=x\nserver=10.0.0.1,::\n", 3, "one host");
}

/* A line that is too long for inih, and a line that just fits. */
static void test_long_lines(void **state)
{
	char text[1024] = "[reply]\nmode=audit\n", *at = text + strlen(text);

	memset(at, ' ', 400);
	strcpy(at + 400, "port=53\n");
	assert_int_equal(parse(text), 0);
	config_free(&config);
	strcpy(at, "port=");
	while (strlen(at) < 300)
		strcat(at, "1000,");
	strcat(at, "1\nage=3\n");
	assert_int_equal(parse(text), -EINVAL);
	assert_int_equal(config.conf.problems, 1);
	assert_int_equal(config.conf.problem[0].line, 3);
	assert_non_null(strstr(config.conf.problem[0].text, "longer than"));
	assert_int_equal(config.reply.age_s, 3);
}

static void test_control_characters(void **state)
{
	static const char nul[] = "[reply]\nmode=au\0dit\n";

	assert_int_equal(parse_bytes(nul, sizeof(nul) - 1), -EINVAL);
	assert_int_equal(config.conf.problem[config.conf.problems - 1].line, 2);
	config_free(&config);
	assert_problem("[reply]\nmode=audit\n\033[31m=1\n", 3, "unknown key '?[31m'");
}

/* All problems are reported, in line order. */
static void test_all_at_once(void **state)
{
	static const unsigned int lines[] = { 1, 2, 4, 6, 7, 8, 9, 10 };
	size_t i;

	assert_int_equal(parse("stray=1\n[nope]\na=1\n[reply]\n# no mode\nport=0\nage=x\nage=1\n"
			       "tabel=9\n[wire]\n"),
			 -EINVAL);
	assert_int_equal(config.conf.problems, sizeof(lines) / sizeof(*lines));
	for (i = 0; i < config.conf.problems; i++)
		assert_int_equal(config.conf.problem[i].line, lines[i]);
}

static void test_comments_after_values(void **state)
{
	assert_problem("[global]\nbpffs = /x # mine\n[reply]\nmode = audit\n", 2,
		       "[global] bpffs: '/x # mine': a comment with '#' needs a line of its own");
	assert_problem("[reply]\nmode = audit\nport = 53,\n\t54\t# dns\n", 3, "starts with ' ;'");
	assert_problem("[reply]\nmode = #audit\n", 2, "a comment with '#'");
	assert_int_equal(
		parse("[reply]\nmode = audit ; # one\n[wire]\nnetns = a#b\niface = c#d,#e\n"), 0);
	assert_string_equal(config.netns, "a#b");
	assert_string_equal(config.wire.ifaces.name[1], "#e");
}

/* A file of another type, such as an executable. */
static void test_stops_early(void **state)
{
	char text[8192] = "";
	size_t i, j;

	while (strlen(text) < sizeof(text) - 64)
		strcat(text, "\x7f"
			     "ELF\xff\x80\xe2\n");
	assert_int_equal(parse(text), -EINVAL);
	assert_int_equal(config.conf.problems, CONF_PROBLEMS_MAX);
	assert_non_null(strstr(err.what, "stopped after 20 problems"));
	config_free(&config);
	/* each line has valid syntax, and each key is unknown */
	strcpy(text, "[reply]\n");
	for (i = 0; i < 100; i++)
		snprintf(text + strlen(text), 64, "k\xff\x1b%zu = 1\n", i);
	assert_int_equal(parse(text), -EINVAL);
	assert_int_equal(config.conf.problems, CONF_PROBLEMS_MAX);
	for (i = 0; i < config.conf.problems; i++)
		for (j = 0; config.conf.problem[i].text[j]; j++)
			assert_in_range(config.conf.problem[i].text[j], ' ', '~');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_defaults, teardown),
		cmocka_unit_test_teardown(test_hold, teardown),
		cmocka_unit_test_teardown(test_every_key, teardown),
		cmocka_unit_test_teardown(test_forms, teardown),
		cmocka_unit_test_teardown(test_sections, teardown),
		cmocka_unit_test_teardown(test_keys, teardown),
		cmocka_unit_test_teardown(test_values, teardown),
		cmocka_unit_test_teardown(test_long_lines, teardown),
		cmocka_unit_test_teardown(test_control_characters, teardown),
		cmocka_unit_test_teardown(test_all_at_once, teardown),
		cmocka_unit_test_teardown(test_comments_after_values, teardown),
		cmocka_unit_test_teardown(test_stops_early, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
