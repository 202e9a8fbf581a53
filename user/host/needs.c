// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/needs.h"

#include "kernel/caps.h"
#include "kernel/mounts.h"
#include "kernel/pin_dir.h"
#include "steer/needs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* In bytes: the maps of an object with a flow table of the default size, and a margin. */
#define MAP_MEMORY (4 << 20)

#define REPLY (1U << CHECK_REPLY)
#define STEER (1U << CHECK_STEER)
#define HOLD  (1U << CHECK_HOLD)

static enum feature kernel(const struct need *need, struct probe *probe)
{
	struct utsname name;

	if (uname(&name))
		return FEATURE_NO;
	return need_answer(probe, FEATURE_YES, NULL, "%s %s", name.release, name.machine);
}

static enum feature bpf(const struct need *need, struct probe *probe)
{
	enum feature answer = feature_bpf();

	probe->bpf_refused = answer == FEATURE_REFUSED;
	return answer;
}

/* As in a load, libbpf raises RLIMIT_MEMLOCK if permitted. */
static enum feature memory(const struct need *need, struct probe *probe)
{
	enum feature answer = feature_memory(MAP_MEMORY);

	if (answer != FEATURE_REFUSED)
		return answer;
	return need_answer(probe, answer, CAPS_MEMLOCK_HINT,
			   "RLIMIT_MEMLOCK is too low (kernels before 5.11 charge maps to it)");
}

static enum feature btf(const struct need *need, struct probe *probe)
{
	if (probe->vmlinux)
		return FEATURE_YES;
	return access("/sys/kernel/btf", F_OK) && errno == EACCES ? FEATURE_REFUSED : FEATURE_NO;
}

static enum feature bpffs(const struct need *need, struct probe *probe)
{
	char at[PATH_MAX];
	struct err err = { 0 };

	if (pins_on_bpffs(probe->bpffs, at, &err))
		return need_answer(probe,
				   err.code == EXIT_PERMISSION ? FEATURE_REFUSED : FEATURE_NO,
				   err.hint, "%s", err.what);
	if (access(at, W_OK) && errno == EROFS)
		return need_answer(probe, FEATURE_NO, PINS_READ_ONLY_HINT, "%s: read-only", at);
	if (access(at, W_OK | X_OK))
		return need_answer(probe, FEATURE_REFUSED,
				   "run as root, or name another pin directory with --bpffs",
				   "%s: not writable", at);
	return need_answer(probe, FEATURE_YES, NULL, "%s", at);
}

/* Returns true if controllers of cgroup v1 are mounted, as in systemd's hybrid layout. */
static bool cgroup_is_hybrid(void)
{
	FILE *mountinfo = fopen("/proc/self/mountinfo", "re");
	bool hybrid = mountinfo && mounts_have_cgroup1(mountinfo);

	if (mountinfo)
		fclose(mountinfo);
	return hybrid;
}

static enum feature cgroup(const struct need *need, struct probe *probe)
{
	const char *path = probe->cgroup;
	char mounted[PATH_MAX], hint[PATH_MAX + 64];
	enum feature missing;
	int result;

	if (path) {
		result = mounts_is_cgroup2(path);
		missing = result == -EACCES ? FEATURE_REFUSED : FEATURE_NO;
		if (result != 1)
			return need_answer(probe, missing, mounts_cgroup2_hint(hint), "%s: %s",
					   path, result ? strerror(-result) : "not on a cgroup2");
	} else {
		path = mounted;
		result = mounts_cgroup2(mounted, sizeof(mounted));
		missing = result == -EACCES ? FEATURE_REFUSED : FEATURE_NO;
		if (result)
			return need_answer(
				probe, missing,
				cgroup_is_hybrid() ? "mkdir -p /sys/fs/cgroup/unified && "
						     "mount -t cgroup2 none /sys/fs/cgroup/unified"
						   : "mkdir -p /sys/fs/cgroup && "
						     "mount -t cgroup2 none /sys/fs/cgroup",
				"%s", result == -ENOENT ? "not mounted" : strerror(-result));
	}
	if (!mounts_is_cgroup2_root(path))
		return need_answer(
			probe, FEATURE_LIMITED,
			"mount the host's cgroup2 root here and name it with --cgroup to cover"
			" the host",
			"%s is a subtree: only processes below it are covered", path);
	return need_answer(probe, FEATURE_YES, NULL, "%s, root of the whole host, %s layout", path,
			   cgroup_is_hybrid() ? "hybrid" : "pure v2");
}

static const struct need rows[] = {
	{ .name = "kernel", .probe = kernel },
	NEED_CAP(CAP_BPF, "load programs and create maps"),
	NEED_CAP(CAP_NET_ADMIN, "attach programs to the network"),
	NEED_CAP(CAP_PERFMON, "read kernel structures in programs"),
	{ .name = "bpf(2)",
	  .why = "the system call is allowed",
	  .probe = bpf,
	  .takes = NEED_BPF,
	  .since = "3.18",
	  .hint = NEED_SECCOMP_HINT },
	{ .name = "memory for maps",
	  .why = "the flow table and other maps",
	  .probe = memory,
	  .takes = NEED_BPF,
	  .hint = "raise the cgroup's memory limit" },
	{ .name = "BTF",
	  .why = "gives programs the layout of kernel structures (CO-RE)",
	  .probe = btf,
	  .since = "5.2",
	  .hint = "a kernel built with CONFIG_DEBUG_INFO_BTF" },
};

static const struct need pinned_rows[] = {
	{ .name = "bpffs", .probe = bpffs },
	{ .name = "cgroup2", .probe = cgroup, .optional = STEER, .fallback = STEER_SWEEP_FALLBACK },
	{ .name = "iter/task_file",
	  .why = "finds sockets and their processes",
	  .has_btf = feature_file_iterator,
	  .takes = NEED_BPF | NEED_PERFMON | NEED_BTF,
	  .since = "5.8",
	  .optional = REPLY | HOLD,
	  .fallback = "processes stay unknown" },
};

NEEDS(host_needs, rows);
NEEDS(pinned_needs, pinned_rows);
