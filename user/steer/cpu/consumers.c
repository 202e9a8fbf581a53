// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/cpu/consumers.h"

#include "base/log.h"
#include "bpf/steer/consumers.skel.h"
#include "kernel/links.h"
#include "kernel/maps.h"
#include "kernel/object.h"
#include "kernel/pins.h"
#include "kernel/unload.h"
#include "steer/group/groups.h"
#include "steer/group/program.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel's maximum for NR_CPUS; sched_getaffinity() fails if the set is too small. */
#define CPUS_MAX 8192

#define PIN_MAP "sluice_consumers"

static const char *const pins[] = { CONSUMERS_PIN_RECV4, CONSUMERS_PIN_RECV6, PIN_MAP };

static __u32 own_pid_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : (__u32)st.st_ino;
}

/*
 * Returns true if the link is attached. Removal of its cgroup detaches the link, and its cgroup id
 * is then 0.
 */
static bool is_attached(const char *bpffs, const char *pin)
{
	struct hook_state state;

	return !hook_read(bpffs, STEER_OBJECT, pin, &state) && state.cgroup_id;
}

bool consumers_are_attached(const char *bpffs)
{
	return is_attached(bpffs, CONSUMERS_PIN_RECV4) && is_attached(bpffs, CONSUMERS_PIN_RECV6);
}

int consumers_open(const char *bpffs)
{
	int fd;

	if (!consumers_are_attached(bpffs))
		return -ENOENT;
	fd = pins_get(bpffs, STEER_OBJECT, PIN_MAP, PINS_MAP);
	/* a map of another version of sluice does not fit struct sluice_consumer */
	if (fd >= 0 &&
	    !map_is(fd, BPF_MAP_TYPE_HASH, sizeof(__u64), sizeof(struct sluice_consumer))) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

/* Detaches the staged links of a loader that died. */
static void staged_drop(const char *bpffs)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(pins) / sizeof(*pins); i++)
		unload_pin(pins_staged_path(bpffs, STEER_OBJECT, pins[i], path));
}

int consumers_attach(const char *bpffs, const char *cgroup, bool renew, struct err *err)
{
	struct sluice_meta loaded = { 0 };
	struct object object = {
		.state_dir = &steer_state_dir,
		.dir = bpffs,
		.what = "programs on recvmsg",
		.before = &loaded,
	};
	struct hook hooks[] = { { CONSUMERS_PIN_RECV4, NULL, true },
				{ CONSUMERS_PIN_RECV6, NULL, true } };
	int before_fd = consumers_open(bpffs), fd = -1, result;
	bool keep = before_fd >= 0;
	struct consumers_bpf *skel;

	staged_drop(bpffs);
	if (keep && !renew)
		return before_fd;
	skel = consumers_bpf__open_opts(object_open_opts(&object));
	if (skel) {
		skel->rodata->pid_ns = own_pid_ns();
		/* keep a map of the same size; a map of another size is not worth migrating */
		if (keep &&
		    map_entries(before_fd) == bpf_map__max_entries(skel->maps.sluice_consumers))
			loaded.magic = SLUICE_MAGIC;
	}
	result = object_verify(&object, skel ? skel->skeleton : NULL, err);
	if (result)
		goto end;
	fd = dup(bpf_map__fd(skel->maps.sluice_consumers));
	if (fd < 0)
		result = err_set(err, EXIT_ERROR, errno, "consumers: %s", strerror(errno));
	else
		result = object_pin_maps(&object, err);
	if (result)
		goto end;
	hooks[0].prog = skel->progs.sluice_recv4;
	hooks[1].prog = skel->progs.sluice_recv6;
	result = links_apply_cgroup(bpffs, STEER_OBJECT, cgroup, hooks, 2, err);
	if (result || loaded.magic)
		goto end;
	result = object_pin(&object, fd, PIN_MAP, err);
	keep &= !result;
end:
	if (result && !keep)
		consumers_detach(bpffs);
	if (result && fd >= 0)
		close(fd);
	if (before_fd >= 0)
		close(before_fd);
	consumers_bpf__destroy(skel);
	object_end(&object);
	return result ? result : fd;
}

void consumers_detach(const char *bpffs)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(pins) / sizeof(*pins); i++)
		unload_pin(pins_path(bpffs, STEER_OBJECT, pins[i], path));
	staged_drop(bpffs);
}

bool consumers_read(int map_fd, __u64 cookie, struct sluice_consumer *consumer)
{
	const struct sluice_consumer none = { 0 };

	if (bpf_map_lookup_elem(map_fd, &cookie, consumer)) {
		bpf_map_update_elem(map_fd, &cookie, &none, BPF_NOEXIST);
		return false;
	}
	if (!consumer->thread)
		return false;
	/* an update between the two calls is lost, but the next datagram updates the entry again */
	bpf_map_update_elem(map_fd, &cookie, &none, BPF_EXIST);
	/* the thread ids are valid only in the PID namespace of the loader */
	if (consumer->pid_ns != own_pid_ns())
		consumer->tid = 0;
	return true;
}

void consumers_remove(int map_fd, __u64 cookie)
{
	bpf_map_delete_elem(map_fd, &cookie);
}

/* --- affinity */

int consumers_thread_cpu(__u32 tid)
{
	const size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
	int cpu = 0;

	if (!set)
		return -ENOMEM;
	if (sched_getaffinity((pid_t)tid, size, set))
		cpu = -errno;
	else if (CPU_COUNT_S(size, set) != 1)
		cpu = -ENOENT;
	while (cpu >= 0 && !CPU_ISSET_S(cpu, size, set))
		cpu++;
	CPU_FREE(set);
	return cpu;
}

int consumers_process_cpu(__u32 pid, __u32 *tid)
{
	int threads = 0, cpu = -ESRCH;
	struct dirent *entry;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return -ESRCH;
	while ((!threads || cpu >= 0) && (entry = readdir(tasks))) {
		__u32 thread = (__u32)strtoul(entry->d_name, NULL, 10);
		int own = thread ? consumers_thread_cpu(thread) : -ENOENT;

		/* skip "." and ".." */
		if (!thread)
			continue;
		cpu = threads && own != cpu ? -ENOENT : own;
		*tid = threads++ ? 0 : thread;
	}
	closedir(tasks);
	return cpu;
}

/* Logs a failure, or recovery if @failure is NULL. */
static void failure_log(struct steer_loader *loader, const char *failure, bool attached)
{
	if (!log_condition_set(&loader->consumers_failure, failure))
		return;
	if (!failure)
		log_info("steer: programs on recvmsg attached: consumers are detected");
	else if (attached)
		log_warning("steer: the programs on recvmsg are not replaced: %s", failure);
	else
		log_warning("steer: cannot detect which thread receives on which CPU: %s", failure);
}

int consumers_ensure(struct steer_loader *loader, const char *bpffs, bool renew)
{
	const char *failure = NULL;
	struct err err;
	int fd;

	renew |= loader->consumers == STEER_CONSUMERS_RETRY;
	if (loader->consumers == STEER_CONSUMERS_FAILED && !renew) {
		fd = consumers_open(bpffs);
		return fd < 0 ? -1 : fd;
	}
	if (loader->consumers_attached && !consumers_are_attached(bpffs))
		log_warning("steer: the programs on recvmsg are no longer attached: attaching them"
			    " again");
	fd = loader->cgroup ? consumers_attach(bpffs, loader->cgroup, renew, &err) : -ENOENT;
	if (fd < 0) {
		failure = loader->cgroup ? err.what : loader->no_cgroup;
		fd = consumers_open(bpffs);
	}
	loader->consumers_attached = fd >= 0;
	loader->consumers = failure ? STEER_CONSUMERS_FAILED : STEER_CONSUMERS_OK;
	failure_log(loader, failure, fd >= 0);
	return fd < 0 ? -1 : fd;
}
