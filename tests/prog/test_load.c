// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Load, change, look at and unload, with everything in the way that can be: a load that fails
 * changes nothing, and says why; one that a dead loader left half done is cleared up; one that
 * succeeds has lost no flow.
 *
 * The functions of user/gate are called in this process, so that a test can stand between their
 * steps: through a bpffs of its own, which holds all of their state, and two cgroups. What "nothing
 * has changed" means is a text that lists everything there is, to be compared as a whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/cleanup.h"
#include "kernel/links.h"
#include "kernel/pins.h"
#include "lab.h"
#include "reply/reply.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define BPFFS	 "/sys/fs/bpf"
#define DIR_OURS BPFFS "/sluice-lab"
#define PORT	 5300
#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define TEXT_MAX 8192

static char cgroup[PATH_MAX], other[PATH_MAX];
static struct err err;
static struct reply_result result;

/* --- loading */

static struct reply_options options(enum sluice_reply_mode mode)
{
	struct reply_options options = {
		.mode = mode,
		.table = 512,
		.age_s = 100,
		.bpffs = DIR_OURS,
		.cgroup = cgroup,
	};

	options.ports.bit[PORT / 64] = 1ULL << PORT % 64;
	return options;
}

static void load_with(const struct reply_options *options, enum load_outcome outcome)
{
	if (reply_load(options, &result, &err))
		fail_msg("%s", err.what);
	assert_int_equal(result.outcome, outcome);
}

static void load(enum sluice_reply_mode mode, enum load_outcome outcome)
{
	struct reply_options with = options(mode);

	load_with(&with, outcome);
}

/* It fails, with this code; the error says `what`, and its mend names a way out. */
static void refused(const struct reply_options *options, enum exit_code code, int error,
		    const char *what)
{
	memset(&err, 0, sizeof(err));
	assert_int_equal(reply_load(options, &result, &err), -error);
	assert_int_equal(err.code, code);
	if (!strstr(err.what, what))
		fail_msg("'%s' does not say '%s'", err.what, what);
	assert_true(err.mend[0]);
}

static struct reply_state state_now(void)
{
	struct reply_state state;

	if (reply_read(DIR_OURS, &state, &err))
		fail_msg("%s", err.what);
	return state;
}

static void meta_change(void (*change)(struct sluice_reply_meta *meta))
{
	int fd = pins_get(DIR_OURS, "reply", "sluice_meta");
	struct sluice_reply_meta meta;
	__u32 zero = 0;

	assert_true(fd >= 0);
	assert_return_code(bpf_map_lookup_elem(fd, &zero, &meta), errno);
	change(&meta);
	assert_return_code(bpf_map_update_elem(fd, &zero, &meta, BPF_ANY), errno);
	close(fd);
}

/* --- everything there is, as text */

static const __u32 types[] = { BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS,
			       BPF_CGROUP_UDP4_SENDMSG, BPF_CGROUP_UDP6_SENDMSG };

__attribute__((format(printf, 2, 3))) static void say(char *text, const char *fmt, ...)
{
	size_t length = strlen(text);
	va_list args;

	va_start(args, fmt);
	assert_true(vsnprintf(text + length, TEXT_MAX - length, fmt, args) <
		    (int)(TEXT_MAX - length));
	va_end(args);
}

/* Effective programs, those of the runner's cgroup and its ancestors included. */
static void say_programs(char *text, const char *path)
{
	struct hook_prog progs[HOOK_PROGS_MAX];
	int count, i;
	size_t type;

	for (type = 0; type < COUNT(types); type++) {
		say(text, "%s\n", hook_type_name(types[type]));
		count = hook_order(path, types[type], progs);
		assert_true(count >= 0);
		for (i = 0; i < count; i++)
			say(text, "\t%u %s\n", progs[i].id, progs[i].name);
	}
}

/* The first words of any object's info are its type and its id. */
static void say_pin(char *text, const char *name)
{
	union {
		struct bpf_map_info map;
		struct bpf_link_info link;
		__u32 words[3];
	} info = { 0 };
	__u32 length = sizeof(info);
	int fd = pins_get(DIR_OURS, "reply", name);

	if (fd < 0) {
		say(text, "%s: %s\n", name, strerror(-fd));
		return;
	}
	assert_return_code(bpf_obj_get_info_by_fd(fd, &info, &length), errno);
	say(text, "%s: id %u", name, info.words[1]);
	if (strncmp(name, "link_", 5))
		say(text, " %u entries\n", info.map.max_entries);
	else
		say(text, " program %u on %llu\n", info.link.prog_id, info.link.cgroup.cgroup_id);
	close(fd);
}

static void say_pins(char *text)
{
	struct dirent **entries;
	int count = scandir(DIR_OURS "/reply", &entries, NULL, alphasort), i;

	if (count < 0) {
		say(text, "no pins: %s\n", strerror(errno));
		return;
	}
	for (i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.')
			say_pin(text, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static void say_meta(char *text)
{
	struct sluice_reply_meta meta;
	const unsigned char *byte = (void *)&meta;
	int fd = pins_get(DIR_OURS, "reply", "sluice_meta");
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info), zero = 0, sum = 0;
	size_t i;

	if (fd < 0)
		return;
	assert_return_code(bpf_obj_get_info_by_fd(fd, &info, &length), errno);
	if (info.value_size == sizeof(meta) && !bpf_map_lookup_elem(fd, &zero, &meta)) {
		for (i = 0; i < sizeof(meta); i++)
			sum = sum * 31 + byte[i];
		say(text, "meta: state %u mode %u sets %u age %llu loaded %llu, all %08x\n",
		    meta.state, meta.mode, meta.sets, meta.age_ns, meta.loaded_ns, sum);
	}
	close(fd);
}

static void say_flow(const struct sluice_flow *flow, __u64 age_ns, void *arg)
{
	char peer[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &flow->peer, peer, sizeof(peer));
	inet_ntop(AF_INET6, &flow->local, local, sizeof(local));
	say(arg, "flow %s %u to %s seal %llx\n", peer, ntohs(flow->peer_port_be), local,
	    flow->seal);
}

static const char *inventory(char text[TEXT_MAX])
{
	*text = '\0';
	say_programs(text, cgroup);
	say_programs(text, other);
	say_pins(text);
	say_meta(text);
	return text;
}

static void assert_unchanged(const char *before)
{
	char now[TEXT_MAX];

	assert_string_equal(inventory(now), before);
}

/* Ours among the programs that run on a hook. */
static int ours_on(const char *path, __u32 type, const char *name)
{
	struct hook_prog progs[HOOK_PROGS_MAX];
	int count = hook_order(path, type, progs), found = 0, i;

	assert_true(count >= 0);
	for (i = 0; i < count; i++)
		found += !strcmp(progs[i].name, name);
	return found;
}

static void assert_socket_mode_on(const char *path, int wanted)
{
	assert_int_equal(ours_on(path, BPF_CGROUP_INET_INGRESS, "sluice_learn"), wanted);
	assert_int_equal(ours_on(path, BPF_CGROUP_UDP4_SENDMSG, "sluice_fix4"), wanted);
	assert_int_equal(ours_on(path, BPF_CGROUP_UDP6_SENDMSG, "sluice_fix6"), wanted);
	assert_int_equal(ours_on(path, BPF_CGROUP_INET_EGRESS, "sluice_audit"), 0);
}

/* --- programs of others */

/* Lets everything pass. With flags 0 it allows no other beside it. */
static int foreign(const char *path, __u32 type, const char *name, __u32 flags)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	bool skb = type == BPF_CGROUP_INET_INGRESS || type == BPF_CGROUP_INET_EGRESS;
	int prog = bpf_prog_load(skb ? BPF_PROG_TYPE_CGROUP_SKB : BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
				 name, "GPL", pass, COUNT(pass), &opts);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_return_code(prog, errno);
	assert_return_code(fd, errno);
	assert_return_code(bpf_prog_attach(prog, fd, type, flags), errno);
	close(fd);
	return prog;
}

static void foreign_gone(const char *path, __u32 type, int prog)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_return_code(bpf_prog_detach2(prog, fd, type), errno);
	close(fd);
	close(prog);
}

/* --- flows of real sockets */

struct talk {
	int server;
	int clients[SLUICE_FLOW_WAYS]; /* no more than there is room for in any one set */
};

static void talk_open(struct talk *talk)
{
	size_t i;

	talk->server = lab_socket("::", PORT);
	for (i = 0; i < COUNT(talk->clients); i++)
		talk->clients[i] = lab_socket(i % 2 ? NEAR6 : NEAR4, 0);
}

static const char *asked_at(size_t client)
{
	static const char *const addrs[] = { FAR4, FAR6, OTHER4, OTHER6 };

	return addrs[client % COUNT(addrs)];
}

/* Every client asks at an address of its own. */
static void talk_ask(const struct talk *talk)
{
	size_t i;

	for (i = 0; i < COUNT(talk->clients); i++) {
		lab_ask(talk->clients[i], asked_at(i), PORT);
		lab_receive(talk->server);
	}
}

/* Every client is answered, without having asked again. */
static void talk_answer(const struct talk *talk, bool fixed)
{
	size_t i;

	for (i = 0; i < COUNT(talk->clients); i++) {
		struct lab_end peer = lab_end(i % 2 ? NEAR6 : "::ffff:" NEAR4,
					      ntohs(lab_port_be(talk->clients[i])));

		lab_send(talk->server, &peer, 8);
		lab_hear(talk->clients[i], fixed ? asked_at(i) : i % 2 ? NEAR6 : NEAR4);
	}
}

static void talk_close(const struct talk *talk)
{
	size_t i;

	for (i = 0; i < COUNT(talk->clients); i++)
		close(talk->clients[i]);
	close(talk->server);
}

static int by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The flows, in an order that does not depend on the table. */
static const char *flows_now(char text[TEXT_MAX], struct flow_table_usage *fill)
{
	char list[TEXT_MAX] = "", *lines[256], *rest = list, *line;
	size_t count = 0, i;

	if (reply_flows(DIR_OURS, fill, say_flow, list, &err))
		fail_msg("%s", err.what);
	while ((line = strsep(&rest, "\n")) && *line)
		lines[count++] = line;
	qsort(lines, count, sizeof(*lines), by_line);
	*text = '\0';
	for (i = 0; i < count; i++)
		say(text, "%s\n", lines[i]);
	return text;
}

static void assert_flows(const char *before, __u32 size)
{
	struct flow_table_usage fill;
	char now[TEXT_MAX];

	assert_string_equal(flows_now(now, &fill), before);
	assert_int_equal(fill.live, COUNT(((struct talk *)0)->clients));
	assert_int_equal(fill.expired, 0);
	assert_int_equal(fill.size, size);
}

/* --- what a load does */

static void test_load(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct reply_state state;
	struct ports ports;
	struct stat st;

	load_with(&with, LOAD_FRESH);
	assert_socket_mode_on(cgroup, 1);
	assert_socket_mode_on(other, 0);
	assert_int_equal(result.count, 3);
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
	assert_int_equal(state.hook_count, 3);
}

/* Other settings, in place: the same links and maps go on with new programs. */
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

/* From one mode to the other and back: only the hooks of the mode are there. */
static void test_mode(void **unused)
{
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	load(SLUICE_REPLY_AUDIT, LOAD_UPDATED);
	assert_int_equal(state_now().meta.mode, SLUICE_REPLY_AUDIT);
	assert_int_equal(state_now().hook_count, 4);
	assert_int_equal(ours_on(cgroup, BPF_CGROUP_INET_INGRESS, "sluice_learn"), 1);
	assert_int_equal(ours_on(cgroup, BPF_CGROUP_INET4_CONNECT, "sluice_connect4"), 1);
	assert_int_equal(ours_on(cgroup, BPF_CGROUP_INET6_CONNECT, "sluice_connect6"), 1);
	assert_int_equal(ours_on(cgroup, BPF_CGROUP_INET_EGRESS, "sluice_audit"), 1);
	assert_int_equal(ours_on(cgroup, BPF_CGROUP_UDP4_SENDMSG, "sluice_fix4"), 0);
	assert_int_equal(ours_on(cgroup, BPF_CGROUP_UDP6_SENDMSG, "sluice_fix6"), 0);
	load(SLUICE_REPLY_SOCKET, LOAD_UPDATED);
	assert_int_equal(ours_on(cgroup, BPF_CGROUP_INET4_CONNECT, "sluice_connect4"), 0);
	assert_int_equal(ours_on(cgroup, BPF_CGROUP_INET6_CONNECT, "sluice_connect6"), 0);
	assert_socket_mode_on(cgroup, 1);
}

static void test_dry_run(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char before[TEXT_MAX];

	with.dry_run = true;
	inventory(before);
	load_with(&with, LOAD_VERIFIED);
	assert_int_equal(result.count, 3);
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
	/* six maps and three links */
	assert_int_equal(reply_unload(DIR_OURS, &err), 9);
	assert_socket_mode_on(cgroup, 0);
	assert_int_equal(access(DIR_OURS, F_OK), -1);
	assert_int_equal(reply_read(DIR_OURS, &state, &err), -ENOENT);
	assert_int_equal(reply_unload(DIR_OURS, &err), 0);
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
}

/* --- the table */

static __u32 table_id(void)
{
	int fd = pins_get(DIR_OURS, "reply", "sluice_flows");
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	assert_true(fd >= 0);
	assert_return_code(bpf_obj_get_info_by_fd(fd, &info, &length), errno);
	close(fd);
	return info.id;
}

/* The kernel frees a map some time after its last program is gone. */
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
 * Grown and shrunk: the new table is empty.  What was asked before is left to the kernel, what is
 * asked then is fixed at once, and nothing of the old table stays.
 */
static void test_table_size(void **unused)
{
	static const __u32 tables[] = { 64, 8192, 1000, 65536, 72 };
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct flow_table_usage fill;
	struct talk talk;
	__u32 old;
	size_t i;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_ask(&talk);
	talk_answer(&talk, true);
	for (i = 0; i < COUNT(tables); i++) {
		old = table_id();
		with.table = tables[i];
		load_with(&with, LOAD_UPDATED);
		assert_int_equal(result.before.sets * SLUICE_FLOW_WAYS, i ? tables[i - 1] : 512);
		assert_int_equal(reply_flows(DIR_OURS, &fill, NULL, NULL, &err), 0);
		assert_int_equal(fill.live + fill.expired, 0);
		assert_int_equal(fill.size, tables[i]);
		talk_answer(&talk, false);
		talk_ask(&talk);
		talk_answer(&talk, true);
		assert_int_equal(access(DIR_OURS "/reply/sluice_flows_new", F_OK), -1);
		assert_freed(old);
	}
	assert_int_equal(state_now().counters.value[SLUICE_REPLY_left_no_flow],
			 COUNT(talk.clients) * COUNT(tables));
	talk_close(&talk);
}

/* As many sets as before, and other settings: every flow is there, and serves. */
static void test_table_kept(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct flow_table_usage fill;
	char flows[TEXT_MAX];
	struct talk talk;
	__u32 old;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_ask(&talk);
	flows_now(flows, &fill);
	old = table_id();
	with.table = 512 - SLUICE_FLOW_WAYS + 1;
	with.age_s = 50;
	load_with(&with, LOAD_UPDATED);
	assert_int_equal(table_id(), old);
	assert_flows(flows, 512);
	talk_answer(&talk, true);
	talk_close(&talk);
}

/* Sets the time back at which every flow in the table was heard. */
static void make_older(__u32 time)
{
	int fd = pins_get(DIR_OURS, "reply", "sluice_flows");
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

/* What has expired is told apart. */
static void test_table_expired(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct flow_table_usage fill;
	struct talk talk;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_ask(&talk);
	make_older(sluice_flow_clock(with.age_s * 1000000000ULL) + 5000);
	assert_int_equal(reply_flows(DIR_OURS, &fill, NULL, NULL, &err), 0);
	assert_int_equal(fill.live, 0);
	assert_int_equal(fill.expired, COUNT(talk.clients));
	talk_close(&talk);
}

/* The table's new pin can't be made: then the old table, its flows and its programs go on. */
static void test_table_pin_fails(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char before[TEXT_MAX], flows[TEXT_MAX];
	struct flow_table_usage fill;
	struct talk talk;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_ask(&talk);
	flows_now(flows, &fill);
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
	talk_ask(&talk);
	talk_answer(&talk, true);
	talk_close(&talk);
}

/* A load that fails once the new table is pinned: the old one, and its flows, are kept. */
static void test_table_undone(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char path[PATH_MAX], before[TEXT_MAX], flows[TEXT_MAX];
	struct flow_table_usage fill;
	struct talk talk;
	int alone;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_ask(&talk);
	flows_now(flows, &fill);
	pins_path(DIR_OURS, "reply", "link_fix6", path);
	assert_int_equal(pins_drop(path), 0);
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

/* What a loader that died has staged goes with the next load, which has no use for it. */
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

/* --- another program stands in the way */

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

/* Half of the hooks would do: still nothing of the new load stays, and the old goes on. */
static void test_conflict_mode(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char before[TEXT_MAX], flows[TEXT_MAX];
	struct flow_table_usage fill;
	struct talk talk;
	int alone;

	load(SLUICE_REPLY_AUDIT, LOAD_FRESH);
	talk_open(&talk);
	talk_ask(&talk);
	flows_now(flows, &fill);
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

/* The last hook is in the way, after links in place got new programs: they get their old ones back.
 */
static void test_conflict_last(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char path[PATH_MAX], before[TEXT_MAX];
	int alone;

	load_with(&with, LOAD_FRESH);
	pins_path(DIR_OURS, "reply", "link_learn", path);
	assert_int_equal(pins_drop(path), 0);
	alone = foreign(cgroup, BPF_CGROUP_INET_INGRESS, "alone", 0);
	inventory(before);
	with.age_s = 1;
	refused(&with, EXIT_CONFLICT, EBUSY, "alone");
	assert_unchanged(before);
	foreign_gone(cgroup, BPF_CGROUP_INET_INGRESS, alone);
	load_with(&with, LOAD_UPDATED);
	assert_socket_mode_on(cgroup, 1);
}

/* Another cgroup refuses: the one that was covered stays so, with its settings. */
static void test_conflict_cgroup(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	char before[TEXT_MAX];
	struct talk talk;
	size_t i;

	load_with(&with, LOAD_FRESH);
	talk_open(&talk);
	talk_ask(&talk);
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

	/* and back again, with a table of another size */
	with.cgroup = cgroup;
	with.table = 4096;
	load_with(&with, LOAD_UPDATED);
	assert_socket_mode_on(cgroup, 1);
	assert_socket_mode_on(other, 0);
	lab_exchange(client, new, FAR4, NEAR4);
	close(new);
	close(client);
}

/* The cgroup of a load is gone, and with it what was attached to it. */
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

/* --- order */

/*
 * Programs of others keep their places before and behind ours. Learning is attached last, since an
 * answer must not be fixed from a table that nobody fills.
 */
static void test_order(void **unused)
{
	static const char *const ours[] = { "sluice_learn", NULL, "sluice_fix4", "sluice_fix6" };
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
			assert_true(count >= (ours[i] ? 3 : 2));
			/* the cgroup's own come first, those of its ancestors behind */
			assert_string_equal(progs[0].name, "first");
			if (ours[i])
				assert_string_equal(progs[1].name, ours[i]);
			assert_string_equal(progs[ours[i] ? 2 : 1].name, "last");
		}
		load(SLUICE_REPLY_SOCKET, LOAD_UPDATED);
	}
	state = state_now();
	assert_int_equal(state.hook_count, 3);
	assert_string_equal(state.hooks[0].pin, "link_learn");
	/* what is learned comes before what is fixed, also where programs are replaced */
	assert_true(state.hooks[0].link_id < state.hooks[1].link_id);
	assert_true(state.hooks[0].link_id < state.hooks[2].link_id);
	for (i = 0; i < COUNT(types); i++) {
		foreign_gone(cgroup, types[i], first[i]);
		foreign_gone(cgroup, types[i], last[i]);
	}
}

/* --- another version */

/* Puts a map of another layout in the place of a pinned one. */
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

/* Nobody reads or changes it, everybody says why and what to do, and cleanup takes it all. */
static void assert_other_version(const char *what)
{
	struct reply_options with = options(SLUICE_REPLY_AUDIT);
	struct reply_state state;
	struct flow_table_usage fill;
	char before[TEXT_MAX];

	inventory(before);
	refused(&with, EXIT_CONFLICT, EPROTO, what);
	assert_non_null(strstr(err.mend, "sluice cleanup"));
	with.dry_run = true;
	refused(&with, EXIT_CONFLICT, EPROTO, what);
	assert_int_equal(reply_read(DIR_OURS, &state, &err), -EPROTO);
	assert_int_equal(err.code, EXIT_CONFLICT);
	assert_int_equal(reply_flows(DIR_OURS, &fill, NULL, NULL, &err), -EPROTO);
	assert_int_equal(reply_audits(DIR_OURS, NULL, NULL, &err), -EPROTO);
	assert_unchanged(before);

	assert_int_equal(cleanup_remove(DIR_OURS, NULL, &err), 9);
	assert_socket_mode_on(cgroup, 0);
	assert_int_equal(access(DIR_OURS, F_OK), -1);
}

static void newer_abi(struct sluice_reply_meta *meta)
{
	meta->abi = 4711;
}

static void other_magic(struct sluice_reply_meta *meta)
{
	meta->magic = 1;
}

static void test_abi(void **unused)
{
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	meta_change(newer_abi);
	assert_other_version("ABI 4711");

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	meta_change(other_magic);
	assert_other_version("another version");

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	replace_map("sluice_meta", 64, 1);
	assert_other_version("another version");

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	replace_map("sluice_meta", sizeof(struct sluice_reply_meta) + 8, 1);
	assert_other_version("another version");
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
}

/* A map of another layout is not read either, whatever the version says. */
static void test_abi_maps(void **unused)
{
	struct reply_options with = options(SLUICE_REPLY_SOCKET);
	struct reply_state state;
	struct flow_table_usage fill;

	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	replace_map("sluice_flows", sizeof(struct sluice_flow_set) * 2, 64);
	refused(&with, EXIT_CONFLICT, EPROTO, "another version");
	assert_int_equal(reply_flows(DIR_OURS, &fill, NULL, NULL, &err), -EPROTO);
	assert_int_equal(err.code, EXIT_CONFLICT);
	assert_int_equal(reply_unload(DIR_OURS, &err), 9);
	load(SLUICE_REPLY_SOCKET, LOAD_FRESH);
	replace_map("sluice_counters", sizeof(struct sluice_reply_counters) * 2, 1);
	assert_int_equal(reply_read(DIR_OURS, &state, &err), -EPROTO);
	replace_map("sluice_audits", sizeof(struct sluice_audit) * 2, 1);
	assert_int_equal(reply_audits(DIR_OURS, NULL, NULL, &err), -EPROTO);
}

/* --- the verifier refuses */

static void read_log(char *log, size_t size)
{
	const char *path = strstr(err.mend, "/sluice-verifier-");
	char name[PATH_MAX];
	ssize_t length;
	int fd;

	assert_non_null(path);
	while (path > err.mend && path[-1] != ' ')
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

/* The detail is whole lines from the end of the log: the last of them say the reason. */
static void assert_detail_ends(const char *log)
{
	size_t detail = strlen(err.detail), whole = strlen(log);

	assert_true(detail > 0 && detail <= whole);
	assert_string_equal(err.detail, log + whole - detail);
	assert_true(detail == whole || log[whole - detail - 1] == '\n');
	assert_in_range(lines_of(err.detail), 3, 12);
}

/*
 * A table without a lock is pinned where ours was: the verifier then refuses programs that take
 * the lock.
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

/* A log as of a program that keeps much in its registers: 40 lines, of this length each. */
static const char *long_log(char *log, size_t size, int length)
{
	int line, at = 0;

	for (line = 0; line < 40; line++)
		at += snprintf(log + at, size - at, "%d: R1=%0*d\n", line, length, line);
	snprintf(log + at, size - at, "R0 !read_ok\nprocessed 40 insns (limit 1000000)\n");
	return log;
}

/* However long the lines are, the last of them are shown. */
static void test_refusal_long(void **unused)
{
	static const int lengths[] = { 10, 300, 700, 1300 };
	char log[1 << 16], kept[1 << 16];
	size_t i;

	for (i = 0; i < COUNT(lengths); i++) {
		long_log(log, sizeof(log), lengths[i]);
		assert_int_equal(hooks_load_error("these programs", EACCES, log, &err), -EACCES);
		assert_int_equal(err.code, EXIT_LACKING);
		assert_non_null(strstr(err.what, "these programs"));
		assert_detail_ends(log);
		read_log(kept, sizeof(kept));
		assert_string_equal(kept, log);
	}
}

/* Nowhere to keep the log: the message says so, and the end of the log is there all the same. */
static void test_refusal_not_kept(void **unused)
{
	const char *folder = getenv("TMPDIR");
	char before[PATH_MAX], log[1 << 16];

	snprintf(before, sizeof(before), "%s", folder ? folder : "");
	long_log(log, sizeof(log), 20);
	setenv("TMPDIR", "/nonexistent", 1);
	hooks_load_error("these programs", EACCES, log, &err);
	if (folder)
		setenv("TMPDIR", before, 1);
	else
		unsetenv("TMPDIR");
	assert_non_null(strstr(err.mend, "could not be written"));
	assert_detail_ends(log);

	/* no log: it was not the verifier */
	assert_int_equal(hooks_load_error("these programs", EPERM, "", &err), -EPERM);
	assert_int_equal(err.code, EXIT_PERMISSION);
	assert_string_equal(err.detail, "");
	assert_int_equal(hooks_load_error("these programs", EINVAL, "", &err), -EINVAL);
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
	int go; /* a byte: it lets go */
};

/* Another process that holds the lock. */
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
	/* readers need no lock */
	assert_int_equal(state_now().meta.mode, SLUICE_REPLY_SOCKET);
	refused(&with, EXIT_CONFLICT, EBUSY, "another sluice");
	assert_int_equal(exit_of(unloading), EXIT_CONFLICT);
	assert_int_equal(exit_of(cleaning), EXIT_CONFLICT);
	assert_unchanged(before);
	lock_released(&holder);
	load_with(&with, LOAD_UPDATED);
}

/* A loader that has found the lock taken, and so closed the folder again, gets its turn. */
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

/* --- what a dead loader leaves */

/* A second link with a program of the first, pinned under the name of a load that is under way. */
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
	assert_int_equal(ours_on(cgroup, BPF_CGROUP_UDP4_SENDMSG, "sluice_fix4"), 2);
	load(SLUICE_REPLY_SOCKET, LOAD_RECOVERED);
	assert_socket_mode_on(cgroup, 1);
	assert_no_stage();
	assert_int_equal(state_now().meta.state, SLUICE_LOADED);

	/* of a hook that the next load does not want */
	stage_link("link_fix4", BPF_CGROUP_UDP4_SENDMSG);
	meta_change(loading);
	load(SLUICE_REPLY_AUDIT, LOAD_RECOVERED);
	assert_int_equal(ours_on(cgroup, BPF_CGROUP_UDP4_SENDMSG, "sluice_fix4"), 0);
	assert_no_stage();
}

/* The loader died at the very first step of all: there is nothing to go on with. */
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

/* A pin of ours was lost: the next load makes what is missing, and keeps the rest. */
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
		assert_int_equal(pins_drop(pins_path(DIR_OURS, "reply", pins[i], path)), 0);
		load(SLUICE_REPLY_SOCKET, LOAD_UPDATED);
		assert_socket_mode_on(cgroup, 1);
		assert_int_equal(access(path, F_OK), 0);
		talk_ask(&talk);
		talk_answer(&talk, true);
	}
	talk_close(&talk);
}

/* --- fixtures */

static int set_up(void **unused)
{
	memset(&err, 0, sizeof(err));
	lab_net();
	lab_cgroup("load", cgroup);
	lab_cgroup("other", other);
	lab_enter(cgroup);
	return 0;
}

static int tear_down(void **unused)
{
	int fd;

	for (fd = 3; fd < 128; fd++)
		if (fcntl(fd, F_GETFD) == FD_CLOEXEC)
			close(fd);
	rmdir(DIR_OURS "/reply/sluice_flows_new");
	cleanup_remove(DIR_OURS, NULL, &err);
	lab_cgroup_remove(cgroup);
	lab_cgroup_remove(other);
	return 0;
}

/* A bpffs that nobody else sees, and that goes with this process whatever it leaves there. */
static int own_bpffs(void **unused)
{
	assert_return_code(unshare(CLONE_NEWNS), errno);
	assert_return_code(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), errno);
	assert_return_code(mount("bpf", BPFFS, "bpf", 0, NULL), errno);
	hooks_libbpf_log();
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(load),	     TEST(update),	     TEST(mode),
		TEST(dry_run),	     TEST(unload),	     TEST(table_size),
		TEST(table_expired), TEST(table_pin_fails),  TEST(table_undone),
		TEST(table_staged),  TEST(table_kept),	     TEST(conflict_fresh),
		TEST(conflict_mode), TEST(conflict_last),    TEST(conflict_cgroup),
		TEST(cgroup_change), TEST(cgroup_gone),	     TEST(order),
		TEST(abi),	     TEST(abi_maps),	     TEST(refusal),
		TEST(refusal_long),  TEST(refusal_not_kept), TEST(lock),
		TEST(lock_wait),     TEST(dead_loader),	     TEST(dead_early),
		TEST(pin_lost),
	};

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("load", tests, own_bpffs, NULL);
}
