/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs on hooks: attached through pinned links, as a transaction.  Links of others on the same
 * hook stay as they are and keep their order.
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

/* A program that is to be on its hook (the section of the program says which), or no longer. */
struct hook {
	const char *pin;
	struct bpf_program *prog;
	bool wanted;
};

/*
 * Brings the cgroup hooks of a plane to what is wanted: a missing link is made and pinned, an
 * attached one is updated in place, one on another cgroup gives way after its successor is there,
 * an unwanted one is removed last.  New links come first, since attaching is what may be refused:
 * then all is as it was, and *err says why.
 */
int links_apply_cgroup(const char *dir, const char *plane, const char *cgroup, struct hook *hooks,
		       int count, struct err *err);

/* Silences libbpf, or with --verbose shows what it says. */
void links_libbpf_log(void);

/* Has the running kernel's own BTF (not a module's) this struct? */
bool kernel_has_struct(const char *name);

/* What helps where the kernel counts maps to RLIMIT_MEMLOCK and there is too little of it. */
#define LINKS_MEMLOCK_HINT "grant CAP_SYS_RESOURCE, or raise it ('ulimit -l')"

/*
 * Names the reason of a failed bpf_object__load(): the end of the verifier's log into err->detail,
 * the whole of it into a file that the message names.
 */
int links_load_error(const char *what, int error, const char *verifier_log, struct err *err);

/* An attached link, as the kernel has it. */
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

/* Reads a pinned link; -errno if it is not there. */
int hook_read(const char *dir, const char *plane, const char *pin, struct hook_state *state);
/* "cgroup/sendmsg4" */
const char *hook_type_name(__u32 attach_type);

/* Reads what the kernel says of a program, by a descriptor or an id; all zero on failure. */
int prog_info_by_fd(int fd, struct bpf_prog_info *info);
int prog_info_by_id(__u32 id, struct bpf_prog_info *info);

struct hook_prog {
	__u32 id;
	char name[BPF_OBJ_NAME_LEN];
};

/* Fills in the name by the id; what cannot be seen leaves it as it is. */
void hook_prog_name(struct hook_prog *prog);

/* A tcx or XDP link, as the kernel has it. */
struct hook_link {
	__u32 id;
	__u32 prog_id;
	__u32 ifindex; /* 0: the interface is gone, or somebody has detached it */
};

/* 0 or -errno. */
int hook_link_read(int link_fd, struct hook_link *link);
/* Opens the pinned link of an interface: a descriptor, or -errno; -ENOENT if it is dead, too. */
int hook_link_open(const char *dir, const char *plane, const char *pin, __u32 ifindex,
		   struct hook_link *link);

/* The programs that run on a hook of a cgroup, in order, those of its ancestors too. Their count.
 */
int hook_order(const char *cgroup, __u32 attach_type, struct hook_prog progs[HOOK_PROGS_MAX]);

#endif
