// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/sockets.h"

#include "base/array.h"
#include "base/text.h"
#include "bpf/common/sockets.skel.h"
#include "kernel/caps.h"
#include "process/exe.h"
#include "process/take_socket.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

/* A socket and a process that holds it. A socket has an entry for each holder, in a list. */
struct entry {
	struct sluice_socket_record record;
	struct entry *next;	  /* next holder of the socket */
	UT_hash_handle hh;	  /* keyed by record.sock */
	UT_hash_handle hh_cookie; /* keyed by record.cookie, unless that is 0 */
};

struct sockets {
	struct entry *by_sock;
	struct entry *by_cookie;
	struct entry **all;
	size_t room;
	size_t count;
	struct sluice_socket_record *members; /* items of struct sluice_socket_members */
	size_t members_room, members_count;
	size_t members_end; /* end of the last group that was read completely */
};

/*
 * Compares executables: any process can use the name "sluice", and a list of pids would become
 * stale.
 */
bool sockets_is_sluice(__u32 pid)
{
	__u32 own_pid = (__u32)getpid();
	static struct exe own;
	struct exe exe;

	if (pid == own_pid)
		return true;
	if (!own.ino)
		exe_read(own_pid, &own);
	return exe_read(pid, &exe) && exe_equal(&exe, &own);
}

/*
 * Returns true if @a precedes @b in the list of holders of a socket. A process of sluice comes
 * last: it may be a blocked child that has taken the socket of a hostile process
 * (process/take_socket.h).
 */
static bool precedes(const struct sluice_socket_record *a, const struct sluice_socket_record *b)
{
	bool a_own = sockets_is_sluice(a->pid), b_own = sockets_is_sluice(b->pid);

	return a_own == b_own ? a->pid < b->pid : b_own;
}

/* Adds a holder of the socket, unless the list already has it. */
static int add_holder(struct entry *first, const struct sluice_socket_record *record)
{
	struct entry *at, *entry;

	/* a different socket: the kernel has reused the address during the walk */
	if (record->cookie != first->record.cookie)
		return 0;
	for (at = first; at; at = at->next)
		if (at->record.pid == record->pid)
			return 0;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->record = *record;
	if (precedes(record, &first->record)) {
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

static int add_members(struct sockets *sockets, const struct sluice_socket_record *item)
{
	void *all = sockets->members;

	if (array_grow(&all, &sockets->members_room, sockets->members_count, sizeof(*item)))
		return -ENOMEM;
	sockets->members = all;
	sockets->members[sockets->members_count++] = *item;
	return 0;
}

/* Adds an item that the iterator has returned. */
static int add_item(struct sockets *sockets, struct sluice_socket_record *item)
{
	const struct sluice_socket_members *members = (void *)item;

	if (sockets->members_count == sockets->members_end) {
		if (members->none)
			return add_record(sockets, item);
		sockets->members_end += sluice_members_items(members->count);
	}
	return add_members(sockets, item);
}

/*
 * Sets the group indexes of the sockets. Call this after the walk, which may find the members of a
 * group before their sockets.
 */
static void indexes_set(struct sockets *sockets)
{
	const struct sluice_socket_members *members;
	struct entry *entry;
	size_t at;
	__u32 i;

	for (at = 0; at < sockets->members_end; at += sluice_members_items(members->count)) {
		members = (void *)&sockets->members[at];
		for (i = 0; i < members->count; i++) {
			HASH_FIND(hh, sockets->by_sock, &members->sock[i], sizeof(__u64), entry);
			if (entry && entry->record.group == members->group)
				entry->record.group_index = i;
		}
	}
}

/*
 * Returns the iterator, which is loaded only once: loading takes a hundred times as long as a walk
 * (libbpf reads the kernel's BTF), and the daemon walks repeatedly.
 */
static struct sockets_bpf *iterator(int *result)
{
	static struct sockets_bpf *loaded;
	struct sockets_bpf *skel = loaded;

	if (!loaded) {
		skel = sockets_bpf__open_and_load();
		if (skel)
			skel->links.sluice_sockets =
				bpf_program__attach_iter(skel->progs.sluice_sockets, NULL);
		*result = skel && skel->links.sluice_sockets ? 0 : -errno;
		if (*result) {
			sockets_bpf__destroy(skel);
			return NULL;
		}
		loaded = skel;
	}
	return skel;
}

/* Returns a link of the iterator to the files of this process, or NULL before Linux 6.1. */
static struct bpf_link *own_link(const struct sockets_bpf *skel)
{
	union bpf_iter_link_info info = { .task.pid = (__u32)getpid() };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	return bpf_program__attach_iter(skel->progs.sluice_sockets, &opts);
}

static struct sluice_sockets_filter filter_of(const struct sockets_filter *wanted)
{
	struct sluice_sockets_filter filter = { .any_port = true, .members = true };

	if (wanted) {
		filter.groups = wanted->groups;
		filter.programs = wanted->programs;
		filter.any_port = wanted->ports.any;
		filter.netns = wanted->netns;
		memcpy(filter.ports, wanted->ports.bit, sizeof(filter.ports));
	}
	return filter;
}

static int walk_begin(struct sockets_bpf *skel, const struct bpf_link *link,
		      const struct sluice_sockets_filter *filter)
{
	int fd;

	skel->bss->filter = *filter;
	memset(skel->bss->seen, 0, sizeof(skel->bss->seen));
	fd = bpf_iter_create(bpf_link__fd(link));
	return fd < 0 ? -errno : fd;
}

static int walk_files(struct sockets *sockets, const struct sockets_filter *filter)
{
	const struct sluice_sockets_filter chosen = filter_of(filter);
	struct sluice_socket_record items[64];
	int fd, result = 0;
	struct sockets_bpf *skel = iterator(&result);
	ssize_t got;
	size_t i;

	if (!skel)
		return result;
	fd = walk_begin(skel, skel->links.sluice_sockets, &chosen);
	if (fd < 0)
		return fd;
	/* a read returns whole items */
	while (!result && (got = read(fd, items, sizeof(items))) != 0) {
		if (got < 0)
			result = -errno;
		for (i = 0; !result && i < got / sizeof(*items); i++)
			result = add_item(sockets, &items[i]);
	}
	close(fd);
	if (!result)
		indexes_set(sockets);
	return result;
}

int sockets_read_own(__u64 cookie, struct sluice_socket_record *record)
{
	static const struct sluice_sockets_filter any = { .any_port = true };
	struct sluice_socket_record item;
	int fd, result = 0;
	struct sockets_bpf *skel = iterator(&result);
	struct bpf_link *own;
	ssize_t got;

	if (!skel)
		return result;
	own = own_link(skel);
	fd = walk_begin(skel, own ? own : skel->links.sluice_sockets, &any);
	result = fd < 0 ? fd : -ESTALE;
	while (result == -ESTALE && (got = read(fd, &item, sizeof(item))) != 0) {
		if (got < 0)
			result = -errno;
		else if (item.cookie == cookie)
			result = 0;
	}
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(own);
	if (!result)
		*record = item;
	return result;
}

int sockets_read(struct sockets **sockets, const struct sockets_filter *filter, struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_PERFMON };
	struct sockets *fresh = calloc(1, sizeof(*fresh));
	int result = fresh ? walk_files(fresh, filter) : -ENOMEM;

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
	free(sockets->members);
	free(sockets);
	process_sockets_end();
}
