// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attaches another owner's program to a cgroup or an interface. The program passes all packets, and
 * must survive all actions of sluice.
 *
 *	foreign-prog --cgroup DIR --type sendmsg4|sendmsg6|ingress|egress --name NAME
 *		     [--link PIN | --exclusive]
 *	foreign-prog --dev IF --type tc_ingress|tc_egress|xdp --name NAME
 *		     [--verdict N | --vlan IF] --link PIN | --prog PIN
 *
 * On a cgroup, the program is attached with BPF_PROG_ATTACH as systemd does (with
 * BPF_F_ALLOW_MULTI, or exclusively with --exclusive), or by a link pinned at PIN. On an interface,
 * it is attached by a tcx or XDP link. With --prog it is only pinned, for tc(8) or ip(8) to attach.
 * A tc program returns the verdict (default -1, TCX_NEXT; 0 ends the chain). An XDP program returns
 * XDP_PASS. With --vlan, two programs emulate a VLAN device on kernels without 802.1Q support. The
 * ingress program of the parent strips the tag and redirects the frame to the ingress of IF. The
 * egress program adds a tag and sends the frame through the parent IF. Prints the id of the
 * program. The program is named NAME, so that `bpftool cgroup show DIR` shows the order of the
 * programs.
 *
 * The instructions and system calls are coded by hand, without a BPF compiler or a library.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VLAN_ID 5

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
	/* BPF_TCX_INGRESS and BPF_TCX_EGRESS of 6.6, which older headers lack */
	{ "tc_ingress", BPF_PROG_TYPE_SCHED_CLS, (enum bpf_attach_type)46 },
	{ "tc_egress", BPF_PROG_TYPE_SCHED_CLS, (enum bpf_attach_type)47 },
	{ "xdp", BPF_PROG_TYPE_XDP, BPF_XDP },
};

static const char usage[] =
	"usage: foreign-prog --cgroup DIR --type sendmsg4|sendmsg6|ingress|egress --name NAME\n"
	"                    [--link PIN | --exclusive]\n"
	"       foreign-prog --dev IF --type tc_ingress|tc_egress|xdp --name NAME\n"
	"                    [--verdict N | --vlan IF] --link PIN | --prog PIN\n";

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

static bool is_tc(const struct type *type)
{
	return type->prog == BPF_PROG_TYPE_SCHED_CLS;
}

/* Returns true for an interface type, false for a cgroup type. */
static bool is_of_dev(const struct type *type)
{
	return is_tc(type) || type->prog == BPF_PROG_TYPE_XDP;
}

static int prog_load(const struct type *type, const char *name, const struct bpf_insn *insns,
		     size_t count)
{
	union bpf_attr attr = {
		.prog_type = type->prog,
		.expected_attach_type = is_of_dev(type) ? 0 : type->attach,
		.insns = (uintptr_t)insns,
		.insn_cnt = count,
		.license = (uintptr_t) "GPL",
	};
	int fd;

	strncpy(attr.prog_name, name, sizeof(attr.prog_name) - 1);
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		err(1, "load %s", type->name);
	return fd;
}

#define COUNT(insns) (sizeof(insns) / sizeof((insns)[0]))
#define MOVE(to, value)                                                              \
	{                                                                            \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (value) \
	}
#define CALL(id)                                        \
	{                                               \
		.code = BPF_JMP | BPF_CALL, .imm = (id) \
	}
#define EXIT                               \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}

static int verdict_load(const struct type *type, const char *name, int verdict)
{
	const struct bpf_insn insns[] = { MOVE(BPF_REG_0, verdict), EXIT };

	return prog_load(type, name, insns, COUNT(insns));
}

static int vlan_load(const struct type *type, const char *name, unsigned int ifindex)
{
	const struct bpf_insn strip[] = {
		MOVE(BPF_REG_0, -1),
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_REG_1,
		  .off = offsetof(struct __sk_buff, vlan_present) },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_2, .off = 4 },
		CALL(BPF_FUNC_skb_vlan_pop),
		MOVE(BPF_REG_1, (int)ifindex),
		MOVE(BPF_REG_2, BPF_F_INGRESS),
		CALL(BPF_FUNC_redirect),
		EXIT,
	};
	const struct bpf_insn add[] = {
		MOVE(BPF_REG_2, htons(ETH_P_8021Q)),
		MOVE(BPF_REG_3, VLAN_ID),
		CALL(BPF_FUNC_skb_vlan_push),
		MOVE(BPF_REG_1, (int)ifindex),
		MOVE(BPF_REG_2, 0),
		CALL(BPF_FUNC_redirect),
		EXIT,
	};

	return !strcmp(type->name, "tc_ingress") ? prog_load(type, name, strip, COUNT(strip))
						 : prog_load(type, name, add, COUNT(add));
}

static void pin_object(int fd, const char *pin)
{
	union bpf_attr obj = { .pathname = (uintptr_t)pin, .bpf_fd = fd };

	if (bpf(BPF_OBJ_PIN, &obj))
		err(1, "pin %s", pin);
}

/* The target is a cgroup descriptor or an interface index. */
static void attach_link(int prog, int target, const struct type *type, const char *pin)
{
	union bpf_attr create = {
		.link_create.prog_fd = prog,
		.link_create.target_fd = target,
		.link_create.attach_type = type->attach,
	};
	int link = bpf(BPF_LINK_CREATE, &create);

	if (link < 0)
		err(1, "link");
	pin_object(link, pin);
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

/* Kernels before 5.11 charge all programs of the user to this limit. */
static void lift_memlock(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &all);
}

struct arguments {
	const char *cgroup, *dev, *name, *link, *prog, *vlan;
	const struct type *type;
	bool exclusive;
	int verdict;
};

static bool arguments_fit(const struct arguments *args)
{
	if (!args->type || !args->name)
		return false;
	if (is_of_dev(args->type))
		return args->dev && !args->cgroup && !args->link != !args->prog &&
		       (!args->vlan || is_tc(args->type));
	return args->cgroup && !args->dev && !args->prog && !(args->link && args->exclusive);
}

static void arguments_parse(int argc, char **argv, struct arguments *args)
{
	static const struct option options[] = {
		{ "cgroup", required_argument, NULL, 'c' },
		{ "dev", required_argument, NULL, 'd' },
		{ "type", required_argument, NULL, 't' },
		{ "name", required_argument, NULL, 'n' },
		{ "link", required_argument, NULL, 'l' },
		{ "prog", required_argument, NULL, 'p' },
		{ "verdict", required_argument, NULL, 'v' },
		{ "vlan", required_argument, NULL, 'w' },
		{ "exclusive", no_argument, NULL, 'x' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*args = (struct arguments){ .verdict = -1 };
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			args->cgroup = optarg;
		else if (option == 'd')
			args->dev = optarg;
		else if (option == 't')
			args->type = type_find(optarg);
		else if (option == 'n')
			args->name = optarg;
		else if (option == 'l')
			args->link = optarg;
		else if (option == 'p')
			args->prog = optarg;
		else if (option == 'v')
			args->verdict = atoi(optarg);
		else if (option == 'w')
			args->vlan = optarg;
		else if (option == 'x')
			args->exclusive = true;
		else
			errx(2, "%s", usage);
	}
	if (optind != argc || !arguments_fit(args))
		errx(2, "%s", usage);
}

static unsigned int ifindex_of(const char *dev)
{
	unsigned int ifindex = if_nametoindex(dev);

	if (!ifindex)
		err(1, "%s", dev);
	return ifindex;
}

static int target_open(const struct arguments *args)
{
	int target;

	if (args->dev)
		return (int)ifindex_of(args->dev);
	target = open(args->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target < 0)
		err(1, "%s", args->cgroup);
	return target;
}

static int prog_of(const struct arguments *args)
{
	if (args->vlan)
		return vlan_load(args->type, args->name, ifindex_of(args->vlan));
	if (is_tc(args->type))
		return verdict_load(args->type, args->name, args->verdict);
	/* on a cgroup, 1 lets the packet pass */
	return verdict_load(args->type, args->name,
			    args->type->prog == BPF_PROG_TYPE_XDP ? XDP_PASS : 1);
}

int main(int argc, char **argv)
{
	struct arguments args;
	int target, prog;

	arguments_parse(argc, argv, &args);
	target = target_open(&args);
	lift_memlock();
	prog = prog_of(&args);
	if (args.prog)
		pin_object(prog, args.prog);
	else if (args.link)
		attach_link(prog, target, args.type, args.link);
	else
		attach_prog(prog, target, args.type, args.exclusive);
	printf("%u\n", prog_id(prog));
	return 0;
}
