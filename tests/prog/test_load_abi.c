// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A load over an object of another ABI version starts with empty maps, replaces the attached
 * programs in place, and leaves no pin of the other version. In the test, only the ABI number in
 * the record differs.
 */
#include <setjmp.h>
#include <sluice/meta.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi_lab.h"
#include "hold/hold.h"
#include "load_lab.h"
#include "verifier_lab.h"

#include <signal.h>
#include <sys/wait.h>

static bool is_pinned(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DIR_OURS "/%s", name);
	return !access(path, F_OK);
}

static struct hook_state hook_of(const char *object, const char *pin)
{
	struct hook_state hook = { .prog_id = 0 };

	assert_int_equal(hook_read(DIR_OURS, object, pin, &hook), 0);
	return hook;
}

/* Asserts that the same link now has another program. */
static void assert_updated(const char *object, const char *pin, const struct hook_state *before)
{
	struct hook_state now = hook_of(object, pin);

	assert_int_equal(now.link_id, before->link_id);
	assert_int_not_equal(now.prog_id, before->prog_id);
}

/* --- reply */

/* Pins a map and a link that exist only in the other version. */
static void pin_unknown(void)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	struct hook_state hook = hook_of("reply", "link_fix4");
	int prog = bpf_prog_get_fd_by_id(hook.prog_id);
	int on = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int link = bpf_link_create(prog, on, BPF_CGROUP_UDP4_SENDMSG, &opts);
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sluice_unknown", 4, 4, 1, NULL);

	assert_return_code(bpf_obj_pin(link, DIR_OURS "/reply/link_unknown"), errno);
	assert_return_code(bpf_obj_pin(map, DIR_OURS "/reply/sluice_unknown"), errno);
	close(link);
	close(map);
	close(on);
	close(prog);
}

/* Sends the requests while the old and the new program both learn. Stops the loader meanwhile. */
static pid_t request_meanwhile(const struct talk *talk)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	pid_t loader = getpid(), pid = fork();
	int patience = 20000;

	assert_return_code(pid, errno);
	if (pid)
		return pid;
	while (own_on(cgroup, BPF_CGROUP_INET_INGRESS, "sluice_learn") < 2 && patience--)
		nanosleep(&pause, NULL);
	if (patience < 0)
		_exit(1);
	kill(loader, SIGSTOP);
	talk_request(talk);
	_exit(kill(loader, SIGCONT) ? 1 : 0);
}

static void test_reply(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct hook_state learn, fix4;
	struct flow_table_usage usage;
	struct reply_state state;
	char before[TEXT_MAX];
	struct talk talk;
	int status;
	pid_t pid;

	talk_open(&talk);
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	talk_request(&talk);
	talk_answer(&talk, true);
	abi_set(DIR_OURS "/reply/sluice_meta", OTHER_ABI);
	pin_unknown();
	inventory(before);

	/* other commands refuse to read its maps */
	assert_int_equal(reply_read(DIR_OURS, &state, &err), -EPROTO);
	assert_int_equal(err.code, EXIT_CONFLICT);
	assert_non_null(strstr(err.what, "(ABI 4711, this is ABI "));
	assert_non_null(strstr(err.hint, "--dry-run"));
	assert_int_equal(reply_flows(DIR_OURS, &usage, NULL, NULL, &err), -EPROTO);

	with.dry_run = true;
	load_with(&with, LOAD_VERIFIED);
	assert_int_equal(result.replaces, OTHER_ABI);
	assert_unchanged(before);
	talk_answer(&talk, true);

	learn = hook_of("reply", "link_learn");
	fix4 = hook_of("reply", "link_fix4");
	pid = request_meanwhile(&talk);
	load(SLUICE_REPLY_SOCKET, LOAD_REPLACED);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(result.replaces, OTHER_ABI);
	talk_answer(&talk, true);
	assert_updated("reply", "link_learn", &learn);
	assert_updated("reply", "link_fix4", &fix4);
	assert_socket_mode_on(cgroup, 1);
	assert_false(is_pinned("reply/link_unknown") || is_pinned("reply/sluice_unknown"));
	assert_null(strstr(inventory(before), "_new"));
	assert_int_equal(state_now().meta.abi, SLUICE_REPLY_ABI);

	/* the next load is an update like any other */
	load(SLUICE_REPLY_SOCKET, LOAD_UPDATED);
	assert_int_equal(result.replaces, 0);
	talk_answer(&talk, true);
	talk_close(&talk);
}

/*
 * The record of the other version has a different size, and the load of that version was
 * interrupted.
 */
static void test_reply_record(void **unused)
{
	struct {
		struct sluice_meta head;
		__u32 more[5];
	} record = { .head = { SLUICE_MAGIC, OTHER_ABI, SLUICE_LOADING } };
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sluice_meta", 4, sizeof(record), 1, NULL);
	__u32 zero = 0;

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	assert_return_code(bpf_map_update_elem(fd, &zero, &record, BPF_ANY), errno);
	assert_return_code(unlink(DIR_OURS "/reply/sluice_meta"), errno);
	assert_return_code(bpf_obj_pin(fd, DIR_OURS "/reply/sluice_meta"), errno);
	close(fd);
	load(SLUICE_REPLY_AUDIT, LOAD_REPLACED);
	assert_int_equal(state_now().meta.mode, SLUICE_REPLY_AUDIT);
	assert_int_equal(own_on(cgroup, BPF_CGROUP_UDP4_SENDMSG, "sluice_fix4"), 0);
}

/* A failed load leaves the other version unchanged. */
static void test_reply_refused(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char before[TEXT_MAX];
	int prog;

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	abi_set(DIR_OURS "/reply/sluice_meta", OTHER_ABI);
	prog = foreign(other, BPF_CGROUP_UDP6_SENDMSG, "exclusive", 0);
	with.cgroup = other;
	inventory(before);
	refused(&with, EXIT_CONFLICT, EBUSY, "exclusive");
	assert_unchanged(before);
	assert_int_equal(reply_unload(DIR_OURS, &err), 13);
	foreign_gone(other, BPF_CGROUP_UDP6_SENDMSG, prog);
}

/* The verifier refuses the new programs: those of any version stay attached, and fix replies. */
static void test_reply_unverified(void **unused)
{
	static const __u32 abis[] = { SLUICE_REPLY_ABI, OTHER_ABI };
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char before[TEXT_MAX];
	struct talk talk;
	size_t i;

	talk_open(&talk);
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	for (i = 0; i < COUNT(abis); i++) {
		talk_request(&talk);
		abi_set(DIR_OURS "/reply/sluice_meta", abis[i]);
		inventory(before);
		verifier_refuse(true);
		refused(&with, EXIT_LACKING, EINVAL, "verifier refused");
		verifier_refuse(false);
		assert_unchanged(before);
		talk_answer(&talk, true);
	}
	load(SLUICE_REPLY_SOCKET, LOAD_REPLACED);
	talk_close(&talk);
}

/* --- hold */

static void test_hold(void **unused)
{
	struct hold_options with = {
		.table = 64, .max_s = 60, .bpffs = DIR_OURS, .cgroup = cgroup, .ports.any = true
	};
	struct hold_result done;
	struct hold_state state;
	struct hook_state out;

	if (hold_load(&with, &done, &err))
		fail_msg("%s", err.what);
	out = hook_of("hold", "link_out");
	abi_set(DIR_OURS "/hold/sluice_meta", OTHER_ABI);
	assert_int_equal(hold_read(DIR_OURS, &state, &err), -EPROTO);
	with.dry_run = true;
	assert_int_equal(hold_load(&with, &done, &err), 0);
	assert_int_equal(done.replaces, OTHER_ABI);
	assert_int_equal(hook_of("hold", "link_out").prog_id, out.prog_id);
	with.dry_run = false;
	verifier_refuse(true);
	assert_int_equal(hold_load(&with, &done, &err), -EINVAL);
	assert_int_equal(err.code, EXIT_LACKING);
	verifier_refuse(false);
	assert_int_equal(hook_of("hold", "link_out").prog_id, out.prog_id);
	assert_int_equal(hold_load(&with, &done, &err), 0);
	assert_int_equal(done.outcome, LOAD_REPLACED);
	assert_updated("hold", "link_out", &out);
	assert_int_equal(hold_read(DIR_OURS, &state, &err), 0);
	assert_false(state.detached);
	assert_true(hold_unload(DIR_OURS, &err) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reply), TEST(reply_record), TEST(reply_refused), TEST(reply_unverified),
		TEST(hold),
	};

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("load abi", tests, own_bpffs, NULL);
}
