// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/tc.h"

#include "base/nl.h"

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

/* include/uapi/linux/bpf.h of 6.6: before the program named, or without a name before all */
#define F_BEFORE (1U << 3)

/* Filters run in the order of their priorities, 1 to 65535. */
#define PRIORITY_IN  60427
#define PRIORITY_OUT 1
#define HANDLE	     0x511ce

#define OUR_PREFIX "sluice_"

/* --- tcx */

int tc_link_create(__u32 ifindex, bool out, int prog_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = out ? F_BEFORE : 0);
	int fd = bpf_link_create(prog_fd, (int)ifindex,
				 (enum bpf_attach_type)(out ? TC_TCX_EGRESS : TC_TCX_INGRESS),
				 &opts);

	return fd < 0 ? -errno : fd;
}

/* --- clsact */

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

static __u32 parent_of(bool out)
{
	return TC_H_MAKE(TC_H_CLSACT, out ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
}

struct search {
	__u32 ifindex;
	bool clsact;
};

static void qdiscs_request(struct nlmsghdr *nlh, void *into)
{
	const struct search *search = into;
	struct tcmsg *msg;

	nlh->nlmsg_type = RTM_GETQDISC;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->tcm_ifindex = (int)search->ifindex;
}

static int qdisc_take(const struct nlmsghdr *nlh, void *into)
{
	const struct tcmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct search *search = into;
	const struct nlattr *attr;

	/* older kernels list the qdiscs of all interfaces */
	if (msg->tcm_ifindex != (int)search->ifindex || msg->tcm_parent != TC_H_CLSACT)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*msg))
		if (mnl_attr_get_type(attr) == TCA_KIND &&
		    !strcmp(mnl_attr_get_str(attr), "clsact"))
			search->clsact = true;
	return MNL_CB_OK;
}

static void qdiscs_forget(void *into)
{
	((struct search *)into)->clsact = false;
}

/* The older qdisc `ingress` stands in the same place, and would take an egress filter for its own.
 */
static int clsact_is_there(__u32 ifindex)
{
	static const struct nl_dump dump = { NETLINK_ROUTE, qdiscs_request, qdisc_take,
					     qdiscs_forget };
	struct search search = { ifindex, false };
	int result = nl_dump(&dump, &search);

	return result ? result : search.clsact ? 0 : -EBUSY;
}

int tc_clsact_make(__u32 ifindex, bool *made)
{
	struct bpf_tc_hook hook = hook_of(ifindex, false);
	int result;

	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	result = bpf_tc_hook_create(&hook);
	*made = !result;
	return result == -EEXIST ? clsact_is_there(ifindex) : result;
}

static bool prog_is_ours(__u32 id)
{
	struct bpf_prog_info info;

	return !prog_info_by_id(id, &info) && !strncmp(info.name, OUR_PREFIX, strlen(OUR_PREFIX));
}

int tc_filter_read(__u32 ifindex, bool out, __u32 *prog_id)
{
	struct bpf_tc_hook hook = hook_of(ifindex, out);
	struct bpf_tc_opts opts = opts_of(out);

	if (bpf_tc_query(&hook, &opts) || !prog_is_ours(opts.prog_id))
		return -ENOENT;
	*prog_id = opts.prog_id;
	return 0;
}

int tc_filter_set(__u32 ifindex, bool out, int prog_fd)
{
	struct bpf_tc_hook hook = hook_of(ifindex, out);
	struct bpf_tc_opts opts = opts_of(out);
	__u32 there;

	opts.prog_fd = prog_fd;
	if (!tc_filter_read(ifindex, out, &there))
		opts.flags = BPF_TC_F_REPLACE;
	return bpf_tc_attach(&hook, &opts);
}

int tc_filter_remove(__u32 ifindex, bool out)
{
	struct bpf_tc_hook hook = hook_of(ifindex, out);
	struct bpf_tc_opts opts = opts_of(out);
	__u32 there;

	if (tc_filter_read(ifindex, out, &there))
		return -ENOENT;
	return bpf_tc_detach(&hook, &opts);
}

/* --- what is on a hook */

struct listing {
	__u32 ifindex;
	__u32 parent;
	struct hook_prog *progs;
	int count;
};

static void filters_request(struct nlmsghdr *nlh, void *into)
{
	const struct listing *listing = into;
	struct tcmsg *msg;

	nlh->nlmsg_type = RTM_GETTFILTER;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->tcm_ifindex = (int)listing->ifindex;
	msg->tcm_parent = listing->parent;
}

struct filter {
	struct tc_blocker as; /* what it is, whoever has put it there */
	__u32 prog_id;
	__u16 protocol_be;
};

static void bpf_options(const struct nlattr *options, struct filter *filter)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, options) {
		if (mnl_attr_get_type(attr) == TCA_BPF_ID)
			filter->prog_id = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == TCA_BPF_NAME)
			snprintf(filter->as.name, sizeof(filter->as.name), "%s",
				 mnl_attr_get_str(attr));
	}
}

/* False for a priority itself, which is listed as well, without a handle. */
static bool filter_read(const struct nlmsghdr *nlh, struct filter *filter)
{
	const struct tcmsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *options = NULL;

	*filter = (struct filter){ .as = { .handle = msg->tcm_handle,
					   .priority = TC_H_MAJ(msg->tcm_info) >> 16 },
				   .protocol_be = (__u16)TC_H_MIN(msg->tcm_info) };
	mnl_attr_for_each(attr, nlh, sizeof(*msg)) {
		if (mnl_attr_get_type(attr) == TCA_KIND)
			snprintf(filter->as.kind, sizeof(filter->as.kind), "%s",
				 mnl_attr_get_str(attr));
		else if (mnl_attr_get_type(attr) == TCA_OPTIONS)
			options = attr;
	}
	if (options && !strcmp(filter->as.kind, "bpf"))
		bpf_options(options, filter);
	return msg->tcm_handle;
}

static int filter_take(const struct nlmsghdr *nlh, void *into)
{
	struct listing *listing = into;
	struct hook_prog *prog = &listing->progs[listing->count];
	struct filter filter;

	if (!filter_read(nlh, &filter) || listing->count == HOOK_PROGS_MAX)
		return MNL_CB_OK;
	prog->id = filter.prog_id;
	snprintf(prog->name, sizeof(prog->name), "%.*s", BPF_OBJ_NAME_LEN - 1,
		 filter.as.name[0] ? filter.as.name : filter.as.kind);
	listing->count++;
	return MNL_CB_OK;
}

static void filters_forget(void *into)
{
	((struct listing *)into)->count = 0;
}

/* -errno without a clsact, too. */
static int filters_list(__u32 ifindex, bool out, struct hook_prog progs[HOOK_PROGS_MAX])
{
	static const struct nl_dump dump = { NETLINK_ROUTE, filters_request, filter_take,
					     filters_forget };
	struct listing listing = { ifindex, parent_of(out), progs, 0 };
	int result = nl_dump(&dump, &listing);

	return result ? result : listing.count;
}

void tc_clsact_remove_unused(__u32 ifindex)
{
	struct hook_prog progs[HOOK_PROGS_MAX];
	struct bpf_tc_hook hook = hook_of(ifindex, false);

	if (filters_list(ifindex, false, progs) || filters_list(ifindex, true, progs))
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}

/* --- what is in our way */

struct blocking {
	struct listing listing; /* first: filters_request() takes it for one */
	bool out;
	bool found;
	struct tc_blocker blocker;
};

static int blocker_take(const struct nlmsghdr *nlh, void *into)
{
	struct blocking *blocking = into;
	const struct bpf_tc_opts ours = opts_of(blocking->out);
	struct filter filter;

	if (!filter_read(nlh, &filter) || filter.as.priority != ours.priority)
		return MNL_CB_OK;
	if (filter.as.handle != ours.handle && !strcmp(filter.as.kind, "bpf") &&
	    filter.protocol_be == htons(ETH_P_ALL))
		return MNL_CB_OK;
	blocking->blocker = filter.as;
	blocking->found = true;
	return MNL_CB_OK;
}

static void blocker_forget(void *into)
{
	((struct blocking *)into)->found = false;
}

int tc_filter_blocker(__u32 ifindex, bool out, struct tc_blocker *blocker)
{
	static const struct nl_dump dump = { NETLINK_ROUTE, filters_request, blocker_take,
					     blocker_forget };
	struct blocking blocking = { .listing = { ifindex, parent_of(out), NULL, 0 }, .out = out };

	if (nl_dump(&dump, &blocking) || !blocking.found)
		return -ENOENT;
	*blocker = blocking.blocker;
	return 0;
}

int tc_order(__u32 ifindex, bool out, struct hook_prog progs[HOOK_PROGS_MAX])
{
	__u32 ids[HOOK_PROGS_MAX], count = HOOK_PROGS_MAX, i;
	struct hook_prog filters[HOOK_PROGS_MAX];
	int filter_count = filters_list(ifindex, out, filters), j;

	if (bpf_prog_query((int)ifindex,
			   (enum bpf_attach_type)(out ? TC_TCX_EGRESS : TC_TCX_INGRESS), 0, NULL,
			   ids, &count))
		count = 0;
	for (i = 0; i < count; i++)
		progs[i] = (struct hook_prog){ .id = ids[i], .name = "?" };
	for (j = 0; j < filter_count && count < HOOK_PROGS_MAX; j++)
		progs[count++] = filters[j];
	for (i = 0; i < count; i++)
		if (progs[i].id)
			hook_prog_name(&progs[i]);
	return (int)count;
}
