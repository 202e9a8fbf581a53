// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hooks: attaches programs to a cgroup or an interface, and detaches them, within microseconds
 * (milliseconds on an interface, since the kernel waits for packets in flight), for the benchmark.
 *
 * A set of programs is a bpffs directory whose files are named after attach types. Commands are
 * lines on stdin, each answered with a JSON line:
 *
 *	on DIR	attach that set, after detaching any other
 *	off		detach the attached set
 *	count		count time and runs of programs from now on
 *	read		these counts, for the attached programs
 *	mine ID		that program is the benchmark's own
 *	foreign		names of all other programs on the hooks that sluice uses
 *
 * Speed matters: a loader must pass the verifier, so it would switch states too slowly on a machine
 * whose speed changes from second to second.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOOKS_MAX 8
#define MINE_MAX  64

/* enum bpf_attach_type of kernel 6.6, unnamed in libbpf 1.1 */
#define TCX_INGRESS ((enum bpf_attach_type)46)
#define TCX_EGRESS  ((enum bpf_attach_type)47)
#define TYPES_MAX   48

struct hook {
	enum bpf_attach_type type;
	int prog;
	int link; /* tcx link on an interface */
};

static struct hook hooks[HOOKS_MAX];
static int on;
static int cgroup;
static int ifindex;
static __u32 mine[MINE_MAX];
static int mine_count;

static void die(const char *what)
{
	fprintf(stderr, "hooks: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool is_tcx(enum bpf_attach_type type)
{
	return type == TCX_INGRESS || type == TCX_EGRESS;
}

static const char *attach_type_name(enum bpf_attach_type type)
{
	if (is_tcx(type))
		return type == TCX_INGRESS ? "tcx_ingress" : "tcx_egress";
	return libbpf_bpf_attach_type_str(type);
}

static int attach_type_find(const char *name, enum bpf_attach_type *type)
{
	int i;

	for (i = 0; i < TYPES_MAX; i++) {
		const char *known = attach_type_name(i);

		if (known && !strcmp(known, name)) {
			*type = i;
			return 0;
		}
	}
	return -ENOENT;
}

static void hooks_off(void)
{
	while (on) {
		struct hook *hook = &hooks[--on];

		if (is_tcx(hook->type) ? close(hook->link)
				       : bpf_prog_detach2(hook->prog, cgroup, hook->type))
			die("detach");
		close(hook->prog);
	}
}

static int hook_attach(struct hook *hook)
{
	if (!is_tcx(hook->type))
		return bpf_prog_attach(hook->prog, cgroup, hook->type, BPF_F_ALLOW_MULTI);
	hook->link = bpf_link_create(hook->prog, ifindex, hook->type, NULL);
	return hook->link < 0 ? -1 : 0;
}

static void hook_on(const char *folder, const char *name)
{
	struct hook *hook = &hooks[on];
	char path[4096 + NAME_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (on == HOOKS_MAX || attach_type_find(name, &hook->type))
		die(path);
	hook->prog = bpf_obj_get(path);
	if (hook->prog < 0 || hook_attach(hook))
		die(path);
	on++;
}

static void hooks_on(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	hooks_off();
	if (!dir)
		die(folder);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			hook_on(folder, entry->d_name);
	closedir(dir);
}

/*
 * Enables statistics by BPF_ENABLE_STATS (kernel 5.8). Unlike the sysctl, this ends with the
 * process.
 */
static void stats_on(void)
{
	if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		die("BPF_ENABLE_STATS");
}

static void stats_print(void)
{
	int i;

	printf("{");
	for (i = 0; i < on; i++) {
		struct bpf_prog_info info = { 0 };
		__u32 size = sizeof(info);

		if (bpf_obj_get_info_by_fd(hooks[i].prog, &info, &size))
			die("program info");
		printf("%s\"%s\": {\"name\": \"%s\", \"run_time_ns\": %llu, \"run_cnt\": %llu}",
		       i ? ", " : "", attach_type_name(hooks[i].type), info.name, info.run_time_ns,
		       info.run_cnt);
	}
	printf("}\n");
}

static void mine_add(const char *id)
{
	if (mine_count == MINE_MAX)
		die(id);
	mine[mine_count++] = strtoul(id, NULL, 10);
}

static bool is_foreign(const struct bpf_prog_info *info)
{
	int i;

	for (i = 0; i < mine_count; i++)
		if (mine[i] == info->id)
			return false;
	return info->type == BPF_PROG_TYPE_CGROUP_SKB ||
	       info->type == BPF_PROG_TYPE_CGROUP_SOCK_ADDR ||
	       info->type == BPF_PROG_TYPE_SCHED_CLS;
}

/* Reads the info of a program. Returns false if the program is gone. */
static bool prog_info(__u32 id, struct bpf_prog_info *info)
{
	__u32 size = sizeof(*info);
	int fd = bpf_prog_get_fd_by_id(id);
	bool found;

	if (fd < 0)
		return false;
	memset(info, 0, size);
	found = !bpf_obj_get_info_by_fd(fd, info, &size);
	close(fd);
	return found;
}

static void foreign_print(void)
{
	struct bpf_prog_info info;
	const char *comma = "";
	__u32 id = 0;

	printf("{\"foreign\": [");
	while (!bpf_prog_get_next_id(id, &id))
		if (prog_info(id, &info) && is_foreign(&info)) {
			printf("%s\"%s\"", comma, info.name);
			comma = ", ";
		}
	printf("]}\n");
}

static void obey(const char *line)
{
	if (!strcmp(line, "read")) {
		stats_print();
		return;
	}
	if (!strcmp(line, "foreign")) {
		foreign_print();
		return;
	}
	if (!strncmp(line, "on ", 3))
		hooks_on(line + 3);
	else if (!strcmp(line, "off"))
		hooks_off();
	else if (!strncmp(line, "mine ", 5))
		mine_add(line + 5);
	else if (!strcmp(line, "count"))
		stats_on();
	else
		die(line);
	printf("{}\n");
}

static void enter(const char *netns)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

int main(int argc, char **argv)
{
	char line[4096];

	if (argc != 4) {
		fputs("usage: hooks CGROUP NETNS INTERFACE\n", stderr);
		return 2;
	}
	enter(argv[2]);
	ifindex = (int)if_nametoindex(argv[3]);
	if (!ifindex)
		die(argv[3]);
	cgroup = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		die(argv[1]);
	atexit(hooks_off);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("{}\n");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		obey(line);
	}
	return 0;
}
