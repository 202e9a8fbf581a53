// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads steering over another ABI version while datagrams arrive. All datagrams are received, and
 * each group always has a program. A drain in progress prevents the load.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi_lab.h"
#include "kernel/links.h"
#include "lab.h"
#include "steer/cpu/spread.h"
#include "steer/group/stats.h"
#include "steer/steer.h"
#include "verifier_lab.h"

#include <pthread.h>
#include <stdatomic.h>

#define DIR_OURS "/sys/fs/bpf/sluice-lab"
#define PORT	 5300

static struct err err;

#define WORKERS 3
#define PEERS	16

static int worker[WORKERS];
static atomic_bool sending;
static atomic_uint sent;

static void workers_open(void)
{
	struct lab_end end = lab_end("0.0.0.0", PORT);
	int i;

	for (i = 0; i < WORKERS; i++) {
		worker[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert_return_code(worker[i], errno);
		lab_option(worker[i], SOL_SOCKET, SO_REUSEPORT, 1);
		lab_option(worker[i], SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20);
		assert_return_code(bind(worker[i], &end.any, end.size), errno);
	}
}

/* On lo, a datagram is already queued or dropped when sendto(2) returns. */
static void *send_until_told(void *unused)
{
	const struct lab_end to = lab_end(NEAR4, PORT);
	int peer[PEERS];
	unsigned int i;

	for (i = 0; i < PEERS; i++)
		peer[i] = lab_socket(NEAR4, 0);
	for (i = 0; atomic_load(&sending); i++) {
		if (sendto(peer[i % PEERS], "x", 1, 0, &to.any, to.size) == 1)
			atomic_fetch_add(&sent, 1);
		usleep(200);
	}
	for (i = 0; i < PEERS; i++)
		close(peer[i]);
	return NULL;
}

static unsigned int workers_read(void)
{
	unsigned int count = 0;
	char byte;
	int i;

	for (i = 0; i < WORKERS; i++)
		while (recv(worker[i], &byte, 1, 0) == 1)
			count++;
	return count;
}

/* A drain holds a lock on the directory of its group. */
static int drain_hold(void)
{
	struct flock lock = { .l_type = F_RDLCK, .l_len = 1 };
	glob_t found;
	int fd;

	assert_int_equal(glob(DIR_OURS "/steer/5300_*", 0, NULL, &found), 0);
	fd = open(found.gl_pathv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	globfree(&found);
	assert_return_code(fd, errno);
	assert_return_code(fcntl(fd, F_OFD_SETLK, &lock), errno);
	return fd;
}

/* Loads steering. Returns the number of groups. */
static int steer(struct steer_loader *loader, const struct steer_options *with)
{
	int groups;

	if (steer_load(loader, with, NULL, NULL, &groups, &err))
		fail_msg("%s: %s", err.what, err.hint);
	return groups;
}

static int count_slots(struct steer_group *group, void *arg)
{
	int slot, used = 0;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		used += group->slots[slot].state != SLUICE_STEER_FREE;
	*(int *)arg = *(int *)arg * 100 + used;
	return 0;
}

static int steered(void)
{
	int used = 0;

	assert_int_equal(steer_groups(DIR_OURS, count_slots, &used, &err), 0);
	return used;
}

static void abi_set_all(__u32 abi)
{
	abi_set(DIR_OURS "/steer/sluice_steering", abi);
	abi_set(DIR_OURS "/steer/5300_*/sluice_group", abi);
}

static int sum_counters(struct steer_group *group, void *arg)
{
	struct sluice_steer_counters sum;
	size_t i;

	assert_int_equal(steer_group_counters(group, &sum), 0);
	for (i = 0; i < sizeof(sum.value) / sizeof(*sum.value); i++)
		*(__u64 *)arg += sum.value[i];
	return 0;
}

static __u64 handled(void)
{
	__u64 sum = 0;

	assert_int_equal(steer_groups(DIR_OURS, sum_counters, &sum, &err), 0);
	return sum;
}

/* Waits until the attached program has selected the workers of further datagrams. */
static void assert_handles(void)
{
	__u64 before = handled();
	int patience = 60000;

	while (handled() == before && patience--)
		usleep(1000);
	assert_true(patience >= 0);
}

static void test_replaced(void **unused)
{
	struct steer_options with = { .policy = SLUICE_STEER_FLOW,
				      .generations = SLUICE_STEER_BY_PROCESS,
				      .flows = 1024,
				      .idle_s = 100,
				      .bpffs = DIR_OURS,
				      .must_find = true };
	struct steer_loader loader = { .cgroup = NULL };
	struct sluice_steer_meta meta;
	pthread_t sender;
	int groups, fd;

	with.ports.bit[PORT / 64] = 1ULL << PORT % 64;
	links_libbpf_log();
	lab_net();
	with.netns = lab_netns();
	workers_open();
	assert_int_equal(steer(&loader, &with), 1);
	assert_int_equal(steered(), WORKERS);
	abi_set_all(OTHER_ABI);
	assert_int_equal(steer_read(DIR_OURS, &meta, &err), -EPROTO);

	atomic_store(&sending, true);
	assert_int_equal(pthread_create(&sender, NULL, send_until_told, NULL), 0);
	with.dry_run = true;
	assert_int_equal(steer(&loader, &with), 1);
	with.dry_run = false;

	/* the verifier refuses the new program: the program of the other version stays */
	verifier_refuse(true);
	assert_int_equal(steer_load(&loader, &with, NULL, NULL, &groups, &err), -EINVAL);
	assert_int_equal(err.code, EXIT_LACKING);
	verifier_refuse(false);
	abi_set_all(SLUICE_STEER_ABI);
	assert_handles();
	abi_set_all(OTHER_ABI);

	/* a drain depends on the maps of its version */
	fd = drain_hold();
	assert_int_equal(steer_load(&loader, &with, NULL, NULL, &groups, &err), -EAGAIN);
	assert_int_equal(err.code, EXIT_CONFLICT);
	assert_non_null(strstr(err.what, "a drain is in progress"));
	assert_int_equal(steer_read(DIR_OURS, &meta, &err), -EPROTO);
	close(fd);

	assert_int_equal(steer(&loader, &with), 1);
	assert_int_equal(steered(), WORKERS);
	assert_int_equal(steer_read(DIR_OURS, &meta, &err), 0);
	atomic_store(&sending, false);
	assert_int_equal(pthread_join(sender, NULL), 0);
	assert_int_equal(workers_read(), atomic_load(&sent));

	/* an unload by this version, with a group that only the other version steered */
	abi_set(DIR_OURS "/steer/5300_*/sluice_group", OTHER_ABI);
	assert_true(steer_unload(DIR_OURS, false, NULL, NULL, &err) > 0);
	assert_int_equal(access(DIR_OURS, F_OK), -1);
	assert_int_equal(steer(&loader, &with), 1);
	abi_set_all(OTHER_ABI);
	for (fd = 0; fd < WORKERS; fd++)
		close(worker[fd]);
	with.must_find = false;
	assert_int_equal(steer(&loader, &with), 0);
	assert_int_equal(steered(), 0);
	assert_true(steer_unload(DIR_OURS, false, NULL, NULL, &err) > 0);
	steer_loader_close(&loader);
}

/* Returns the program of the only interface. Checks that its link has not changed. */
static __u32 spread_prog(__u32 *link_id)
{
	struct hook_link link;
	glob_t found;
	int fd;

	assert_int_equal(glob(DIR_OURS "/steer/sluice_x_link_*", 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	fd = bpf_obj_get(found.gl_pathv[0]);
	globfree(&found);
	assert_return_code(fd, errno);
	assert_int_equal(hook_link_read(fd, &link), 0);
	close(fd);
	if (!*link_id)
		*link_id = link.id;
	assert_int_equal(link.id, *link_id);
	return link.prog_id;
}

/* The XDP link of the other version gets the new program in the same attach mode. */
static void test_spread(void **unused)
{
	const struct ports ports = { .any = true };
	struct spread_options with = { .bpffs = DIR_OURS,
				       .ports = &ports,
				       .ifname = { "near" },
				       .ifcount = 1,
				       .cpu_count = 1 };
	__u32 link_id = 0, before, mode;
	struct spread now;

	lab_net();
	assert_int_equal(system("ip link add near type veth peer name far"), 0);
	if (spread_load(&with, &err))
		fail_msg("%s", err.what);
	assert_int_equal(spread_read(DIR_OURS, &now, &err), 0);
	mode = now.meta.links[0].mode;
	before = spread_prog(&link_id);
	abi_set(DIR_OURS "/steer/sluice_x_meta", OTHER_ABI);
	assert_int_equal(spread_read(DIR_OURS, &now, &err), -EPROTO);
	with.dry_run = true;
	assert_int_equal(spread_load(&with, &err), 0);
	assert_int_equal(spread_prog(&link_id), before);
	with.dry_run = false;
	verifier_refuse(true);
	assert_int_equal(spread_load(&with, &err), -EINVAL);
	assert_int_equal(err.code, EXIT_LACKING);
	verifier_refuse(false);
	assert_int_equal(spread_prog(&link_id), before);
	assert_int_equal(spread_load(&with, &err), 0);
	assert_int_not_equal(spread_prog(&link_id), before);
	assert_int_equal(spread_read(DIR_OURS, &now, &err), 0);
	assert_int_equal(now.meta.links[0].mode, mode);
	assert_false(now.gone[0]);
	with.ifcount = 0;
	assert_true(spread_load(&with, &err) > 0);
	assert_int_equal(access(DIR_OURS, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_replaced),
					    cmocka_unit_test(test_spread) };

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("steer abi", tests, NULL, NULL);
}
