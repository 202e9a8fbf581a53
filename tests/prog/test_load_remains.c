// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Initial states of a load: pins of another version, a kernel that rejects the programs, another
 * running loader, and the leftovers of a dead loader.
 */
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
#include "kernel/verifier_log.h"
#include "load_lab.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/wait.h>

/* --- another version */

/* Replaces a pinned map with a map of another layout. */
static void replace_map(const char *name, __u32 value_size, __u32 entries)
{
	char path[PATH_MAX];
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "alien", 4, value_size, entries, NULL);

	assert_return_code(fd, errno);
	pins_path(DIR_OURS, "reply", name, path);
	assert_return_code(unlink(path), errno);
	assert_return_code(bpf_obj_pin(fd, path), errno);
	close(fd);
}

/*
 * No command reads or changes the pins. Each command reports the reason and a hint; cleanup removes
 * the pins.
 */
static void assert_other_version(const char *what)
{
	struct reply_options with = options(SLUICE_REPLY_AUDIT);
	struct reply_state state;
	struct flow_table_usage usage;
	char before[TEXT_MAX];

	inventory(before);
	refused(&with, EXIT_CONFLICT, EPROTO, what);
	assert_non_null(strstr(err.hint, "sluice cleanup"));
	with.dry_run = true;
	refused(&with, EXIT_CONFLICT, EPROTO, what);
	assert_int_equal(reply_read(DIR_OURS, &state, &err), -EPROTO);
	assert_int_equal(err.code, EXIT_CONFLICT);
	assert_int_equal(reply_flows(DIR_OURS, &usage, NULL, NULL, &err), -EPROTO);
	assert_int_equal(reply_audits(DIR_OURS, NULL, NULL, &err), -EPROTO);
	assert_unchanged(before);

	assert_int_equal(cleanup_remove(DIR_OURS, NULL, &err), 13);
	assert_socket_mode_on(cgroup, 0);
	assert_int_equal(access(DIR_OURS, F_OK), -1);
}

static void other_magic(struct sluice_reply_meta *meta)
{
	meta->magic = 1;
}

/* The record contains no version; test_load_abi has a record with a version. */
static void test_abi(void **unused)
{
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	meta_change(other_magic);
	assert_other_version("another version");

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	replace_map("sluice_meta", 64, 1);
	assert_other_version("another version");

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	replace_map("sluice_meta", sizeof(struct sluice_reply_meta) + 8, 1);
	assert_other_version("another version");
}

/* Rejects a map of another layout too, whatever its version. */
static void test_abi_maps(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct reply_state state;
	struct flow_table_usage usage;

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	replace_map("sluice_flows", sizeof(struct sluice_flow_set) * 2, 64);
	refused(&with, EXIT_CONFLICT, EPROTO, "another version");
	assert_int_equal(reply_flows(DIR_OURS, &usage, NULL, NULL, &err), -EPROTO);
	assert_int_equal(err.code, EXIT_CONFLICT);
	assert_int_equal(reply_unload(DIR_OURS, &err), 13);
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	replace_map("sluice_counters", sizeof(struct sluice_reply_counters) * 2, 1);
	assert_int_equal(reply_read(DIR_OURS, &state, &err), -EPROTO);
	replace_map("sluice_audits", sizeof(struct sluice_audit) * 2, 1);
	assert_int_equal(reply_audits(DIR_OURS, NULL, NULL, &err), -EPROTO);
}

/* --- the verifier rejects the programs */

static void read_log(char *log, size_t size)
{
	const char *path = strstr(err.hint, "/sluice-verifier-");
	char name[PATH_MAX];
	ssize_t length;
	int fd;

	assert_non_null(path);
	while (path > err.hint && path[-1] != ' ')
		path--;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(path, ";"), path);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	assert_return_code(fd, errno);
	length = read(fd, log, size - 1);
	assert_true(length > 0);
	log[length] = '\0';
	close(fd);
	assert_return_code(unlink(name), errno);
}

static size_t lines_of(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/* The detail consists of whole lines from the end of the log, since the end contains the reason. */
static void assert_detail_ends(const char *log)
{
	size_t detail = strlen(err.detail), whole = strlen(log);

	assert_true(detail > 0 && detail <= whole);
	assert_string_equal(err.detail, log + whole - detail);
	assert_true(detail == whole || log[whole - detail - 1] == '\n');
	assert_in_range(lines_of(err.detail), 3, 12);
}

/*
 * A table without a lock replaces sluice's pin, so the verifier rejects programs that take the
 * lock.
 */
static void test_refusal(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	static char log[1 << 20];
	char before[TEXT_MAX];

	load_with(&with, LOAD_FRESH);
	replace_map("sluice_flows", sizeof(struct sluice_flow_set), 64);
	inventory(before);
	with.age_s = 1;
	refused(&with, EXIT_LACKING, EINVAL, "verifier refused");
	assert_non_null(strstr(err.detail, "bpf_spin_lock"));
	assert_unchanged(before);
	read_log(log, sizeof(log));
	assert_detail_ends(log);
}

/* Makes a log of 40 lines of @length, like that of a program with many registers in use. */
static const char *long_log(char *log, size_t size, int length)
{
	int line, at = 0;

	for (line = 0; line < 40; line++)
		at += snprintf(log + at, size - at, "%d: R1=%0*d\n", line, length, line);
	snprintf(log + at, size - at, "R0 !read_ok\nprocessed 40 insns (limit 1000000)\n");
	return log;
}

/* The detail contains the last lines, however long they are. */
static void test_refusal_long(void **unused)
{
	static const int lengths[] = { 10, 300, 700, 1300 };
	char log[1 << 16], kept[1 << 16];
	size_t i;

	for (i = 0; i < COUNT(lengths); i++) {
		long_log(log, sizeof(log), lengths[i]);
		assert_int_equal(verifier_log_error("these programs", EACCES, log, &err), -EACCES);
		assert_int_equal(err.code, EXIT_LACKING);
		assert_non_null(strstr(err.what, "these programs"));
		assert_detail_ends(log);
		read_log(kept, sizeof(kept));
		assert_string_equal(kept, log);
	}
}

/* If the log cannot be stored, the message reports this and still contains the end of the log. */
static void test_refusal_not_kept(void **unused)
{
	const char *folder = getenv("TMPDIR");
	char before[PATH_MAX], log[1 << 16];

	snprintf(before, sizeof(before), "%s", folder ? folder : "");
	long_log(log, sizeof(log), 20);
	setenv("TMPDIR", "/nonexistent", 1);
	verifier_log_error("these programs", EACCES, log, &err);
	if (folder)
		setenv("TMPDIR", before, 1);
	else
		unsetenv("TMPDIR");
	assert_non_null(strstr(err.hint, "could not be written"));
	assert_detail_ends(log);

	/* no log: another part of the kernel rejected the program */
	assert_int_equal(verifier_log_error("these programs", EPERM, "", &err), -EPERM);
	assert_int_equal(err.code, EXIT_PERMISSION);
	assert_string_equal(err.detail, "");
	assert_int_equal(verifier_log_error("these programs", EINVAL, "", &err), -EINVAL);
	assert_int_equal(err.code, EXIT_LACKING);
}

/* --- another loader */

static bool in_child(pid_t *pid)
{
	*pid = fork();
	assert_return_code(*pid, errno);
	return !*pid;
}

static int exit_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

struct holder {
	pid_t pid;
	int go; /* a byte tells the process to release the lock */
};

/* Starts another process that holds the lock. */
static struct holder lock_held(void)
{
	struct holder holder;
	int ready[2], go[2];
	char byte;

	assert_return_code(pipe2(ready, O_CLOEXEC), errno);
	assert_return_code(pipe2(go, O_CLOEXEC), errno);
	if (in_child(&holder.pid)) {
		int fd = open(DIR_OURS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		bool held = fd >= 0 && !flock(fd, LOCK_EX);

		close(go[1]);
		if (held && write(ready[1], "", 1) == 1)
			held = read(go[0], &byte, 1) == 1;
		_exit(!held);
	}
	close(ready[1]);
	close(go[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	holder.go = go[1];
	return holder;
}

static void lock_released(const struct holder *holder)
{
	assert_int_equal(write(holder->go, "", 1), 1);
	close(holder->go);
	assert_int_equal(exit_of(holder->pid), 0);
}

static void test_lock(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_AUDIT);
	pid_t unloading, cleaning;
	char before[TEXT_MAX];
	struct holder holder;

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	inventory(before);
	holder = lock_held();
	if (in_child(&unloading))
		_exit(reply_unload(DIR_OURS, &err) == -EBUSY ? err.code : 0);
	if (in_child(&cleaning))
		_exit(cleanup_remove(DIR_OURS, NULL, &err) == -EBUSY ? err.code : 0);
	/* reading needs no lock */
	assert_int_equal(state_now().meta.mode, SLUICE_REPLY_SOCKET);
	refused(&with, EXIT_CONFLICT, EBUSY, "another sluice");
	assert_int_equal(exit_of(unloading), EXIT_CONFLICT);
	assert_int_equal(exit_of(cleaning), EXIT_CONFLICT);
	assert_unchanged(before);
	lock_released(&holder);
	load_with(&with, LOAD_UPDATED);
}

/* A loader that waits for the lock gets it after the holder closes the directory. */
static void test_lock_wait(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_AUDIT);
	int watch = inotify_init1(IN_CLOEXEC);
	char events[4096];
	struct holder holder;
	pid_t loading;

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	holder = lock_held();
	assert_return_code(watch, errno);
	assert_return_code(inotify_add_watch(watch, DIR_OURS, IN_CLOSE | IN_ONLYDIR), errno);
	if (in_child(&loading))
		_exit(reply_load(&with, &result, &err) ? 1 : 0);
	assert_true(read(watch, events, sizeof(events)) > 0);
	assert_int_equal(state_now().meta.mode, SLUICE_REPLY_SOCKET);
	lock_released(&holder);
	assert_int_equal(exit_of(loading), 0);
	assert_int_equal(state_now().meta.mode, SLUICE_REPLY_AUDIT);
	close(watch);
}

/* --- leftovers of a dead loader */

/* Pins a second link of the program under the name of an unfinished load. */
static void stage_link(const char *pin, __u32 type)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	char name[NAME_MAX], path[PATH_MAX];
	struct hook_state hook;
	int prog, fd, link;

	assert_int_equal(hook_read(DIR_OURS, "reply", pin, &hook), 0);
	prog = bpf_prog_get_fd_by_id(hook.prog_id);
	fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	link = bpf_link_create(prog, fd, type, &opts);
	assert_return_code(link, errno);
	snprintf(name, sizeof(name), "%s_new", pin);
	assert_return_code(bpf_obj_pin(link, pins_path(DIR_OURS, "reply", name, path)), errno);
	close(link);
	close(fd);
	close(prog);
}

static void assert_no_stage(void)
{
	char now[TEXT_MAX];

	assert_null(strstr(inventory(now), "_new"));
}

static void loading(struct sluice_reply_meta *meta)
{
	meta->state = SLUICE_LOADING;
}

static void never_written(struct sluice_reply_meta *meta)
{
	memset(meta, 0, sizeof(*meta));
}

static void test_dead_loader(void **unused)
{
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	stage_link("link_fix4", BPF_CGROUP_UDP4_SENDMSG);
	stage_link("link_learn", BPF_CGROUP_INET_INGRESS);
	meta_change(loading);
	assert_int_equal(own_on(cgroup, BPF_CGROUP_UDP4_SENDMSG, "sluice_fix4"), 2);
	load(SLUICE_REPLY_SOCKET, LOAD_RECOVERED);
	assert_socket_mode_on(cgroup, 1);
	assert_no_stage();
	assert_int_equal(state_now().meta.state, SLUICE_LOADED);

	/* on a hook that the next load does not use */
	stage_link("link_fix4", BPF_CGROUP_UDP4_SENDMSG);
	meta_change(loading);
	load(SLUICE_REPLY_AUDIT, LOAD_RECOVERED);
	assert_int_equal(own_on(cgroup, BPF_CGROUP_UDP4_SENDMSG, "sluice_fix4"), 0);
	assert_no_stage();
}

/* The loader died at the first step: there is nothing to reuse. */
static void test_dead_early(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct reply_state state;
	char path[PATH_MAX], before[TEXT_MAX];

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	meta_change(never_written);
	inventory(before);
	assert_int_equal(reply_read(DIR_OURS, &state, &err), -EUCLEAN);
	assert_non_null(strstr(err.what, "interrupted"));
	with.dry_run = true;
	load_with(&with, LOAD_VERIFIED);
	assert_unchanged(before);
	load(SLUICE_REPLY_SOCKET, LOAD_RECOVERED);
	assert_socket_mode_on(cgroup, 1);

	assert_return_code(unlink(pins_path(DIR_OURS, "reply", "sluice_meta", path)), errno);
	assert_int_equal(reply_read(DIR_OURS, &state, &err), -EUCLEAN);
	load(SLUICE_REPLY_SOCKET, LOAD_RECOVERED);
	assert_socket_mode_on(cgroup, 1);

	assert_true(reply_unload(DIR_OURS, &err) > 0);
	assert_return_code(mkdir(DIR_OURS, 0700), errno);
	assert_return_code(mkdir(DIR_OURS "/reply", 0700), errno);
	assert_int_equal(reply_read(DIR_OURS, &state, &err), -EUCLEAN);
	load(SLUICE_REPLY_SOCKET, LOAD_RECOVERED);
	assert_socket_mode_on(cgroup, 1);
}

/* After the loss of a pin, the next load creates it again, and keeps the other pins. */
static void test_pin_lost(void **unused)
{
	static const char *const pins[] = { "link_fix4", "link_learn", "sluice_audits",
					    "sluice_flows" };
	char path[PATH_MAX];
	struct talk talk;
	size_t i;

	talk_open(&talk);
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	for (i = 0; i < COUNT(pins); i++) {
		assert_int_equal(unload_pin(pins_path(DIR_OURS, "reply", pins[i], path)), 0);
		load(SLUICE_REPLY_SOCKET, LOAD_UPDATED);
		assert_socket_mode_on(cgroup, 1);
		assert_int_equal(access(path, F_OK), 0);
		talk_request(&talk);
		talk_answer(&talk, true);
	}
	talk_close(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(abi),	    TEST(abi_maps),	    TEST(refusal),
		TEST(refusal_long), TEST(refusal_not_kept), TEST(lock),
		TEST(lock_wait),    TEST(dead_loader),	    TEST(dead_early),
		TEST(pin_lost),
	};

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("load remains", tests, own_bpffs, NULL);
}
