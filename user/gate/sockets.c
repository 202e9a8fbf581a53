// SPDX-License-Identifier: GPL-2.0-or-later
#include "sockets.h"

#include "sockets.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

struct entry {
	struct sluice_socket_record record;
	UT_hash_handle hh;
};

struct sockets {
	struct entry *by_cookie;
};

/* A process names itself as it likes; what is printed must be plain text. */
static void comm_clean(char comm[SLUICE_COMM_SIZE])
{
	int i;

	for (i = 0; i < SLUICE_COMM_SIZE && comm[i]; i++)
		if (comm[i] < ' ' || comm[i] > '~' || comm[i] == '|')
			comm[i] = '?';
}

static int sockets_add(struct sockets *sockets, const struct sluice_socket_record *record)
{
	struct entry *entry;

	if (!record->cookie)
		return 0;
	HASH_FIND(hh, sockets->by_cookie, &record->cookie, sizeof(record->cookie), entry);
	if (entry) {
		if (record->pid < entry->record.pid) {
			entry->record = *record;
			comm_clean(entry->record.comm);
		}
		return 0;
	}
	entry = malloc(sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->record = *record;
	comm_clean(entry->record.comm);
	HASH_ADD(hh, sockets->by_cookie, record.cookie, sizeof(entry->record.cookie), entry);
	return 0;
}

/* The kernel hands out whole records, as many as fit a read. */
static int sockets_fill(struct sockets *sockets, int iter_fd)
{
	struct sluice_socket_record records[64];
	ssize_t got;
	int result = 0;

	while (!result && (got = read(iter_fd, records, sizeof(records))) > 0) {
		size_t i;

		for (i = 0; !result && i < got / sizeof(*records); i++)
			result = sockets_add(sockets, &records[i]);
	}
	return result ? result : got < 0 ? -errno : 0;
}

static int sockets_iterate(struct sockets *sockets, struct sockets_bpf *skel)
{
	struct bpf_link *link;
	int fd, result;

	if (sockets_bpf__load(skel))
		return -errno;
	link = bpf_program__attach_iter(skel->progs.sluice_sockets, NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	result = fd < 0 ? -errno : sockets_fill(sockets, fd);
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return result;
}

int sockets_read(struct sockets **sockets, struct err *err)
{
	struct sockets *fresh = calloc(1, sizeof(*fresh));
	struct sockets_bpf *skel = sockets_bpf__open();
	int result = fresh && skel ? sockets_iterate(fresh, skel) : -ENOMEM;

	sockets_bpf__destroy(skel);
	if (result) {
		sockets_free(fresh);
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
		HASH_FIND(hh, sockets->by_cookie, &cookie, sizeof(cookie), entry);
	return entry ? &entry->record : NULL;
}

const char *sockets_nobody(const struct sockets *sockets)
{
	return sockets ? "(gone)" : "?";
}

void sockets_free(struct sockets *sockets)
{
	struct entry *entry, *next;

	if (!sockets)
		return;
	HASH_ITER(hh, sockets->by_cookie, entry, next) {
		HASH_DEL(sockets->by_cookie, entry);
		free(entry);
	}
	free(sockets);
}
