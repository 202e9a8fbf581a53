// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon's calls to wire when interfaces come and go. Attaching to a new interface loads no
 * program; a deleted interface leaves nothing behind.
 */
#include "kernel/links.h"
#include "kernel/load_outcome.h"
#include "kernel/pins.h"
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

#include "abi_lab.h"
#include "verifier_lab.h"

#define BPFFS "/sys/fs/bpf/sluice"

static struct err err;

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
	return failed;
}

static int load(const char *follow)
{
	struct wire_options options = options_of(follow);

	return load_with(&options);
}

/* Compares the number of attached interfaces with the interface table. */
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
	assert_int_equal(access(BPFFS, F_OK), -1);
}

/* Loads for a bridge without ports. The programs for later ports are loaded as well. */
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
		/* no other program is loaded */
		if (round)
			assert_int_equal(prog_attached(), prog);
		prog = prog_attached();
		/* a second call is harmless; the interface may be deleted before or after it */
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

/* An interface of a kind that the load has not prepared. */
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

/* Another load attaches the existing ports, and drops ports that were added and deleted. */
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

/*
 * A load over another ABI version updates the programs on the interfaces that it keeps, and
 * detaches the other interfaces. A failed load restores the previous programs.
 */
static void test_other_abi(void **state)
{
	struct wire_options options = options_of("br0");
	struct wire_result result;
	struct hook_link before, now;
	char name[32];
	__u32 ifindex;
	int fd;

	sh("ip link add kept type veth peer name kept_peer && ip link set kept master br0");
	sh("ip link add odd type veth peer name odd_peer && tc qdisc add dev odd ingress");
	ifindex = if_nametoindex("kept");
	snprintf(name, sizeof(name), "link_%u_out", ifindex);
	assert_int_equal(load("br0"), 0);
	fd = hook_link_open(BPFFS, "wire", name, ifindex, &before);
	assert_true(fd >= 0);
	abi_set(BPFFS "/wire/sluice_w_meta", OTHER_ABI);
	assert_int_equal(wire_attach_iface(BPFFS, "odd", SLUICE_WIRE_HOST, 0, &err), -EPROTO);

	options.attach_mode = SLUICE_WIRE_CLSACT;
	options.ifaces = (struct wire_names){ { "odd" }, 1 };
	assert_int_equal(load_with(&options), -EBUSY);
	assert_int_equal(hook_link_read(fd, &now), 0);
	assert_int_equal(now.prog_id, before.prog_id);
	assert_false(pinned("sluice_w_meta_new"));

	options.ifaces.count = 0;
	options.dry_run = true;
	assert_int_equal(wire_load(&options, &result, &err), 0);
	assert_int_equal(result.replaces, OTHER_ABI);
	free(result.ifaces);
	assert_int_equal(hook_link_read(fd, &now), 0);
	assert_int_equal(now.prog_id, before.prog_id);

	options.dry_run = false;
	verifier_refuse(true);
	assert_int_equal(load_with(&options), -EINVAL);
	assert_int_equal(err.code, EXIT_LACKING);
	verifier_refuse(false);
	assert_int_equal(hook_link_read(fd, &now), 0);
	assert_int_equal(now.prog_id, before.prog_id);

	assert_int_equal(wire_load(&options, &result, &err), 0);
	assert_int_equal(result.outcome, LOAD_REPLACED);
	free(result.ifaces);
	assert_int_equal(hook_link_read(fd, &now), 0);
	assert_int_equal(now.ifindex, ifindex);
	assert_int_not_equal(now.prog_id, before.prog_id);
	assert_ifaces(1, 1);

	abi_set(BPFFS "/wire/sluice_w_meta", OTHER_ABI);
	sh("ip link set kept nomaster");
	assert_int_equal(load("br0"), 0);
	assert_ifaces(0, 0);
	assert_int_equal(hook_link_read(fd, &now), 0);
	assert_int_equal(now.ifindex, 0);
	close(fd);
	assert_true(wire_unload(BPFFS, &err) > 0);
	sh("ip link del kept && ip link del odd");
}

static struct sluice_addr addr_of(const char *text)
{
	struct sluice_addr addr = { .word_be = { 0, 0, htonl(0xffff) } };
	bool six = strchr(text, ':');

	assert_int_equal(
		inet_pton(six ? AF_INET6 : AF_INET, text, six ? addr.byte : &addr.byte[12]), 1);
	return addr;
}

static int servers_count(void)
{
	struct sluice_addr addr, *last = NULL;
	int count = 0, fd = pins_get(BPFFS, "wire", "sluice_w_server", PINS_MAP);

	assert_true(fd >= 0);
	for (; !bpf_map_get_next_key(fd, last, &addr); last = &addr)
		count++;
	close(fd);
	return count;
}

/* A load that fails after it has written the server's addresses removes them again. */
static void test_servers_restored(void **state)
{
	struct wire_options options = options_of("br0");
	struct wire_result result;

	sh("ip link add s0 type veth peer name s0_peer &&"
	   " ip link add odd type veth peer name odd_peer && tc qdisc add dev odd ingress");
	options.gateways = (struct wire_names){ { "s0" }, 1 };
	options.servers.addr[0] = addr_of("10.7.0.1");
	options.servers.addr[1] = addr_of("fd07::1");
	options.servers.count = 2;
	assert_int_equal(load_with(&options), 0);
	assert_int_equal(servers_count(), 2);

	options.servers.addr[2] = addr_of("10.7.0.9");
	options.servers.count = 3;
	options.ifaces = (struct wire_names){ { "odd" }, 1 };
	options.attach_mode = SLUICE_WIRE_CLSACT;
	assert_int_equal(load_with(&options), -EBUSY);
	assert_int_equal(servers_count(), 2);

	sh("ip link del odd");
	options.ifaces.count = 0;
	options.servers.addr[1] = options.servers.addr[2];
	options.servers.count = 2;
	assert_int_equal(wire_load(&options, &result, &err), 0);
	assert_int_equal(servers_count(), 2);
	/* the result describes the replaced load */
	assert_string_equal(result.ifaces_before, "s0");
	assert_int_equal(result.servers_before.count, 2);
	assert_true(result.before.any_port);
	assert_false(result.as_before);
	free(result.ifaces);
	assert_true(wire_unload(BPFFS, &err) > 0);
	sh("ip link del s0");
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
		cmocka_unit_test(test_not_loaded),	 cmocka_unit_test(test_ports_come_and_go),
		cmocka_unit_test(test_other_kind),	 cmocka_unit_test(test_load_again),
		cmocka_unit_test(test_servers_restored), cmocka_unit_test(test_other_abi),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
