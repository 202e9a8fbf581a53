// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/remove.h"

#include "base/addr.h"
#include "kernel/pins.h"
#include "kernel/sockets.h"
#include "steer/group/groups.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUR_NAMES    "sluice_steer" /* what they begin with */
#define PROGRAMS_MAX 512

/* Of a program that nobody else knows how to detach, its group holds the one reference. */
#define REFS_OF_ORPHAN 1

struct removal {
	__u32 pinned[PROGRAMS_MAX]; /* ids of the programs in DIR/steer */
	int pinned_count;
	struct steer_removed *removed;
	int failure; /* of a group that has its program still */
	__u32 failed_pid;
};

/* Is the object behind it a steering program?  A map's information has no such type. */
static bool prog_is_ours(int fd, __u32 *id)
{
	struct bpf_prog_info info = { 0 };
	__u32 length = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length))
		return false;
	*id = info.id;
	return info.type == BPF_PROG_TYPE_SK_REUSEPORT &&
	       !strncmp(info.name, OUR_NAMES, strlen(OUR_NAMES));
}

static bool id_is_ours(__u32 id)
{
	int fd = bpf_prog_get_fd_by_id(id);
	bool ours = prog_is_ours(fd, &id);

	if (fd >= 0)
		close(fd);
	return ours;
}

/* --- the pins */

/* Calls fn for each entry of a folder; entries may be removed meanwhile. */
static void entries_each(const char *path, void (*fn)(const char *path, struct removal *removal),
			 struct removal *removal)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char below[PATH_MAX];

	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < PATH_MAX)
			fn(below, removal);
	}
	closedir(folder);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && S_ISDIR(st.st_mode);
}

static void pin_note(const char *path, struct removal *removal)
{
	__u32 id;
	int fd;

	if (is_folder(path)) {
		entries_each(path, pin_note, removal);
		return;
	}
	fd = bpf_obj_get(path);
	if (prog_is_ours(fd, &id) && removal->pinned_count < PROGRAMS_MAX)
		removal->pinned[removal->pinned_count++] = id;
	if (fd >= 0)
		close(fd);
}

static void pin_remove(const char *path, struct removal *removal)
{
	if (is_folder(path)) {
		entries_each(path, pin_remove, removal);
		rmdir(path);
	} else if (!pins_drop(path)) {
		removal->removed->pins++;
	}
}

/* --- the groups */

static bool is_pinned_here(const struct removal *removal, __u32 id)
{
	int i;

	for (i = 0; i < removal->pinned_count; i++)
		if (removal->pinned[i] == id)
			return true;
	return false;
}

/* Sockets of a group that has been given back already are passed over. */
static void group_give_back(const struct sluice_socket_record *record, struct removal *removal)
{
	__u64 cookie;
	int fd = sockets_take(record, &cookie), result = fd;

	if (fd >= 0) {
		result = steer_group_detach(fd);
		close(fd);
	}
	if (!result) {
		removal->removed->groups++;
	} else if (result != -ESTALE && result != -ENOENT) {
		removal->failure = result;
		removal->failed_pid = record->pid;
	}
}

static void groups_give_back(const struct sockets *sockets, struct removal *removal)
{
	const struct sluice_socket_record *record;
	size_t i;

	for (i = 0; (record = sockets_at(sockets, i)); i++)
		if (record->group && record->group_prog &&
		    (is_pinned_here(removal, record->group_prog) ||
		     (record->group_prog_refs == REFS_OF_ORPHAN && id_is_ours(record->group_prog))))
			group_give_back(record, removal);
}

static int explain(const struct removal *removal, struct err *err)
{
	bool permission = removal->failure == -EPERM;

	err_set(err, permission ? EXIT_PERMISSION : EXIT_ERROR, -removal->failure,
		"steering program of process %u: %s", removal->failed_pid,
		permission ? "its socket can't be taken (needs CAP_SYS_PTRACE)"
			   : strerror(-removal->failure));
	return err_hint(err, removal->failure,
			"it works on until the sockets of its group are closed");
}

int steer_remove(const char *bpffs, struct steer_removed *removed, struct err *err)
{
	struct removal removal = { .removed = removed };
	struct sockets *sockets = NULL;
	char path[PATH_MAX];
	int result;

	*removed = (struct steer_removed){ 0 };
	pins_path(bpffs, STEER_OBJECT, NULL, path);
	entries_each(path, pin_note, &removal);
	result = sockets_read(&sockets, err);
	if (!result)
		groups_give_back(sockets, &removal);
	sockets_free(sockets);
	/* Who may not look can't have attached anything either. */
	if (result && removal.pinned_count)
		return result;
	if (removal.failure)
		return explain(&removal, err);
	pin_remove(path, &removal);
	return 0;
}

/* --- what is left */

static bool is_first_of_group(const struct sockets *sockets, size_t index)
{
	const struct sluice_socket_record *record = sockets_at(sockets, index);
	size_t i;

	for (i = 0; i < index; i++)
		if (sockets_at(sockets, i)->group == record->group)
			return false;
	return true;
}

int steer_attached(steer_attached_fn fn, void *arg)
{
	const struct sluice_socket_record *record;
	char text[ADDR_TEXT_MAX];
	struct sockets *sockets;
	struct err err = { 0 };
	int found = 0, result = sockets_read(&sockets, &err);
	size_t i;

	if (result)
		return result;
	for (i = 0; (record = sockets_at(sockets, i)); i++) {
		if (!record->group || !record->group_prog || !id_is_ours(record->group_prog) ||
		    !is_first_of_group(sockets, i))
			continue;
		found++;
		if (fn)
			fn(record->group_prog,
			   addr_format_port(&record->local, htons(record->port), text), arg);
	}
	sockets_free(sockets);
	return found;
}
