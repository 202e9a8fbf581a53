// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/tc.h"

#include "net/nl.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* include/uapi/linux/bpf.h of 6.6: before the given program, or first if none is given */
#define F_BEFORE (1U << 3)

/* Filters run in the order of their priorities, 1 to 65535. */
#define PRIORITY_IN  60427
#define PRIORITY_OUT 1
#define HANDLE	     0x511ce

#define OUR_PREFIX "sluice_"

int tc_link_create(__u32 ifindex, bool out, int prog_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = out ? F_BEFORE : 0);
	int fd = bpf_link_create(prog_fd, (int)ifindex,
				 (enum bpf_attach_type)(out ? TC_TCX_EGRESS : TC_TCX_INGRESS),
				 &opts);

	return fd < 0 ? -errno : fd;
}

/* --- dumps of the qdiscs of an interface, and of the filters of a hook */

struct tc_dump {
	__u16 type; /* RTM_GETQDISC or RTM_GETTFILTER */
	__u32 ifindex;
	__u32 parent;
	__u32 priority; /* priority of sluice's filter */
	bool has_clsact;
	struct hook_prog progs[HOOK_PROGS_MAX];
	int count;
	__u32 own_id; /* id of the program of sluice's filter */
	bool has_blocker;
	struct tc_blocker blocker;
};

static void request_dump(struct nlmsghdr *nlh, void *into)
{
	const struct tc_dump *dump = into;
	struct tcmsg *msg;

	nlh->nlmsg_type = dump->type;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->tcm_ifindex = (int)dump->ifindex;
	msg->tcm_parent = dump->parent;
}

static void add_filter(struct tc_dump *dump, const struct tc_blocker *filter, __u32 prog_id)
{
	struct hook_prog *prog = &dump->progs[dump->count];

	if (dump->count == HOOK_PROGS_MAX)
		return;
	*prog = hook_prog_by_id(prog_id);
	if (!strcmp(prog->name, "?"))
		snprintf(prog->name, sizeof(prog->name), "%.*s", BPF_OBJ_NAME_LEN - 1,
			 filter->name[0] ? filter->name : filter->kind);
	dump->count++;
}

static int parse_dump(const struct nlmsghdr *nlh, void *into)
{
	const struct tcmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct tc_blocker filter = { .handle = msg->tcm_handle,
				     .priority = TC_H_MAJ(msg->tcm_info) >> 16 };
	const struct nlattr *attr, *options = NULL;
	struct tc_dump *dump = into;
	__u32 prog_id = 0;
	bool is_bpf;

	mnl_attr_for_each(attr, nlh, sizeof(*msg)) {
		if (mnl_attr_get_type(attr) == TCA_KIND)
			snprintf(filter.kind, sizeof(filter.kind), "%s", mnl_attr_get_str(attr));
		else if (mnl_attr_get_type(attr) == TCA_OPTIONS)
			options = attr;
	}
	if (dump->type == RTM_GETQDISC) {
		/* older kernels list the qdiscs of all interfaces */
		if (msg->tcm_ifindex == (int)dump->ifindex && msg->tcm_parent == TC_H_CLSACT &&
		    !strcmp(filter.kind, "clsact"))
			dump->has_clsact = true;
		return MNL_CB_OK;
	}
	/* the kernel also lists each priority, as an entry without a handle */
	if (!msg->tcm_handle)
		return MNL_CB_OK;
	is_bpf = !strcmp(filter.kind, "bpf");
	if (is_bpf && options) {
		mnl_attr_for_each_nested(attr, options) {
			if (mnl_attr_get_type(attr) == TCA_BPF_ID)
				prog_id = mnl_attr_get_u32(attr);
			else if (mnl_attr_get_type(attr) == TCA_BPF_NAME)
				snprintf(filter.name, sizeof(filter.name), "%s",
					 mnl_attr_get_str(attr));
		}
	}
	add_filter(dump, &filter, prog_id);
	if (is_bpf && filter.priority == dump->priority && filter.handle == HANDLE)
		dump->own_id = prog_id;
	/* filters of one priority have the same kind and protocol, and differ in their handle */
	if (filter.priority == dump->priority &&
	    (filter.handle == HANDLE || !is_bpf || TC_H_MIN(msg->tcm_info) != htons(ETH_P_ALL))) {
		dump->blocker = filter;
		dump->has_blocker = true;
	}
	return MNL_CB_OK;
}

static void reset_dump(void *into)
{
	struct tc_dump *dump = into;

	dump->has_clsact = dump->has_blocker = false;
	dump->own_id = 0;
	dump->count = 0;
}

static const struct nl_dump tc_dump = { NETLINK_ROUTE, request_dump, parse_dump, reset_dump };

/* Returns the number of filters, or -errno, also if the interface has no clsact. */
static int list_filters(struct tc_dump *dump, __u32 ifindex, bool out)
{
	int result;

	*dump = (struct tc_dump){
		.type = RTM_GETTFILTER,
		.ifindex = ifindex,
		.parent = TC_H_MAKE(TC_H_CLSACT, out ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS),
		.priority = out ? PRIORITY_OUT : PRIORITY_IN,
	};
	result = nl_dump(&tc_dump, dump);
	return result ? result : dump->count;
}

int tc_filter_blocker(__u32 ifindex, bool out, struct tc_blocker *blocker)
{
	struct tc_dump dump;

	if (list_filters(&dump, ifindex, out) < 0 || !dump.has_blocker)
		return -ENOENT;
	*blocker = dump.blocker;
	return 0;
}

int tc_order(__u32 ifindex, bool out, struct hook_prog progs[HOOK_PROGS_MAX])
{
	__u32 ids[HOOK_PROGS_MAX], count = HOOK_PROGS_MAX, i;
	struct tc_dump dump;
	int filters = list_filters(&dump, ifindex, out), j;

	if (bpf_prog_query((int)ifindex,
			   (enum bpf_attach_type)(out ? TC_TCX_EGRESS : TC_TCX_INGRESS), 0, NULL,
			   ids, &count))
		count = 0;
	for (i = 0; i < count; i++)
		progs[i] = hook_prog_by_id(ids[i]);
	for (j = 0; j < filters && count < HOOK_PROGS_MAX; j++)
		progs[count++] = dump.progs[j];
	return (int)count;
}

/* --- clsact and sluice's filters */

static struct bpf_tc_hook hook_of(__u32 ifindex, bool out)
{
	return (struct bpf_tc_hook){ .sz = sizeof(struct bpf_tc_hook),
				     .ifindex = (int)ifindex,
				     .attach_point = out ? BPF_TC_EGRESS : BPF_TC_INGRESS };
}

static struct bpf_tc_opts opts_of(bool out)
{
	return (struct bpf_tc_opts){ .sz = sizeof(struct bpf_tc_opts),
				     .handle = HANDLE,
				     .priority = out ? PRIORITY_OUT : PRIORITY_IN };
}

int tc_clsact_make(__u32 ifindex, bool *made)
{
	struct bpf_tc_hook hook = hook_of(ifindex, false);
	struct tc_dump dump = { .type = RTM_GETQDISC, .ifindex = ifindex };
	int result;

	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	result = bpf_tc_hook_create(&hook);
	*made = !result;
	if (result != -EEXIST)
		return result;
	/* an `ingress` qdisc has the same parent, and would run an egress filter on ingress */
	result = nl_dump(&tc_dump, &dump);
	return result ? result : dump.has_clsact ? 0 : -EBUSY;
}

void tc_clsact_remove_unused(__u32 ifindex)
{
	struct bpf_tc_hook hook = hook_of(ifindex, false);
	struct tc_dump dump;

	if (list_filters(&dump, ifindex, false) || list_filters(&dump, ifindex, true))
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}

int tc_filter_read(__u32 ifindex, bool out, __u32 *prog_id)
{
	struct tc_dump dump;

	/* bpf_tc_query() is not used: it prints to stderr if no filter exists */
	if (list_filters(&dump, ifindex, out) < 0 ||
	    strncmp(hook_prog_by_id(dump.own_id).name, OUR_PREFIX, strlen(OUR_PREFIX)))
		return -ENOENT;
	*prog_id = dump.own_id;
	return 0;
}

int tc_filter_set(__u32 ifindex, bool out, int prog_fd)
{
	struct bpf_tc_hook hook = hook_of(ifindex, out);
	struct bpf_tc_opts opts = opts_of(out);
	__u32 prog_id;

	opts.prog_fd = prog_fd;
	if (!tc_filter_read(ifindex, out, &prog_id))
		opts.flags = BPF_TC_F_REPLACE;
	return bpf_tc_attach(&hook, &opts);
}

int tc_filter_remove(__u32 ifindex, bool out)
{
	struct bpf_tc_hook hook = hook_of(ifindex, out);
	struct bpf_tc_opts opts = opts_of(out);
	__u32 prog_id;

	if (tc_filter_read(ifindex, out, &prog_id))
		return -ENOENT;
	return bpf_tc_detach(&hook, &opts);
}
