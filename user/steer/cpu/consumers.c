// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/cpu/consumers.h"

#include "base/mounts.h"
#include "bpf/steer/consumers.skel.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The most that a kernel can be built for; one with more CPUs than a set has refuses to tell. */
#define CPUS_MAX 8192

#define ROOM_MIN 64

/* The ways to find readers, the best first. */
static const struct way {
	bool waiting;	    /* looks at the kernel's queues of waiters, too */
	bool by_tracepoint; /* else by the cgroup's hooks */
} ways[] = { { true, true }, { true, false }, { false, true }, { false, false } };

struct readers {
	const struct way *way;
	struct consumers_bpf *skel; /* with room for so many sockets */
	size_t room;
	struct bpf_link *links[2];
	bool in_use;
};

/*
 * Loading takes a hundred times as long as a look, and the daemon looks again and again: what is
 * loaded stays for the life of the process.
 */
static struct readers kept;

/* --- watching */

static void readers_detach(struct readers *readers)
{
	int i;

	for (i = 0; i < 2; i++) {
		bpf_link__destroy(readers->links[i]);
		readers->links[i] = NULL;
	}
}

static void readers_unload(struct readers *readers)
{
	readers_detach(readers);
	consumers_bpf__destroy(readers->skel);
	*readers = (struct readers){ 0 };
}

static int readers_load(struct readers *readers, const struct way *way, size_t count)
{
	struct consumers_bpf *skel = readers->skel = consumers_bpf__open();
	struct stat st;

	if (!skel)
		return -ENOMEM;
	if (stat("/proc/self/ns/pid", &st))
		return -errno;
	readers->way = way;
	for (readers->room = ROOM_MIN; readers->room < count;)
		readers->room *= 2;
	skel->rodata->pid_ns = (__u32)st.st_ino;
	bpf_program__set_autoload(skel->progs.sluice_waiting, way->waiting);
	bpf_program__set_autoload(skel->progs.sluice_read, way->by_tracepoint);
	bpf_program__set_autoload(skel->progs.sluice_read4, !way->by_tracepoint);
	bpf_program__set_autoload(skel->progs.sluice_read6, !way->by_tracepoint);
	bpf_map__set_max_entries(skel->maps.sluice_readers, (__u32)readers->room);
	return consumers_bpf__load(skel) ? -errno : 0;
}

/* Nobody is known of these sockets, and no other is looked at. */
static int readers_enter(const struct readers *readers, const __u64 *cookies, size_t count)
{
	int fd = bpf_map__fd(readers->skel->maps.sluice_readers);
	const struct sluice_reader nobody = { 0 };
	__u64 old;
	size_t i;

	while (!bpf_map_get_next_key(fd, NULL, &old))
		if (bpf_map_delete_elem(fd, &old))
			return -errno;
	for (i = 0; i < count; i++)
		if (bpf_map_update_elem(fd, &cookies[i], &nobody, BPF_ANY))
			return -errno;
	return 0;
}

static int attach_tracepoint(struct readers *readers)
{
	readers->links[0] = bpf_program__attach_raw_tracepoint(readers->skel->progs.sluice_read,
							       "sock_recv_length");
	return readers->links[0] ? 0 : -errno;
}

static int attach_cgroup(struct readers *readers)
{
	char root[PATH_MAX];
	int fd, result = mounts_cgroup2(root, sizeof(root));

	if (result)
		return result;
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	readers->links[0] = bpf_program__attach_cgroup(readers->skel->progs.sluice_read4, fd);
	if (readers->links[0])
		readers->links[1] = bpf_program__attach_cgroup(readers->skel->progs.sluice_read6,
							       fd);
	result = readers->links[1] ? 0 : -errno;
	close(fd);
	return result;
}

/* It writes nothing: reading it to its end runs the program on every file. */
static int waiting_look(const struct readers *readers)
{
	struct bpf_link *link = bpf_program__attach_iter(readers->skel->progs.sluice_waiting, NULL);
	int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1, result = fd < 0 ? -errno : 0;
	char nothing[64];

	while (!result && read(fd, nothing, sizeof(nothing)) > 0)
		;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return result;
}

static int readers_begin(struct readers *readers, const __u64 *cookies, size_t count)
{
	int result = readers_enter(readers, cookies, count);

	if (!result)
		result = readers->way->by_tracepoint ? attach_tracepoint(readers)
						     : attach_cgroup(readers);
	if (!result && readers->way->waiting)
		result = waiting_look(readers);
	return result;
}

static int readers_try(struct readers *readers, const struct way *way, const __u64 *cookies,
		       size_t count)
{
	int result = readers_load(readers, way, count);

	if (!result)
		result = readers_begin(readers, cookies, count);
	if (result)
		readers_unload(readers);
	return result;
}

int readers_watch(const __u64 *cookies, size_t count, struct readers **readers, struct err *err)
{
	int result = -EBUSY;
	size_t i;

	if (!kept.in_use && kept.skel && count <= kept.room)
		result = readers_begin(&kept, cookies, count);
	if (!kept.in_use && result)
		readers_unload(&kept);
	for (i = 0; !kept.in_use && result && i < sizeof(ways) / sizeof(*ways); i++)
		result = readers_try(&kept, &ways[i], cookies, count);
	if (!result) {
		kept.in_use = true;
		*readers = &kept;
		return 0;
	}
	return err_set(err, EXIT_LACKING, -result, "watching who reads the sockets: %s",
		       strerror(-result));
}

static bool is_found(const struct sluice_reader *reader)
{
	return reader->reads || reader->tid;
}

bool readers_complete(const struct readers *readers)
{
	int fd = bpf_map__fd(readers->skel->maps.sluice_readers);
	struct sluice_reader reader;
	__u64 *last = NULL, cookie;

	while (!bpf_map_get_next_key(fd, last, &cookie)) {
		if (bpf_map_lookup_elem(fd, &cookie, &reader) || !is_found(&reader))
			return false;
		last = &cookie;
	}
	return true;
}

bool readers_get(const struct readers *readers, __u64 cookie, struct sluice_reader *reader)
{
	return !bpf_map_lookup_elem(bpf_map__fd(readers->skel->maps.sluice_readers), &cookie,
				    reader) &&
	       is_found(reader);
}

void readers_free(struct readers *readers)
{
	if (!readers)
		return;
	readers_detach(readers);
	readers->in_use = false;
}

/* --- affinity */

static int only_cpu(const cpu_set_t *set, size_t size)
{
	int cpu;

	if (CPU_COUNT_S(size, set) != 1)
		return -ENOENT;
	for (cpu = 0; !CPU_ISSET_S(cpu, size, set);)
		cpu++;
	return cpu;
}

int readers_thread_cpu(__u32 tid)
{
	const size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
	int result;

	if (!set)
		return -ENOMEM;
	result = sched_getaffinity((pid_t)tid, size, set) ? -errno : only_cpu(set, size);
	CPU_FREE(set);
	return result;
}

int readers_thread_last_cpu(__u32 tid)
{
	char path[64], line[1024], *rest;
	int cpu = -ESRCH, field;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/stat", tid);
	file = fopen(path, "re");
	if (!file)
		return -ESRCH;
	rest = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	/* field 39; the name, field 2, may hold blanks and brackets of its own */
	for (field = 2; rest && field < 39; field++) {
		rest = strchr(rest, ' ');
		rest += !!rest;
	}
	return rest && sscanf(rest, "%d", &cpu) == 1 ? cpu : -ESRCH;
}

int readers_process_cpu(__u32 pid, __u32 *tid)
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
		int own = thread ? readers_thread_cpu(thread) : -ENOENT;

		/* the folder itself, and its parent */
		if (!thread)
			continue;
		cpu = threads && own != cpu ? -ENOENT : own;
		*tid = threads++ ? 0 : thread;
	}
	closedir(tasks);
	return cpu;
}
