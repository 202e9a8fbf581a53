// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Somebody else's program on a cgroup: lets everything pass, and must survive all that we do.
 *
 *	foreign-prog --cgroup DIR --type sendmsg4|sendmsg6|ingress|egress --name NAME
 *		     [--link PIN | --exclusive]
 *
 * Attached with BPF_PROG_ATTACH as systemd does (allowing others beside it, or with --exclusive
 * nobody), or through a link pinned at PIN. Prints the id of the program. The program is called
 * NAME, so that `bpftool cgroup show DIR` tells the order in which programs run.
 *
 * The instructions and the system calls are written out: no compiler for BPF, no library.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct type {
	const char *name;
	enum bpf_prog_type prog;
	enum bpf_attach_type attach;
};

static const struct type types[] = {
	{ "sendmsg4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG },
	{ "sendmsg6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG },
	{ "ingress", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS },
	{ "egress", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS },
};

static const char usage[] =
	"usage: foreign-prog --cgroup DIR --type sendmsg4|sendmsg6|ingress|egress --name NAME\n"
	"                    [--link PIN | --exclusive]\n";

static const struct type *type_find(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	errx(2, "no type '%s'", name);
}

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int prog_load(const struct type *type, const char *name)
{
	/* r0 = 1 (pass); exit */
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = type->prog,
		.expected_attach_type = type->attach,
		.insns = (uintptr_t)insns,
		.insn_cnt = sizeof(insns) / sizeof(insns[0]),
		.license = (uintptr_t) "GPL",
	};
	int fd;

	strncpy(attr.prog_name, name, sizeof(attr.prog_name) - 1);
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		err(1, "load %s", type->name);
	return fd;
}

static void attach_link(int prog, int cgroup, const struct type *type, const char *pin)
{
	union bpf_attr create = {
		.link_create.prog_fd = prog,
		.link_create.target_fd = cgroup,
		.link_create.attach_type = type->attach,
	};
	union bpf_attr obj = { .pathname = (uintptr_t)pin };
	int link = bpf(BPF_LINK_CREATE, &create);

	if (link < 0)
		err(1, "link");
	obj.bpf_fd = link;
	if (bpf(BPF_OBJ_PIN, &obj))
		err(1, "pin %s", pin);
}

static void attach_prog(int prog, int cgroup, const struct type *type, bool exclusive)
{
	union bpf_attr attr = {
		.target_fd = cgroup,
		.attach_bpf_fd = prog,
		.attach_type = type->attach,
		.attach_flags = exclusive ? 0 : BPF_F_ALLOW_MULTI,
	};

	if (bpf(BPF_PROG_ATTACH, &attr))
		err(1, "attach");
}

static unsigned int prog_id(int prog)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = {
		.info.bpf_fd = prog,
		.info.info_len = sizeof(info),
		.info.info = (uintptr_t)&info,
	};

	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
		err(1, "program info");
	return info.id;
}

/* Kernels before 5.11 count programs to this limit, those of all of the user's processes. */
static void lift_memlock(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &all);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cgroup", required_argument, NULL, 'c' },
		{ "type", required_argument, NULL, 't' },
		{ "name", required_argument, NULL, 'n' },
		{ "link", required_argument, NULL, 'l' },
		{ "exclusive", no_argument, NULL, 'x' },
		{ NULL, 0, NULL, 0 },
	};
	const char *cgroup_path = NULL, *name = NULL, *pin = NULL;
	const struct type *type = NULL;
	bool exclusive = false;
	int option, cgroup, prog;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			cgroup_path = optarg;
		else if (option == 't')
			type = type_find(optarg);
		else if (option == 'n')
			name = optarg;
		else if (option == 'l')
			pin = optarg;
		else if (option == 'x')
			exclusive = true;
		else
			errx(2, "%s", usage);
	}
	if (!cgroup_path || !type || !name || optind != argc || (pin && exclusive))
		errx(2, "%s", usage);
	cgroup = open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		err(1, "%s", cgroup_path);
	lift_memlock();
	prog = prog_load(type, name);
	if (pin)
		attach_link(prog, cgroup, type, pin);
	else
		attach_prog(prog, cgroup, type, exclusive);
	printf("%u\n", prog_id(prog));
	return 0;
}
