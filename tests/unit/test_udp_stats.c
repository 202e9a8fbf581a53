// SPDX-License-Identifier: GPL-2.0-or-later
/* The UDP counters of /proc/net/snmp and /proc/net/snmp6. */
#include "steer/group/udp_stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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
		cmocka_unit_test(test_snmp),
		cmocka_unit_test(test_snmp_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
