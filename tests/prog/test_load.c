// SPDX-License-Identifier: GPL-2.0-or-later
/* The effects of loading reply, on its programs and on its flow table. */
#include <setjmp.h>
#include <sluice/meta.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/load_outcome.h"
#include "kernel/pins.h"
#include "kernel/unload.h"
#include "load_lab.h"

/* --- the effects of a load */

static void test_load(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct reply_state state;
	struct ports ports;
	struct stat st;

	load_with(&with, LOAD_FRESH);
	assert_socket_mode_on(cgroup, 1);
	assert_socket_mode_on(other, 0);
	assert_int_equal(result.count, 5);
	assert_true(result.progs[0].verified_insns > 0);

	state = state_now();
	assert_return_code(stat(cgroup, &st), errno);
	assert_int_equal(state.meta.state, SLUICE_LOADED);
	assert_int_equal(state.meta.mode, SLUICE_REPLY_SOCKET);
	assert_int_equal(state.meta.sets, 512 / SLUICE_FLOW_WAYS);
	assert_int_equal(state.meta.age_ns, 100000000000ULL);
	assert_int_equal(state.meta.cgroup_id, st.st_ino);
	reply_ports(&state.meta, &ports);
	assert_false(ports.any);
	assert_true(ports_contain(&ports, PORT) && !ports_contain(&ports, PORT + 1));
	assert_int_equal(state.hook_count, 5);
}

/* Changes settings in place: the same links and maps get new programs. */
static void test_update(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct reply_state before, after;
	int i;

	load_with(&with, LOAD_FRESH);
	before = state_now();
	with.age_s = 7;
	with.ports.bit[0] = 1ULL << 53;
	load_with(&with, LOAD_UPDATED);
	after = state_now();
	assert_int_equal(after.meta.age_ns, 7000000000ULL);
	assert_int_equal(after.meta.ports[0], 1ULL << 53);
	assert_int_equal(after.meta.seed, before.meta.seed);
	assert_int_equal(after.hook_count, before.hook_count);
	for (i = 0; i < after.hook_count; i++) {
		assert_int_equal(after.hooks[i].link_id, before.hooks[i].link_id);
		assert_int_not_equal(after.hooks[i].prog_id, before.hooks[i].prog_id);
	}
	assert_socket_mode_on(cgroup, 1);
}

/* Changes the mode and changes it back: only the hooks of the current mode are attached. */
static void test_mode(void **unused)
{
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	load(SLUICE_REPLY_AUDIT, LOAD_UPDATED);
	assert_int_equal(state_now().meta.mode, SLUICE_REPLY_AUDIT);
	assert_int_equal(state_now().hook_count, 4);
	assert_int_equal(own_on(cgroup, BPF_CGROUP_INET_INGRESS, "sluice_learn"), 1);
	assert_int_equal(own_on(cgroup, BPF_CGROUP_INET4_CONNECT, "sluice_connect4"), 1);
	assert_int_equal(own_on(cgroup, BPF_CGROUP_INET6_CONNECT, "sluice_connect6"), 1);
	assert_int_equal(own_on(cgroup, BPF_CGROUP_INET_EGRESS, "sluice_audit"), 1);
	assert_int_equal(own_on(cgroup, BPF_CGROUP_UDP4_SENDMSG, "sluice_fix4"), 0);
	assert_int_equal(own_on(cgroup, BPF_CGROUP_UDP6_SENDMSG, "sluice_fix6"), 0);
	load(SLUICE_REPLY_SOCKET, LOAD_UPDATED);
	assert_int_equal(own_on(cgroup, BPF_CGROUP_INET4_CONNECT, "sluice_connect4"), 1);
	assert_int_equal(own_on(cgroup, BPF_CGROUP_INET6_CONNECT, "sluice_connect6"), 1);
	assert_socket_mode_on(cgroup, 1);
}

static void test_dry_run(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char before[TEXT_MAX];

	with.dry_run = true;
	inventory(before);
	load_with(&with, LOAD_VERIFIED);
	assert_int_equal(result.count, 5);
	assert_unchanged(before);
	assert_int_equal(access(DIR_OURS, F_OK), -1);

	load(SLUICE_REPLY_AUDIT, LOAD_FRESH);
	inventory(before);
	with.table = 4096;
	with.age_s = 1;
	with.cgroup = other;
	load_with(&with, LOAD_VERIFIED);
	assert_unchanged(before);
}

static void test_unload(void **unused)
{
	struct reply_state state;

	assert_int_equal(reply_unload(DIR_OURS, &err), 0);
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	/* eight maps and five links */
	assert_int_equal(reply_unload(DIR_OURS, &err), 13);
	assert_socket_mode_on(cgroup, 0);
	assert_int_equal(access(DIR_OURS, F_OK), -1);
	assert_int_equal(reply_read(DIR_OURS, &state, &err), -ENOENT);
	assert_int_equal(reply_unload(DIR_OURS, &err), 0);
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
}

/* --- the table */

static __u32 table_id(void)
{
	int fd = pins_get(DIR_OURS, "reply", "sluice_flows", PINS_MAP);
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	assert_true(fd >= 0);
	assert_return_code(bpf_obj_get_info_by_fd(fd, &info, &length), errno);
	close(fd);
	return info.id;
}

/* The kernel frees a map some time after the last program that uses it. */
static void assert_freed(__u32 map_id)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int tries, fd;

	for (tries = 0; tries < 1000; tries++) {
		fd = bpf_map_get_fd_by_id(map_id);
		if (fd < 0) {
			assert_int_equal(errno, ENOENT);
			return;
		}
		close(fd);
		nanosleep(&pause, NULL);
	}
	fail_msg("map %u is not freed", map_id);
}

/*
 * Grows and shrinks the table. The new table is empty: the kernel chooses the source of replies to
 * earlier requests, and replies to new requests are fixed at once.
 */
static void test_table_size(void **unused)
{
	static const __u32 tables[] = { 64, 8192, 1000, 65536, 72 };
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct flow_table_usage usage;
	struct talk talk;
	__u32 old;
	size_t i;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_request(&talk);
	talk_answer(&talk, true);
	for (i = 0; i < COUNT(tables); i++) {
		old = table_id();
		with.table = tables[i];
		load_with(&with, LOAD_UPDATED);
		assert_int_equal(result.before.sets * SLUICE_FLOW_WAYS, i ? tables[i - 1] : 512);
		assert_int_equal(reply_flows(DIR_OURS, &usage, NULL, NULL, &err), 0);
		assert_int_equal(usage.live + usage.expired, 0);
		assert_int_equal(usage.size, tables[i]);
		talk_answer(&talk, false);
		talk_request(&talk);
		talk_answer(&talk, true);
		assert_int_equal(access(DIR_OURS "/reply/sluice_flows_new", F_OK), -1);
		assert_freed(old);
	}
	assert_int_equal(state_now().counters.value[SLUICE_REPLY_left_no_flow],
			 COUNT(talk.clients) * COUNT(tables));
	talk_close(&talk);
}

/* Loads with the same number of sets and other settings: all flows are kept and still work. */
static void test_table_kept(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct flow_table_usage usage;
	char flows[TEXT_MAX];
	struct talk talk;
	__u32 old;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_request(&talk);
	flows_now(flows, &usage);
	old = table_id();
	with.table = 512 - SLUICE_FLOW_WAYS + 1;
	with.age_s = 50;
	load_with(&with, LOAD_UPDATED);
	assert_int_equal(table_id(), old);
	assert_flows(flows, 512);
	talk_answer(&talk, true);
	talk_close(&talk);
}

/* Backdates the last request of every flow in the table. */
static void make_older(__u32 time)
{
	int fd = pins_get(DIR_OURS, "reply", "sluice_flows", PINS_MAP);
	struct sluice_flow_set set;
	__u32 index, way;

	assert_true(fd >= 0);
	for (index = 0; !bpf_map_lookup_elem_flags(fd, &index, &set, BPF_F_LOCK); index++) {
		for (way = 0; way < SLUICE_FLOW_WAYS; way++)
			set.seen[way] -= time;
		assert_return_code(bpf_map_update_elem(fd, &index, &set, BPF_EXIST | BPF_F_LOCK),
				   errno);
	}
	close(fd);
}

/* Counts expired flows separately. */
static void test_table_expired(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct flow_table_usage usage;
	struct talk talk;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_request(&talk);
	make_older(sluice_flow_clock(with.age_s * 1000000000ULL) + 5000);
	assert_int_equal(reply_flows(DIR_OURS, &usage, NULL, NULL, &err), 0);
	assert_int_equal(usage.live, 0);
	assert_int_equal(usage.expired, COUNT(talk.clients));
	talk_close(&talk);
}

/* Fails to pin the new table: the old table, its flows and its programs stay. */
static void test_table_pin_fails(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char before[TEXT_MAX], flows[TEXT_MAX];
	struct flow_table_usage usage;
	struct talk talk;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_request(&talk);
	flows_now(flows, &usage);
	assert_return_code(mkdir(DIR_OURS "/reply/sluice_flows_new", 0700), errno);
	inventory(before);
	with.table = 4096;
	with.age_s = 1;
	assert_int_not_equal(reply_load(&with, &result, &err), 0);
	assert_unchanged(before);
	assert_flows(flows, 512);
	talk_answer(&talk, true);

	assert_return_code(rmdir(DIR_OURS "/reply/sluice_flows_new"), errno);
	with.age_s = 100;
	load_with(&with, LOAD_UPDATED);
	talk_request(&talk);
	talk_answer(&talk, true);
	talk_close(&talk);
}

/* Fails after the new table is pinned: the old table and its flows stay. */
static void test_table_undone(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char path[PATH_MAX], before[TEXT_MAX], flows[TEXT_MAX];
	struct flow_table_usage usage;
	struct talk talk;
	int alone;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_request(&talk);
	flows_now(flows, &usage);
	pins_path(DIR_OURS, "reply", "link_fix6", path);
	assert_int_equal(unload_pin(path), 0);
	alone = foreign(cgroup, BPF_CGROUP_UDP6_SENDMSG, "alone", 0);
	inventory(before);
	with.table = 2048;
	refused(&with, EXIT_CONFLICT, EBUSY, "alone");
	assert_unchanged(before);
	assert_flows(flows, 512);
	foreign_gone(cgroup, BPF_CGROUP_UDP6_SENDMSG, alone);
	with.table = 512;
	load_with(&with, LOAD_UPDATED);
	assert_flows(flows, 512);
	talk_answer(&talk, true);
	talk_close(&talk);
}

/* The next load removes the staged map of a dead loader, since it does not need the map. */
static void test_table_staged(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "staged", 4, 8, 1, NULL);

	load_with(&with, LOAD_FRESH);
	assert_return_code(fd, errno);
	assert_return_code(bpf_obj_pin(fd, DIR_OURS "/reply/sluice_flows_new"), errno);
	close(fd);
	load_with(&with, LOAD_UPDATED);
	assert_int_equal(access(DIR_OURS "/reply/sluice_flows_new", F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(load),	    TEST(update),	 TEST(mode),
		TEST(dry_run),	    TEST(unload),	 TEST(table_size),
		TEST(table_kept),   TEST(table_expired), TEST(table_pin_fails),
		TEST(table_undone), TEST(table_staged),
	};

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("load", tests, own_bpffs, NULL);
}
