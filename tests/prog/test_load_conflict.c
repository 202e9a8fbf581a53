// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads with other programs on the hooks, or into another cgroup. A failed load changes nothing and
 * reports the reason. A successful load leaves the programs of other owners in place.
 */
#include <setjmp.h>
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

/* --- conflicts with another program */

static void test_conflict_fresh(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	int alone = foreign(cgroup, BPF_CGROUP_UDP6_SENDMSG, "alone", 0);
	char before[TEXT_MAX];

	inventory(before);
	refused(&with, EXIT_CONFLICT, EBUSY, "alone");
	assert_unchanged(before);
	assert_int_equal(access(DIR_OURS, F_OK), -1);
	foreign_gone(cgroup, BPF_CGROUP_UDP6_SENDMSG, alone);
	load_with(&with, LOAD_FRESH);
	assert_socket_mode_on(cgroup, 1);
}

/* Conflicts on half of the hooks: the new load leaves nothing, and the old load stays active. */
static void test_conflict_mode(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char before[TEXT_MAX], flows[TEXT_MAX];
	struct flow_table_usage usage;
	struct talk talk;
	int alone;

	load(SLUICE_REPLY_AUDIT, LOAD_FRESH);
	talk_open(&talk);
	talk_request(&talk);
	flows_now(flows, &usage);
	alone = foreign(cgroup, BPF_CGROUP_UDP6_SENDMSG, "alone", 0);
	inventory(before);
	refused(&with, EXIT_CONFLICT, EBUSY, "alone");
	assert_unchanged(before);
	with.table = 2048;
	with.age_s = 5;
	with.ports.any = true;
	refused(&with, EXIT_CONFLICT, EBUSY, "alone");
	assert_unchanged(before);
	assert_flows(flows, 512);
	talk_answer(&talk, false);
	assert_int_equal(state_now().counters.value[SLUICE_REPLY_audit_wrong], COUNT(talk.clients));

	foreign_gone(cgroup, BPF_CGROUP_UDP6_SENDMSG, alone);
	with.table = 512;
	with.age_s = 100;
	load_with(&with, LOAD_UPDATED);
	talk_answer(&talk, true);
	talk_close(&talk);
}

/*
 * Conflicts on the last hook, after existing links have got new programs: the old programs are
 * restored.
 */
static void test_conflict_last(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char path[PATH_MAX], before[TEXT_MAX];
	int alone;

	load_with(&with, LOAD_FRESH);
	pins_path(DIR_OURS, "reply", "link_learn", path);
	assert_int_equal(unload_pin(path), 0);
	alone = foreign(cgroup, BPF_CGROUP_INET_INGRESS, "alone", 0);
	inventory(before);
	with.age_s = 1;
	refused(&with, EXIT_CONFLICT, EBUSY, "alone");
	assert_unchanged(before);
	foreign_gone(cgroup, BPF_CGROUP_INET_INGRESS, alone);
	load_with(&with, LOAD_UPDATED);
	assert_socket_mode_on(cgroup, 1);
}

/* A load to another cgroup is refused: the first cgroup keeps its programs and settings. */
static void test_conflict_cgroup(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char before[TEXT_MAX];
	struct talk talk;
	size_t i;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_request(&talk);
	with.cgroup = other;
	with.age_s = 3;
	for (i = 0; i < COUNT(types); i++) {
		int alone = foreign(other, types[i], "alone", 0);

		inventory(before);
		if (types[i] == BPF_CGROUP_INET_EGRESS)
			with.mode = SLUICE_REPLY_AUDIT;
		else
			with.mode = SLUICE_REPLY_SOCKET;
		with.table = 512;
		refused(&with, EXIT_CONFLICT, EBUSY, "alone");
		assert_unchanged(before);
		with.table = 1024;
		refused(&with, EXIT_CONFLICT, EBUSY, "alone");
		assert_unchanged(before);
		foreign_gone(other, types[i], alone);
	}
	talk_answer(&talk, true);
	talk_close(&talk);
}

/* --- another cgroup */

static void test_cgroup_change(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	int client = lab_socket(NEAR4, 0), old, new;

	load_with(&with, LOAD_FRESH);
	old = lab_socket("0.0.0.0", PORT);
	lab_exchange(client, old, FAR4, FAR4);
	with.cgroup = other;
	load_with(&with, LOAD_UPDATED);
	assert_socket_mode_on(cgroup, 0);
	assert_socket_mode_on(other, 1);
	lab_exchange(client, old, FAR4, NEAR4);
	close(old);
	lab_enter(other);
	new = lab_socket("0.0.0.0", PORT);
	lab_exchange(client, new, FAR4, FAR4);

	/* back to the first cgroup, with a different table size */
	with.cgroup = cgroup;
	with.table = 4096;
	load_with(&with, LOAD_UPDATED);
	assert_socket_mode_on(cgroup, 1);
	assert_socket_mode_on(other, 0);
	lab_exchange(client, new, FAR4, NEAR4);
	close(new);
	close(client);
}

/* Loads after the cgroup of the earlier load, and so its programs, have been removed. */
static void test_cgroup_gone(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);

	with.cgroup = other;
	load_with(&with, LOAD_FRESH);
	assert_return_code(rmdir(other), errno);
	assert_return_code(mkdir(other, 0755), errno);
	load_with(&with, LOAD_UPDATED);
	assert_socket_mode_on(other, 1);
}

/* --- program order */

/*
 * Programs of other owners keep their positions before and after sluice's. The learning program
 * must be attached before the fixing program, which would otherwise read a table that no program
 * fills yet.
 */
static void test_order(void **unused)
{
	static const char *const own[] = { "sluice_learn", NULL, "sluice_fix4", "sluice_fix6" };
	struct hook_prog progs[HOOK_PROGS_MAX];
	int first[COUNT(types)], last[COUNT(types)], round, count;
	struct reply_state state;
	size_t i;

	for (i = 0; i < COUNT(types); i++)
		first[i] = foreign(cgroup, types[i], "first", BPF_F_ALLOW_MULTI);
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	for (i = 0; i < COUNT(types); i++)
		last[i] = foreign(cgroup, types[i], "last", BPF_F_ALLOW_MULTI);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < COUNT(types); i++) {
			count = hook_order(cgroup, types[i], progs);
			assert_true(count >= (own[i] ? 3 : 2));
			/*
			 * the programs of the cgroup itself run first, then the programs of its
			 * ancestors
			 */
			assert_string_equal(progs[0].name, "first");
			if (own[i])
				assert_string_equal(progs[1].name, own[i]);
			assert_string_equal(progs[own[i] ? 2 : 1].name, "last");
		}
		load(SLUICE_REPLY_SOCKET, LOAD_UPDATED);
	}
	state = state_now();
	assert_int_equal(state.hook_count, 5);
	assert_string_equal(state.hooks[0].pin, "link_learn");
	/* learning is attached before fixing, also when programs are replaced */
	assert_true(state.hooks[0].link_id < state.hooks[1].link_id);
	assert_true(state.hooks[0].link_id < state.hooks[2].link_id);
	for (i = 0; i < COUNT(types); i++) {
		foreign_gone(cgroup, types[i], first[i]);
		foreign_gone(cgroup, types[i], last[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(conflict_fresh),  TEST(conflict_mode), TEST(conflict_last),
		TEST(conflict_cgroup), TEST(cgroup_change), TEST(cgroup_gone),
		TEST(order),
	};

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("load conflicts", tests, own_bpffs, NULL);
}
