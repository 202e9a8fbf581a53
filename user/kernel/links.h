/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs on cgroup hooks, attached through pinned links in one transaction. Other links on the
 * same hook keep their order.
 */
#ifndef SLUICE_KERNEL_LINKS_H
#define SLUICE_KERNEL_LINKS_H

#include "base/err.h"

#include <bpf/libbpf.h>
#include <limits.h>
#include <linux/types.h>
#include <stdbool.h>

#define HOOKS_MAX      8
#define HOOK_PROGS_MAX 64

/* A program, and whether to attach it; the section of the program names the hook. */
struct hook {
	const char *pin;
	struct bpf_program *prog;
	bool wanted;
};

/*
 * Attaches the wanted programs to the cgroup: creates and pins missing links, updates existing
 * links in place, replaces a link on another cgroup after attaching the new link, and removes
 * unwanted links. The program of hooks[0] fills maps that the other programs read: its new link is
 * attached first, and its old program or link is replaced last. If the loader dies in between, no
 * program reads a map that is no longer filled. Returns 0, or -errno with *err set and all links
 * unchanged; or -EUCLEAN with *err set if a link has been replaced or removed, or keeps its new
 * program.
 */
int links_apply_cgroup(const char *dir, const char *object, const char *cgroup, struct hook *hooks,
		       int count, struct err *err);

/* Silences libbpf, or with --verbose logs its messages. */
void links_libbpf_log(void);

/* A cgroup link and its program. */
struct hook_state {
	char pin[NAME_MAX];
	__u32 link_id;
	__u32 prog_id;
	char prog_name[BPF_OBJ_NAME_LEN];
	__u32 attach_type;
	__u64 cgroup_id;
	__u64 run_ns; /* 0 unless kernel.bpf_stats_enabled */
	__u64 run_count;
};

/* Reads a pinned link. Returns 0 or -errno. */
int hook_read(const char *dir, const char *object, const char *pin, struct hook_state *state);
/* Returns a name such as "cgroup/sendmsg4". */
const char *hook_type_name(__u32 attach_type);

/* Read a program's info by descriptor or id; *info is all zero on failure. */
int prog_info_by_fd(int fd, struct bpf_prog_info *info);
int prog_info_by_id(__u32 id, struct bpf_prog_info *info);

struct hook_prog {
	__u32 id;
	char name[BPF_OBJ_NAME_LEN]; /* "?" if unknown */
};

struct hook_prog hook_prog_by_id(__u32 id);

/* A tcx or XDP link. */
struct hook_link {
	__u32 id;
	__u32 prog_id;
	__u32 ifindex; /* 0: the interface was deleted, or the link detached */
};

/* Returns 0 or -errno. */
int hook_link_read(int link_fd, struct hook_link *link);
/* Opens the pinned link of an interface. Returns its descriptor or -errno; -ENOENT if detached. */
int hook_link_open(const char *dir, const char *object, const char *pin, __u32 ifindex,
		   struct hook_link *link);

/*
 * Lists the programs on a cgroup's hook, including those of its ancestors, in the order in which
 * they run. Returns their number or -errno.
 */
int hook_order(const char *cgroup, __u32 attach_type, struct hook_prog progs[HOOK_PROGS_MAX]);

#endif
