// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/sockets.h"

#include "base/array.h"
#include "base/text.h"
#include "bpf/common/sockets.skel.h"
#include "kernel/caps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uthash.h>

#ifndef PIDFD_THREAD /* linux 6.9 */
#define PIDFD_THREAD O_EXCL
#endif

/* A socket, and in a list the further processes that hold it. */
struct entry {
	struct sluice_socket_record record;
	struct entry *next;	  /* another holder */
	UT_hash_handle hh;	  /* keyed by record.sock */
	UT_hash_handle hh_cookie; /* keyed by record.cookie, unless that is 0 */
};

struct sockets {
	struct entry *by_sock;
	struct entry *by_cookie;
	struct entry **all;
	size_t room;
	size_t count;
};

/* Adds a process that holds the socket, unless it is known; the lowest pid comes first. */
static int add_holder(struct entry *first, const struct sluice_socket_record *record)
{
	struct entry *at, *entry;

	/* the address has been reused during the walk */
	if (record->cookie != first->record.cookie)
		return 0;
	for (at = first; at; at = at->next)
		if (at->record.pid == record->pid)
			return 0;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->record = *record;
	if (record->pid < first->record.pid) {
		entry->record = first->record;
		first->record = *record;
	}
	entry->next = first->next;
	first->next = entry;
	return 0;
}

static int add_record(struct sockets *sockets, struct sluice_socket_record *record)
{
	void *all = sockets->all;
	struct entry *entry;

	/* the name of a process may contain any bytes */
	text_plain(record->comm, SLUICE_COMM_SIZE);
	HASH_FIND(hh, sockets->by_sock, &record->sock, sizeof(record->sock), entry);
	if (entry)
		return add_holder(entry, record);
	if (array_grow(&all, &sockets->room, sockets->count, sizeof(struct entry *)))
		return -ENOMEM;
	sockets->all = all;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->record = *record;
	sockets->all[sockets->count++] = entry;
	HASH_ADD(hh, sockets->by_sock, record.sock, sizeof(entry->record.sock), entry);
	if (record->cookie)
		HASH_ADD(hh_cookie, sockets->by_cookie, record.cookie, sizeof(entry->record.cookie),
			 entry);
	return 0;
}

/* Compares executables: any process can use the name, and a list of pids would go stale. */
bool sockets_is_sluice(__u32 pid)
{
	static struct stat own;
	struct stat exe;
	char path[64];

	if (pid == (__u32)getpid())
		return true;
	if (!own.st_ino && stat("/proc/self/exe", &own))
		return false;
	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	return !stat(path, &exe) && exe.st_dev == own.st_dev && exe.st_ino == own.st_ino;
}

/*
 * Returns the iterator, loaded once for the life of the process: loading takes a hundred times as
 * long as a walk (libbpf reads the kernel's BTF), and the daemon walks repeatedly.
 */
static struct bpf_link *iterator(int *result)
{
	static struct bpf_link *link;
	struct sockets_bpf *skel;

	if (link)
		return link;
	skel = sockets_bpf__open_and_load();
	if (skel)
		link = bpf_program__attach_iter(skel->progs.sluice_sockets, NULL);
	*result = link ? 0 : -errno;
	if (skel && !link)
		sockets_bpf__destroy(skel);
	return link;
}

static int walk_files(struct sockets *sockets)
{
	struct sluice_socket_record records[64];
	int fd, result = 0;
	const struct bpf_link *link = iterator(&result);
	ssize_t got;
	size_t i;

	if (!link)
		return result;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return -errno;
	/* a read returns whole records */
	while (!result && (got = read(fd, records, sizeof(records))) != 0) {
		if (got < 0)
			result = -errno;
		for (i = 0; !result && i < got / sizeof(*records); i++)
			result = add_record(sockets, &records[i]);
	}
	close(fd);
	return result;
}

int sockets_read(struct sockets **sockets, struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_PERFMON };
	struct sockets *fresh = calloc(1, sizeof(*fresh));
	int result = fresh ? walk_files(fresh) : -ENOMEM;

	if (result) {
		sockets_free(fresh);
		if (result == -EPERM && caps_require("a walk over the sockets of processes", caps,
						     sizeof(caps) / sizeof(*caps), err))
			return result;
		return err_set(err, EXIT_LACKING, -result, "walk over the sockets of processes: %s",
			       strerror(-result));
	}
	*sockets = fresh;
	return 0;
}

const struct sluice_socket_record *sockets_find(const struct sockets *sockets, __u64 cookie)
{
	struct entry *entry = NULL;

	if (sockets)
		HASH_FIND(hh_cookie, sockets->by_cookie, &cookie, sizeof(cookie), entry);
	return entry ? &entry->record : NULL;
}

const struct sluice_socket_record *sockets_next_holder(const struct sluice_socket_record *record)
{
	/* the record is the first member of its entry */
	const struct entry *next = ((const struct entry *)record)->next;

	return next ? &next->record : NULL;
}

const struct sluice_socket_record *sockets_at(const struct sockets *sockets, size_t index)
{
	return index < sockets->count ? &sockets->all[index]->record : NULL;
}

const char *sockets_no_owner(const struct sockets *sockets)
{
	return sockets ? "(gone)" : "?";
}

void sockets_free(struct sockets *sockets)
{
	size_t i;

	if (!sockets)
		return;
	HASH_CLEAR(hh, sockets->by_sock);
	HASH_CLEAR(hh_cookie, sockets->by_cookie);
	for (i = 0; i < sockets->count; i++) {
		struct entry *entry = sockets->all[i], *next;

		for (; entry; entry = next) {
			next = entry->next;
			free(entry);
		}
	}
	free(sockets->all);
	free(sockets);
}

/* --- access to the sockets of other processes */

/* Reads the cookie and compares the socket with the record, by port if it has no cookie. */
static bool is_recorded(int fd, const struct sluice_socket_record *record, __u64 *cookie)
{
	socklen_t cookie_size = sizeof(*cookie), int_size = sizeof(int);
	struct sockaddr_in6 addr = { 0 };
	socklen_t addr_size = sizeof(addr);
	int protocol = 0;

	/* sockaddr_in has the port at the same offset */
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &int_size) ||
	    protocol != IPPROTO_UDP || getsockname(fd, (struct sockaddr *)&addr, &addr_size) ||
	    ntohs(addr.sin6_port) != record->port ||
	    getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &cookie_size))
		return false;
	return !record->cookie || record->cookie == *cookie;
}

int sockets_take(const struct sluice_socket_record *record, __u64 *cookie)
{
	bool by_thread = record->tid != record->pid;
	int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)record->tid, by_thread ? PIDFD_THREAD : 0);
	int fd, error;

	if (pidfd < 0 && by_thread && errno == EINVAL)
		return -EOPNOTSUPP;
	if (pidfd < 0)
		return errno == ESRCH ? -ESTALE : -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)record->fd, 0);
	error = errno;
	close(pidfd);
	if (fd < 0)
		return error == EBADF || error == ESRCH ? -ESTALE : -error;
	if (is_recorded(fd, record, cookie))
		return fd;
	close(fd);
	return -ESTALE;
}

int sockets_memory(int fd, struct socket_memory *memory)
{
	__u32 values[SK_MEMINFO_VARS] = { 0 };
	socklen_t length = sizeof(values);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &length))
		return -errno;
	*memory = (struct socket_memory){ values[SK_MEMINFO_RMEM_ALLOC], values[SK_MEMINFO_RCVBUF],
					  values[SK_MEMINFO_DROPS] };
	return 0;
}
