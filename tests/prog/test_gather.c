// SPDX-License-Identifier: GPL-2.0-or-later
/* The host candidates of a namespace with interfaces of many kinds. */
#include "base/addr.h"
#include "meet/peer/gather.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char script[] =
	"set -e\n"
	"ip link set lo up; ip address add 198.18.0.1/32 dev lo\n"
	"ip link add eth0 type veth peer name far0\n"
	"ip address add 10.0.0.5/24 dev eth0; ip address add 169.254.3.4/16 dev eth0\n"
	"ip address add 2001:470::5/64 dev eth0 nodad\n"
	"ip address add 2001:470::6/64 dev eth0 nodad preferred_lft 0\n"
	"ip link set eth0 up; ip link set far0 up\n"
	"ip link add down0 type veth peer name down1; ip address add 10.9.0.1/24 dev down0\n"
	/* a bridge as docker creates it, and one that the host shares with a real port */
	"ip link add custom type bridge; ip link add c0 type veth peer name c1\n"
	"ip link set c0 master custom; ip address add 172.18.0.1/16 dev custom\n"
	"ip link set custom up\n"
	"ip link add eth1 type veth peer name far1\n"
	"ip link add br0 type bridge; ip link add link eth1 name mac1 type macvlan mode passthru\n"
	"ip link set mac1 master br0; ip address add 10.7.0.1/24 dev br0; ip link set br0 up\n"
	"ip tuntap add tun0 mode tun; ip address add 10.8.0.1/24 dev tun0; ip link set tun0 up\n";

static int setup(void **state)
{
	assert_return_code(unshare(CLONE_NEWNET), errno);
	return system(script) ? -1 : 0;
}

static void want(const char *const *interfaces, bool ip6, const char *wanted)
{
	struct candidate candidates[CANDIDATES_MAX];
	char text[CANDIDATES_MAX * 64] = "", addr[INET6_ADDRSTRLEN];
	struct err err = { 0 };
	int i, count = gather_host(candidates, interfaces, htons(4000), ip6, &err);

	assert_return_code(count, -count);
	for (i = 0; i < count; i++) {
		assert_int_equal(candidates[i].at.port_be, htons(4000));
		assert_int_equal(candidates[i].kind, CANDIDATE_HOST);
		inet_ntop(AF_INET6, &candidates[i].at.addr, addr, sizeof(addr));
		strcat(strcat(text, addr), " ");
	}
	assert_string_equal(text, wanted);
}

static void test_real_interfaces(void **state)
{
	want(NULL, false, "::ffff:10.0.0.5 ::ffff:10.7.0.1 ");
	want(NULL, true, "::ffff:10.0.0.5 ::ffff:10.7.0.1 2001:470::5 ");
}

static void test_named_interfaces(void **state)
{
	static const char *const named[] = { "custom", "tun0", "down0", NULL };

	want(named, true, "::ffff:172.18.0.1 ::ffff:10.8.0.1 ");
}

/* At most as many candidates as a peer may register. */
static void test_many(void **state)
{
	struct candidate candidates[CANDIDATES_MAX];
	struct err err = { 0 };

	assert_int_equal(system("for i in $(seq 80); do echo address add 10.50.$i.1/24 dev eth0;"
				" done | ip -b -"),
			 0);
	assert_int_equal(gather_host(candidates, NULL, htons(4000), true, &err), CANDIDATES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_interfaces),
		cmocka_unit_test(test_named_interfaces),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
