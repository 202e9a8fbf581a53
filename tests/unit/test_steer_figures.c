// SPDX-License-Identifier: GPL-2.0-or-later
/* The figures of 'steer show': bars, imbalance, queues, and unaccounted datagrams. */
#include "steer/figures.h"
#include "steer/group/udp_stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_bar(double part, double whole, bool utf8, const char *wanted)
{
	char text[STEER_BAR_MAX];

	memset(text, 'x', sizeof(text));
	assert_string_equal(steer_bar(part, whole, utf8, text), wanted);
}

static void test_bar(void **state)
{
	assert_bar(0, 100, false, "");
	assert_bar(100, 100, false, "############");
	assert_bar(50, 100, false, "######");
	assert_bar(100, 100, true, "████████████");
	assert_bar(50, 100, true, "██████");
	assert_bar(1, 12, true, "█");
	assert_bar(1, 24, true, "▌");
	assert_bar(1, 96, true, "▏");
	assert_bar(7, 96, true, "▉");
}

static void test_bar_ends(void **state)
{
	/* a non-zero value shows, and no bar is longer than the maximum */
	assert_bar(1, 1e12, false, "#");
	assert_bar(1, 1e12, true, "▏");
	assert_bar(200, 100, false, "############");
	assert_bar(200, 100, true, "████████████");
	assert_bar(5, 0, false, "#");
	assert_bar(0, 0, true, "");
	assert_bar(-1, 10, true, "");
}

#define IMBALANCE(...)                                  \
	steer_imbalance((const __u64[]){ __VA_ARGS__ }, \
			sizeof((const __u64[]){ __VA_ARGS__ }) / sizeof(__u64))

static void test_imbalance(void **state)
{
	assert_true(IMBALANCE(10, 10, 10) == 1);
	assert_true(IMBALANCE(30, 0, 0) == 3);
	assert_true(IMBALANCE(54, 39, 27) == 1.35);
	assert_true(IMBALANCE(7) == 1);
	assert_true(IMBALANCE(0, 0) == 0);
	assert_true(steer_imbalance(NULL, 0) == 0);
	/* the sum exceeds 64 bits */
	assert_true(IMBALANCE(UINT64_MAX, UINT64_MAX, UINT64_MAX) == 1);
}

static void test_queue(void **state)
{
	assert_int_equal(steer_queue_usage(0, 212992), 0);
	assert_int_equal(steer_queue_usage(106496, 212992), 50);
	assert_int_equal(steer_queue_usage(300000, 212992), 100);
	assert_int_equal(steer_queue_usage(UINT32_MAX, UINT32_MAX), 100);
	assert_int_equal(steer_queue_usage(5, 0), 0);
	assert_true(steer_queue_is_full(700, 800));
	assert_false(steer_queue_is_full(699, 800));
	assert_true(steer_queue_is_full(UINT32_MAX, UINT32_MAX));
	assert_false(steer_queue_is_full(0, 0));
}

static void assert_rest(struct steer_balance balance, __u64 errors, __u64 vanished)
{
	struct steer_rest rest = steer_rest_of(&balance);

	assert_int_equal(rest.errors, errors);
	assert_int_equal(rest.vanished, vanished);
}

static void test_rest(void **state)
{
	/* no loss, and traffic on other ports too */
	assert_rest((struct steer_balance){ .seen = 100, .read = 100 }, 0, 0);
	assert_rest((struct steer_balance){ .seen = 100, .read = 150 }, 0, 0);
	/* refused by full queues: accounted for */
	assert_rest((struct steer_balance){ .seen = 100, .read = 90, .errors = 10, .drops = 10 }, 0,
		    0);
	/* in a queue, or freed with one */
	assert_rest((struct steer_balance){ .seen = 100, .read = 60, .errors = 10, .drops = 10 }, 0,
		    30);
	/* errors elsewhere */
	assert_rest((struct steer_balance){ .seen = 100, .read = 100, .errors = 12, .drops = 5 }, 7,
		    0);
	/* dropped for their checksum before the socket lookup */
	assert_rest((struct steer_balance){ .seen = 100, .read = 100, .errors = 3, .checksum = 3 },
		    0, 0);
	/* drops between the readings of the counters */
	assert_rest((struct steer_balance){ .seen = 100, .read = 90, .errors = 10, .drops = 12 }, 0,
		    0);
}

static FILE *text_open(const char *text)
{
	return fmemopen((void *)(uintptr_t)text, strlen(text), "r");
}

static void test_snmp(void **state)
{
	/* newer kernels have more columns, older ones fewer */
	static const char snmp[] =
		"Icmp: InMsgs InErrors\n"
		"Icmp: 100 200\n"
		"Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors"
		" InCsumErrors IgnoredMulti MemErrors New\n"
		"Udp: 1 2 3 400 5 600 7 800 9 1000\n"
		"UdpLite: InDatagrams NoPorts\n"
		"UdpLite: 11 12\n";
	static const char snmp6[] = "Ip6InReceives  77\n"
				    "Udp6InDatagrams                 	10\n"
				    "Udp6NoPorts                     	20\n"
				    "Udp6OutDatagrams                	30\n"
				    "Udp6RcvbufErrors                	40\n"
				    "UdpLite6InDatagrams             	50\n";
	__u64 counters[SLUICE_STEER_UDP_COUNTERS] = { 0 };
	FILE *file = text_open(snmp);

	udp_stats_add(file, counters);
	fclose(file);
	assert_int_equal(counters[SLUICE_STEER_UDP_IN_DATAGRAMS], 1);
	assert_int_equal(counters[SLUICE_STEER_UDP_NO_PORTS], 2);
	assert_int_equal(counters[SLUICE_STEER_UDP_IN_ERRORS], 3);
	assert_int_equal(counters[SLUICE_STEER_UDP_RCVBUF_ERRORS], 5);
	assert_int_equal(counters[SLUICE_STEER_UDP_IN_CSUM_ERRORS], 7);
	assert_int_equal(counters[SLUICE_STEER_UDP_MEM_ERRORS], 9);
	file = text_open(snmp6);
	udp_stats_add6(file, counters);
	fclose(file);
	assert_int_equal(counters[SLUICE_STEER_UDP_IN_DATAGRAMS], 11);
	assert_int_equal(counters[SLUICE_STEER_UDP_NO_PORTS], 22);
	assert_int_equal(counters[SLUICE_STEER_UDP_IN_ERRORS], 3);
	assert_int_equal(counters[SLUICE_STEER_UDP_RCVBUF_ERRORS], 45);
}

static void test_snmp_cut_off(void **state)
{
	__u64 counters[SLUICE_STEER_UDP_COUNTERS] = { 0 };
	FILE *file = text_open("Udp: InDatagrams NoPorts\nUdp: 5");

	udp_stats_add(file, counters);
	fclose(file);
	assert_int_equal(counters[SLUICE_STEER_UDP_IN_DATAGRAMS], 5);
	assert_int_equal(counters[SLUICE_STEER_UDP_NO_PORTS], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bar),	     cmocka_unit_test(test_bar_ends),
		cmocka_unit_test(test_imbalance),    cmocka_unit_test(test_queue),
		cmocka_unit_test(test_rest),	     cmocka_unit_test(test_snmp),
		cmocka_unit_test(test_snmp_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
