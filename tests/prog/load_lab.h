/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab for loads of reply under every kind of failure. The tests call the functions of
 * user/reply in this process and act between their steps. All state is in a private bpffs and two
 * cgroups. Tests compare text dumps of the complete state: equal dumps prove that nothing has
 * changed.
 */
#ifndef SLUICE_TESTS_PROG_LOAD_LAB_H
#define SLUICE_TESTS_PROG_LOAD_LAB_H

#include "host/cleanup.h"
#include "kernel/links.h"
#include "kernel/load_outcome.h"
#include "kernel/pins.h"
#include "lab.h"
#include "reply/reply.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <sys/mount.h>

#define BPFFS	 "/sys/fs/bpf"
#define DIR_OURS BPFFS "/sluice-lab"
#define PORT	 5300
#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define TEXT_MAX 8192

static char cgroup[PATH_MAX], other[PATH_MAX];
static struct err err;
static struct reply_result result;

/* --- loading */

static inline struct reply_options options(enum sluice_reply_mode mode)
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

static inline void load_with(const struct reply_options *options, enum load_outcome outcome)
{
	if (reply_load(options, &result, &err))
		fail_msg("%s", err.what);
	assert_int_equal(result.outcome, outcome);
}

static inline void load(enum sluice_reply_mode mode, enum load_outcome outcome)
{
	struct reply_options with = options(mode);

	load_with(&with, outcome);
}

/* Asserts that the load fails with this code, err.what contains @what, and err.hint is set. */
static inline void refused(const struct reply_options *options, enum exit_code code, int error,
			   const char *what)
{
	memset(&err, 0, sizeof(err));
	assert_int_equal(reply_load(options, &result, &err), -error);
	assert_int_equal(err.code, code);
	if (!strstr(err.what, what))
		fail_msg("'%s' does not contain '%s'", err.what, what);
	assert_true(err.hint[0]);
}

static inline struct reply_state state_now(void)
{
	struct reply_state state;

	if (reply_read(DIR_OURS, &state, &err))
		fail_msg("%s", err.what);
	return state;
}

static inline void meta_change(void (*change)(struct sluice_reply_meta *meta))
{
	int fd = pins_get(DIR_OURS, "reply", "sluice_meta", PINS_MAP);
	struct sluice_reply_meta meta;
	__u32 zero = 0;

	assert_true(fd >= 0);
	assert_return_code(bpf_map_lookup_elem(fd, &zero, &meta), errno);
	change(&meta);
	assert_return_code(bpf_map_update_elem(fd, &zero, &meta, BPF_ANY), errno);
	close(fd);
}

/* --- the complete state, as text */

static const __u32 types[] = { BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS,
			       BPF_CGROUP_UDP4_SENDMSG, BPF_CGROUP_UDP6_SENDMSG };

__attribute__((format(printf, 2, 3))) static inline void append(char *text, const char *fmt, ...)
{
	size_t length = strlen(text);
	va_list args;

	va_start(args, fmt);
	assert_true(vsnprintf(text + length, TEXT_MAX - length, fmt, args) <
		    (int)(TEXT_MAX - length));
	va_end(args);
}

/* Appends the effective programs, including those of the runner's cgroup and its ancestors. */
static inline void append_programs(char *text, const char *path)
{
	struct hook_prog progs[HOOK_PROGS_MAX];
	int count, i;
	size_t type;

	for (type = 0; type < COUNT(types); type++) {
		append(text, "%s\n", hook_type_name(types[type]));
		count = hook_order(path, types[type], progs);
		assert_true(count >= 0);
		for (i = 0; i < count; i++)
			append(text, "\t%u %s\n", progs[i].id, progs[i].name);
	}
}

/* All kinds of object info begin with the type and the id. */
static inline void append_pin(char *text, const char *name)
{
	union {
		struct bpf_map_info map;
		struct bpf_link_info link;
		__u32 words[3];
	} info = { 0 };
	__u32 length = sizeof(info);
	int fd = pins_get(DIR_OURS, "reply", name, PINS_MAP);

	if (fd < 0) {
		append(text, "%s: %s\n", name, strerror(-fd));
		return;
	}
	assert_return_code(bpf_obj_get_info_by_fd(fd, &info, &length), errno);
	append(text, "%s: id %u", name, info.words[1]);
	if (strncmp(name, "link_", 5))
		append(text, " %u entries\n", info.map.max_entries);
	else
		append(text, " program %u on %llu\n", info.link.prog_id,
		       info.link.cgroup.cgroup_id);
	close(fd);
}

static inline void append_pins(char *text)
{
	struct dirent **entries;
	int count = scandir(DIR_OURS "/reply", &entries, NULL, alphasort), i;

	if (count < 0) {
		append(text, "no pins: %s\n", strerror(errno));
		return;
	}
	for (i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.')
			append_pin(text, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static inline void append_meta(char *text)
{
	struct sluice_reply_meta meta;
	const unsigned char *byte = (void *)&meta;
	int fd = pins_get(DIR_OURS, "reply", "sluice_meta", PINS_MAP);
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info), zero = 0, sum = 0;
	size_t i;

	if (fd < 0)
		return;
	assert_return_code(bpf_obj_get_info_by_fd(fd, &info, &length), errno);
	if (info.value_size == sizeof(meta) && !bpf_map_lookup_elem(fd, &zero, &meta)) {
		for (i = 0; i < sizeof(meta); i++)
			sum = sum * 31 + byte[i];
		append(text, "meta: state %u mode %u sets %u age %llu loaded %llu, all %08x\n",
		       meta.state, meta.mode, meta.sets, meta.age_ns, meta.loaded_ns, sum);
	}
	close(fd);
}

static inline void append_flow(const struct sluice_flow *flow, __u64 age_ns, void *arg)
{
	char peer[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN];

	/* mode audit also stores flows for any port of a peer */
	if (!flow->peer_port_be)
		return;
	inet_ntop(AF_INET6, &flow->peer, peer, sizeof(peer));
	inet_ntop(AF_INET6, &flow->local, local, sizeof(local));
	append(arg, "flow %s %u to %s seal %llx\n", peer, ntohs(flow->peer_port_be), local,
	       flow->seal);
}

static inline const char *inventory(char text[TEXT_MAX])
{
	*text = '\0';
	append_programs(text, cgroup);
	append_programs(text, other);
	append_pins(text);
	append_meta(text);
	return text;
}

static inline void assert_unchanged(const char *before)
{
	char now[TEXT_MAX];

	assert_string_equal(inventory(now), before);
}

/* Counts sluice's programs on a hook. */
static inline int own_on(const char *path, __u32 type, const char *name)
{
	struct hook_prog progs[HOOK_PROGS_MAX];
	int count = hook_order(path, type, progs), found = 0, i;

	assert_true(count >= 0);
	for (i = 0; i < count; i++)
		found += !strcmp(progs[i].name, name);
	return found;
}

static inline void assert_socket_mode_on(const char *path, int wanted)
{
	assert_int_equal(own_on(path, BPF_CGROUP_INET_INGRESS, "sluice_learn"), wanted);
	assert_int_equal(own_on(path, BPF_CGROUP_UDP4_SENDMSG, "sluice_fix4"), wanted);
	assert_int_equal(own_on(path, BPF_CGROUP_UDP6_SENDMSG, "sluice_fix6"), wanted);
	assert_int_equal(own_on(path, BPF_CGROUP_INET_EGRESS, "sluice_audit"), 0);
}

/* --- programs of other owners */

/* Attaches a program that passes everything; with flags 0, exclusively. */
static inline int foreign(const char *path, __u32 type, const char *name, __u32 flags)
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

static inline void foreign_gone(const char *path, __u32 type, int prog)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_return_code(bpf_prog_detach2(prog, fd, type), errno);
	close(fd);
	close(prog);
}

/* --- flows of real sockets */

struct talk {
	int server;
	int clients[SLUICE_FLOW_WAYS]; /* few enough to fit into a single set */
};

static inline void talk_open(struct talk *talk)
{
	size_t i;

	talk->server = lab_socket("::", PORT);
	for (i = 0; i < COUNT(talk->clients); i++)
		talk->clients[i] = lab_socket(i % 2 ? NEAR6 : NEAR4, 0);
}

static inline const char *requested_at(size_t client)
{
	static const char *const addrs[] = { FAR4, FAR6, OTHER4, OTHER6 };

	return addrs[client % COUNT(addrs)];
}

/* Sends a request from each client to its own address. */
static inline void talk_request(const struct talk *talk)
{
	size_t i;

	for (i = 0; i < COUNT(talk->clients); i++) {
		lab_request(talk->clients[i], requested_at(i), PORT);
		lab_receive(talk->server);
	}
}

/* Answers all clients, without new requests. */
static inline void talk_answer(const struct talk *talk, bool fixed)
{
	size_t i;

	for (i = 0; i < COUNT(talk->clients); i++) {
		struct lab_end peer = lab_end(i % 2 ? NEAR6 : "::ffff:" NEAR4,
					      ntohs(lab_port_be(talk->clients[i])));

		lab_send(talk->server, &peer, 8);
		lab_expect(talk->clients[i], fixed ? requested_at(i) : i % 2 ? NEAR6 : NEAR4);
	}
}

static inline void talk_close(const struct talk *talk)
{
	size_t i;

	for (i = 0; i < COUNT(talk->clients); i++)
		close(talk->clients[i]);
	close(talk->server);
}

static inline int by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Appends the flows in sorted order, so that the dump does not depend on the table layout. */
static inline const char *flows_now(char text[TEXT_MAX], struct flow_table_usage *usage)
{
	char list[TEXT_MAX] = "", *lines[256], *rest = list, *line;
	size_t count = 0, i;

	if (reply_flows(DIR_OURS, usage, append_flow, list, &err))
		fail_msg("%s", err.what);
	while ((line = strsep(&rest, "\n")) && *line)
		lines[count++] = line;
	qsort(lines, count, sizeof(*lines), by_line);
	*text = '\0';
	for (i = 0; i < count; i++)
		append(text, "%s\n", lines[i]);
	return text;
}

static inline void assert_flows(const char *before, __u32 size)
{
	struct flow_table_usage usage;
	char now[TEXT_MAX];

	assert_string_equal(flows_now(now, &usage), before);
	assert_true(usage.live >= COUNT(((struct talk *)0)->clients));
	assert_int_equal(usage.expired, 0);
	assert_int_equal(usage.size, size);
}

static inline int set_up(void **unused)
{
	memset(&err, 0, sizeof(err));
	lab_net();
	lab_cgroup("load", cgroup);
	lab_cgroup("other", other);
	lab_enter(cgroup);
	return 0;
}

static inline int tear_down(void **unused)
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

/* Mounts a private bpffs. The kernel frees it with this process, including all leftover pins. */
static inline int own_bpffs(void **unused)
{
	assert_return_code(unshare(CLONE_NEWNS), errno);
	assert_return_code(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), errno);
	assert_return_code(mount("bpf", BPFFS, "bpf", 0, NULL), errno);
	links_libbpf_log();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

#endif
