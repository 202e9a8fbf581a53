// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/instance.h"

#include "kernel/mounts.h"
#include "process/exe.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* PID_MAX_LIMIT is 2^22; the start time counts clock ticks since the host's boot. */
#define PID_BITS 22

struct process {
	__u32 parent;
	__u64 start;
	__u64 stack; /* start address of the stack: fork(2) keeps it, execve(2) randomises it */
	struct exe exe;
};

static bool process_read(__u32 pid, struct process *process)
{
	char path[64], line[1024], *rest = NULL;
	FILE *file;

	exe_read(pid, &process->exe);
	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	/* the name in field 2 may contain blanks and parentheses: parse after the last ')' */
	if (fgets(line, sizeof(line), file))
		rest = strrchr(line, ')');
	fclose(file);
	return rest && sscanf(rest,
			      ") %*c %u %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d"
			      " %*d %*d %*d %llu %*u %*d %*u %*u %*u %llu",
			      &process->parent, &process->start, &process->stack) == 3;
}

static __u64 instance_of_process(__u32 pid)
{
	struct process process, parent;

	if (!process_read(pid, &process))
		return 0;
	while (process.parent > 1 && process_read(process.parent, &parent) &&
	       exe_equal(&parent.exe, &process.exe) && parent.stack == process.stack) {
		pid = process.parent;
		process = parent;
	}
	return process.start << PID_BITS | pid;
}

bool instance_is_below(__u32 pid, __u32 ancestor)
{
	struct process process = { .parent = pid };

	while (process.parent != ancestor)
		if (!process.parent || !process_read(process.parent, &process))
			return false;
	return pid != ancestor;
}

/*
 * Returns the inode number of the process's cgroup2. Its line in /proc/PID/cgroup starts with
 * "0::".
 */
static __u64 instance_of_cgroup(__u32 pid)
{
	char path[64], line[PATH_MAX], root[PATH_MAX], full[2 * PATH_MAX];
	struct stat st = { 0 };
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	file = mounts_cgroup2(root, sizeof(root)) ? NULL : fopen(path, "re");
	if (!file)
		return 0;
	while (!st.st_ino && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		snprintf(full, sizeof(full), "%s%s", root, line + 3);
		if (!strncmp(line, "0::", 3) && stat(full, &st))
			break;
	}
	fclose(file);
	return st.st_ino;
}

__u64 instance_of(__u32 pid, enum sluice_steer_generations by)
{
	if (by == SLUICE_STEER_BY_NONE)
		return 1;
	return by == SLUICE_STEER_BY_CGROUP ? instance_of_cgroup(pid) : instance_of_process(pid);
}
