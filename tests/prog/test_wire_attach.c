// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon's calls to wire: interfaces come and go, and routes change. A new interface is
 * attached without loading a program, and a deleted one leaves nothing behind.
 */
#include "kernel/links.h"
#include "kernel/pins.h"
#include "wire/routes_sync.h"
#include "wire/wire.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BPFFS "/sys/fs/bpf/sluice"

static struct err err;
static size_t left_out;

static void sh(const char *command)
{
	if (system(command)) {
		fprintf(stderr, "failed: %s\n", command);
		fail();
	}
}

static struct wire_options options_of(const char *follow)
{
	struct wire_options options = {
		.ports.any = true, .table = 1000, .age_s = 120, .bpffs = BPFFS, .follow.count = 1
	};

	snprintf(options.follow.name[0], sizeof(options.follow.name[0]), "%s", follow);
	return options;
}

static int load_with(const struct wire_options *options)
{
	struct wire_result result;
	int failed = wire_load(options, &result, &err);

	if (failed)
		fprintf(stderr, "%s\n%s\n", err.what, err.detail);
	else
		free(result.ifaces);
	left_out = result.routes_left_out;
	return failed;
}

static int load(const char *follow)
{
	struct wire_options options = options_of(follow);

	return load_with(&options);
}

/* Counts the attached interfaces, and those in the interface table. */
static void count_ifaces(int *attached, int *known)
{
	struct wire_state state;
	int i;

	assert_int_equal(wire_read(BPFFS, &state, &err), 0);
	*attached = 0;
	*known = state.count;
	for (i = 0; i < state.count; i++)
		*attached += !state.ifaces[i].gone;
	wire_state_free(&state);
}

static void assert_ifaces(int wanted_attached, int wanted_known)
{
	int attached, known;

	count_ifaces(&attached, &known);
	assert_int_equal(attached, wanted_attached);
	assert_int_equal(known, wanted_known);
}

static bool pinned(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), BPFFS "/wire/%s", name);
	return !access(path, F_OK);
}

/* Returns the ingress program of the only interface. */
static __u32 prog_attached(void)
{
	struct wire_state state;
	__u32 id;

	assert_int_equal(wire_read(BPFFS, &state, &err), 0);
	assert_int_equal(state.count, 1);
	id = state.ifaces[0].prog_id[0];
	wire_state_free(&state);
	return id;
}

static void test_not_loaded(void **state)
{
	assert_int_equal(wire_attach_iface(BPFFS, "br0", SLUICE_WIRE_HOST, 0, &err), -ENOENT);
	assert_int_equal(wire_detach_iface(BPFFS, 1, &err), -ENOENT);
	assert_int_equal(wire_refresh_routes(BPFFS, &left_out, &err), -ENOENT);
	assert_int_equal(access(BPFFS, F_OK), -1);
}

/* Loads for a bridge without ports: the programs for later ports are ready. */
static void test_ports_come_and_go(void **state)
{
	__u32 bridge = if_nametoindex("br0"), prog = 0;
	int round;

	assert_int_equal(load("br0"), 0);
	assert_ifaces(0, 0);
	for (round = 0; round < 60; round++) {
		char command[256], name[IFNAMSIZ];
		__u32 ifindex;

		snprintf(name, sizeof(name), "port%d", round);
		snprintf(command, sizeof(command),
			 "ip link add %s type veth peer name peer && ip link set %s master br0",
			 name, name);
		sh(command);
		ifindex = if_nametoindex(name);
		assert_int_equal(wire_attach_iface(BPFFS, name, SLUICE_WIRE_HOST, bridge, &err), 0);
		assert_ifaces(1, 1);
		/* no further program is loaded */
		if (round)
			assert_int_equal(prog_attached(), prog);
		prog = prog_attached();
		/* a second call is harmless, and the interface may go before or after it */
		if (round % 3 == 0)
			assert_int_equal(
				wire_attach_iface(BPFFS, name, SLUICE_WIRE_HOST, bridge, &err), 0);
		if (round % 2)
			sh("ip link del peer");
		if (round % 2)
			assert_ifaces(0, 1);
		assert_int_equal(wire_detach_iface(BPFFS, ifindex, &err), 0);
		assert_ifaces(0, 0);
		if (!(round % 2))
			sh("ip link del peer");
		snprintf(name, sizeof(name), "link_%u_in", ifindex);
		assert_false(pinned(name));
	}
	assert_true(wire_unload(BPFFS, &err) > 0);
	assert_int_equal(access(BPFFS, F_OK), -1);
}

/* An interface of a kind that the load has not prepared for. */
static void test_other_kind(void **state)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "tun7" };
	int fd = open("/dev/net/tun", O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	assert_int_equal(load("br0"), 0);
	assert_false(pinned("prog_1_in"));
	assert_int_equal(wire_attach_iface(BPFFS, "tun7", SLUICE_WIRE_HOST, 0, &err), 0);
	assert_true(pinned("prog_1_in"));
	assert_ifaces(1, 1);
	assert_int_equal(wire_attach_iface(BPFFS, "nope", SLUICE_WIRE_HOST, 0, &err), -ENODEV);
	assert_int_equal(wire_detach_iface(BPFFS, 99999, &err), 0);
	assert_ifaces(1, 1);
	assert_true(wire_unload(BPFFS, &err) > 0);
	close(fd);
}

/* Another load attaches the existing ports, and drops those that were added and deleted. */
static void test_load_again(void **state)
{
	sh("ip link add kept type veth peer name kept_peer && ip link set kept master br0");
	sh("ip link add odd type veth peer name odd_peer");
	assert_int_equal(load("br0"), 0);
	assert_ifaces(1, 1);
	assert_int_equal(wire_attach_iface(BPFFS, "odd", SLUICE_WIRE_HOST, 0, &err), 0);
	assert_ifaces(2, 2);
	assert_int_equal(load("br0"), 0);
	assert_ifaces(1, 1);
	assert_true(wire_unload(BPFFS, &err) > 0);
	sh("ip link del kept && ip link del odd");
}

/* Returns the route to an address as the programs find it, or -1. */
static int route_kind(const char *addr, char source[INET6_ADDRSTRLEN])
{
	struct sluice_route_key key = { .prefix_len = 128 };
	int fd = pins_get(BPFFS, "wire", "sluice_w_routes", PINS_MAP), kind = -1;
	struct sluice_route route;
	bool six = strchr(addr, ':');

	assert_true(fd >= 0);
	if (!six)
		key.word_be[2] = htonl(0xffff);
	assert_int_equal(
		inet_pton(six ? AF_INET6 : AF_INET, addr, six ? key.word_be : &key.word_be[3]), 1);
	if (!bpf_map_lookup_elem(fd, &key, &route)) {
		kind = (int)route.kind;
		inet_ntop(six ? AF_INET6 : AF_INET,
			  six ? (void *)&route.source : (void *)&route.source.word_be[3], source,
			  INET6_ADDRSTRLEN);
	}
	close(fd);
	return kind;
}

static void assert_route(const char *addr, int wanted, const char *wanted_source)
{
	char source[INET6_ADDRSTRLEN] = "";

	if (route_kind(addr, source) != wanted || (wanted_source && strcmp(source, wanted_source)))
		fprintf(stderr, "the route to %s:\n", addr);
	assert_int_equal(route_kind(addr, source), wanted);
	if (wanted_source)
		assert_string_equal(source, wanted_source);
}

static void test_routes(void **state)
{
	char source[INET6_ADDRSTRLEN];

	sh("ip addr add 10.1.0.1/24 brd + dev br0 && ip addr add 10.1.0.2/24 dev br0 &&"
	   " ip addr add fd01::1/64 dev br0 nodad && ip link set br0 up &&"
	   " ip link add side type veth peer name side_peer && ip link set side up &&"
	   " ip link set side_peer up && ip addr add 10.2.0.1/24 dev side &&"
	   " ip addr add fd02::1/64 dev side nodad && ip addr add 192.0.2.9/32 dev lo &&"
	   " ip route add default via 10.2.0.254 && ip route add 10.9.0.0/16 via 10.1.0.77 &&"
	   " ip route add 10.9.9.0/24 via 10.1.0.77 src 192.0.2.9 &&"
	   " ip route add blackhole 10.10.0.0/16 && ip -6 route add default via fe80::7 dev side");
	assert_int_equal(load("br0"), 0);
	assert_route("10.1.0.1", SLUICE_ROUTE_LOCAL, NULL);
	assert_route("10.1.0.2", SLUICE_ROUTE_LOCAL, NULL);
	assert_route("192.0.2.9", SLUICE_ROUTE_LOCAL, NULL);
	assert_route("fd01::1", SLUICE_ROUTE_LOCAL, NULL);
	assert_route("10.1.0.255", SLUICE_ROUTE_BROADCAST, NULL);
	assert_route("10.1.0.9", SLUICE_ROUTE_AWAY, "10.1.0.1");
	assert_route("fd01::9", SLUICE_ROUTE_AWAY, "fd01::1");
	assert_route("10.9.0.9", SLUICE_ROUTE_AWAY, "10.1.0.1");
	assert_route("10.9.9.9", SLUICE_ROUTE_AWAY, "192.0.2.9");
	assert_route("10.10.0.9", SLUICE_ROUTE_NONE, NULL);
	assert_route("203.0.113.9", SLUICE_ROUTE_AWAY, "10.2.0.1");
	assert_route("2001:db8::9", SLUICE_ROUTE_AWAY, "fd02::1");

	sh("ip addr add 10.3.0.1/24 dev side && ip addr del 192.0.2.9/32 dev lo &&"
	   " ip route del default && ip -6 route del default");
	assert_route("10.3.0.1", SLUICE_ROUTE_AWAY, NULL);
	assert_int_equal(wire_refresh_routes(BPFFS, &left_out, &err), 0);
	assert_route("10.3.0.1", SLUICE_ROUTE_LOCAL, NULL);
	assert_route("192.0.2.9", SLUICE_ROUTE_NONE, NULL);
	/* without an IPv4 default route, the lookup must not find the IPv6 one */
	assert_route("203.0.113.9", SLUICE_ROUTE_NONE, NULL);
	assert_int_equal(route_kind("2001:db8::9", source), -1);
	assert_true(wire_unload(BPFFS, &err) > 0);
}

static struct sluice_addr addr_of(const char *text)
{
	struct sluice_addr addr = { .word_be = { 0, 0, htonl(0xffff) } };
	bool six = strchr(text, ':');

	assert_int_equal(
		inet_pton(six ? AF_INET6 : AF_INET, text, six ? addr.byte : &addr.byte[12]), 1);
	return addr;
}

/* Excepted addresses apply at once, survive a change of routes, and end with the option. */
static void test_except(void **state)
{
	struct wire_options options = options_of("br0");
	struct wire_options refused = options_of("br0");
	struct wire_state read;

	sh("ip addr add 10.7.0.1/24 dev br0 && ip addr add fd07::1/64 dev br0 nodad &&"
	   " ip addr add 10.7.0.2/24 dev br0");
	options.except.addr[0] = addr_of("10.7.0.1");
	options.except.addr[1] = addr_of("fd07::1");
	options.except.addr[2] = addr_of("10.7.0.9"); /* not local yet */
	options.except.count = 3;
	assert_int_equal(load("br0"), 0);
	assert_route("10.7.0.1", SLUICE_ROUTE_LOCAL, NULL);
	assert_route("fd07::1", SLUICE_ROUTE_LOCAL, NULL);
	assert_int_equal(load_with(&options), 0);
	assert_route("10.7.0.1", SLUICE_ROUTE_NONE, NULL);
	assert_route("fd07::1", SLUICE_ROUTE_NONE, NULL);
	assert_route("10.7.0.2", SLUICE_ROUTE_LOCAL, NULL);
	sh("ip addr add 10.7.0.9/24 dev br0 && ip addr add 10.7.0.10/24 dev br0");
	assert_int_equal(wire_refresh_routes(BPFFS, &left_out, &err), 0);
	assert_route("10.7.0.1", SLUICE_ROUTE_NONE, NULL);
	assert_route("10.7.0.9", SLUICE_ROUTE_NONE, NULL);
	assert_route("10.7.0.10", SLUICE_ROUTE_LOCAL, NULL);
	assert_int_equal(wire_read(BPFFS, &read, &err), 0);
	assert_int_equal(read.except.count, 3);
	wire_state_free(&read);

	/* a load that fails after writing the routes restores them */
	sh("ip link add odd type veth peer name odd_peer && tc qdisc add dev odd ingress");
	refused.ifaces = (struct wire_names){ { "odd" }, 1 };
	refused.attach_mode = SLUICE_WIRE_CLSACT;
	assert_int_equal(load_with(&refused), -EBUSY);
	sh("ip link del odd");
	assert_route("10.7.0.1", SLUICE_ROUTE_NONE, NULL);
	assert_int_equal(wire_refresh_routes(BPFFS, &left_out, &err), 0);
	assert_route("10.7.0.1", SLUICE_ROUTE_NONE, NULL);

	assert_int_equal(load("br0"), 0);
	assert_route("10.7.0.1", SLUICE_ROUTE_LOCAL, NULL);
	assert_route("10.7.0.9", SLUICE_ROUTE_LOCAL, NULL);
	assert_true(wire_unload(BPFFS, &err) > 0);
	sh("ip addr flush dev br0");
}

/* Addresses of kube-proxy's services are never treated as those of local servers. */
static void test_services(void **state)
{
	sh("ip link add kube-ipvs0 type veth peer name kube_peer &&"
	   " ip addr add 10.96.0.10/32 dev kube-ipvs0 && ip link set kube-ipvs0 up &&"
	   " ip link set kube_peer up && ip addr add fd96::a/128 dev kube-ipvs0 nodad &&"
	   " ip addr add 10.96.0.11/32 dev br0");
	assert_int_equal(load("br0"), 0);
	assert_route("10.96.0.10", SLUICE_ROUTE_NONE, NULL);
	assert_route("fd96::a", SLUICE_ROUTE_NONE, NULL);
	assert_route("10.96.0.11", SLUICE_ROUTE_LOCAL, NULL);
	sh("ip link set kube-ipvs0 down && ip link set kube-ipvs0 name other &&"
	   " ip link set other up && ip addr replace 10.96.0.10/32 dev other");
	assert_int_equal(wire_refresh_routes(BPFFS, &left_out, &err), 0);
	assert_route("10.96.0.10", SLUICE_ROUTE_LOCAL, NULL);
	assert_true(wire_unload(BPFFS, &err) > 0);
	sh("ip link del other && ip addr flush dev br0");
}

/* Does not write a reading that is older than another writer's. */
static void test_stale_reading(void **state)
{
	const struct wire_addrs none = { .count = 0 };
	struct wire_routes stale;
	int fd;

	assert_int_equal(load("br0"), 0);
	assert_int_equal(wire_routes_read(BPFFS, &stale, &err), 0);
	sh("ip addr add 10.8.0.1/24 dev br0");
	assert_int_equal(wire_refresh_routes(BPFFS, &left_out, &err), 0);
	assert_route("10.8.0.1", SLUICE_ROUTE_LOCAL, NULL);
	fd = pins_get(BPFFS, "wire", "sluice_w_routes", PINS_MAP);
	assert_true(fd >= 0);
	assert_int_equal(wire_routes_write(&stale, fd, &none, &left_out, &err), 0);
	assert_route("10.8.0.1", SLUICE_ROUTE_LOCAL, NULL);
	close(fd);
	wire_routes_free(&stale);
	assert_true(wire_unload(BPFFS, &err) > 0);
	sh("ip addr flush dev br0");
}

/* Adds @count networks with two gateways in turn, so that none can be merged with another. */
static void many_routes(const char *what, int count)
{
	FILE *batch = popen("ip -batch -", "w");
	int i;

	assert_non_null(batch);
	for (i = 0; i < count; i++)
		fprintf(batch, "route %s %d.%d.%d.0/24 via 10.%d.0.254\n", what, 20 + i / 65536,
			i / 256 % 256, i % 256, 31 + i % 2);
	assert_int_equal(pclose(batch), 0);
}

/* With more routes than entries, local addresses and the shorter prefixes are kept. */
static void test_many_routes(void **state)
{
	sh("ip link add up1 type veth peer name up1_peer && ip link set up1 up &&"
	   " ip link set up1_peer up && ip addr add 10.31.0.1/24 dev up1 &&"
	   " ip link add up2 type veth peer name up2_peer && ip link set up2 up &&"
	   " ip link set up2_peer up && ip addr add 10.32.0.1/24 dev up2 &&"
	   " ip addr add 203.0.113.1/32 dev lo && ip route add 172.20.0.0/16 via 10.32.0.254");
	many_routes("add", 66000);
	assert_int_equal(load("br0"), 0);
	assert_true(left_out > 400 && left_out < 500);
	assert_route("203.0.113.1", SLUICE_ROUTE_LOCAL, NULL);
	assert_route("10.32.0.1", SLUICE_ROUTE_LOCAL, NULL);
	assert_route("172.20.0.9", SLUICE_ROUTE_AWAY, "10.32.0.1");

	/* a new address gets an entry, although old and new routes together do not fit */
	sh("ip addr add 203.0.113.2/32 dev lo");
	assert_int_equal(wire_refresh_routes(BPFFS, &left_out, &err), 0);
	assert_route("203.0.113.2", SLUICE_ROUTE_LOCAL, NULL);
	sh("ip route flush proto boot && ip addr add 203.0.113.3/32 dev lo");
	many_routes("add", 300);
	assert_int_equal(wire_refresh_routes(BPFFS, &left_out, &err), 0);
	assert_int_equal(left_out, 0);
	assert_route("203.0.113.3", SLUICE_ROUTE_LOCAL, NULL);
	assert_route("20.0.2.9", SLUICE_ROUTE_AWAY, "10.31.0.1");
	assert_route("20.0.3.9", SLUICE_ROUTE_AWAY, "10.32.0.1");
	assert_route("20.9.9.9", SLUICE_ROUTE_NONE, NULL);
	assert_true(wire_unload(BPFFS, &err) > 0);
	sh("ip link del up1 && ip link del up2");
}

static int setup(void **state)
{
	links_libbpf_log();
	if (unshare(CLONE_NEWNET))
		return -1;
	return system("ip link set lo up && ip link add br0 type bridge");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_loaded),  cmocka_unit_test(test_ports_come_and_go),
		cmocka_unit_test(test_other_kind),  cmocka_unit_test(test_load_again),
		cmocka_unit_test(test_routes),	    cmocka_unit_test(test_except),
		cmocka_unit_test(test_services),    cmocka_unit_test(test_stale_reading),
		cmocka_unit_test(test_many_routes),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
