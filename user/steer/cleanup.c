// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/cleanup.h"

#include "base/addr.h"
#include "kernel/pins.h"
#include "kernel/unload.h"
#include "process/sockets.h"
#include "process/take_socket.h"
#include "steer/group/attach.h"
#include "steer/group/groups.h"
#include "steer/group/remains.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAMS_MAX 512

static const struct sockets_filter with_program = { .programs = true, .ports.any = true };

struct removal {
	__u32 pinned[PROGRAMS_MAX]; /* ids of the programs that are pinned in DIR/steer */
	int pinned_count;
	struct steer_removed *removed;
};

/* Returns true if the object is a steering program. Accepts any pinned object, and closes @fd. */
static bool is_steering_program(int fd, __u32 *id)
{
	struct bpf_prog_info info = { 0 };
	__u32 length = sizeof(info);
	int result;

	if (fd < 0)
		return false;
	result = bpf_obj_get_info_by_fd(fd, &info, &length);
	close(fd);
	*id = info.id;
	return !result && info.type == BPF_PROG_TYPE_SK_REUSEPORT &&
	       !strncmp(info.name, STEER_PROGRAM, strlen(STEER_PROGRAM));
}

bool steer_is_program(__u32 prog_id)
{
	return is_steering_program(bpf_prog_get_fd_by_id(prog_id), &prog_id);
}

/* Returns true if the kernel has a steering program, or if the program ids cannot be read. */
static bool any_program(void)
{
	__u32 id = 0;

	while (!bpf_prog_get_next_id(id, &id))
		if (steer_is_program(id))
			return true;
	return errno != ENOENT;
}

/*
 * Returns true if sluice uses this name in DIR/steer. The name of a group's directory starts with
 * its port.
 */
static bool is_own(const char *name)
{
	return pins_are_own(name) || isdigit((unsigned char)*name);
}

/*
 * Calls @fn for each pin of sluice, and for each directory after its contents. @fn may remove
 * either.
 */
static void pins_walk(const char *path, struct removal *removal,
		      void (*fn)(const char *path, bool is_folder, struct removal *removal))
{
	struct dirent *entry;
	char below[PATH_MAX];
	struct stat st;
	DIR *folder = lstat(path, &st) || !S_ISDIR(st.st_mode) ? NULL : opendir(path);

	while (folder && (entry = readdir(folder)))
		if (is_own(entry->d_name) &&
		    snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < PATH_MAX)
			pins_walk(below, removal, fn);
	if (folder)
		closedir(folder);
	fn(path, folder, removal);
}

static void pin_note(const char *path, bool is_folder, struct removal *removal)
{
	__u32 id;

	if (!is_folder && removal->pinned_count < PROGRAMS_MAX &&
	    is_steering_program(bpf_obj_get(path), &id))
		removal->pinned[removal->pinned_count++] = id;
}

static void pin_remove(const char *path, bool is_folder, struct removal *removal)
{
	if (is_folder)
		rmdir(path);
	else if (!unload_pin(path))
		removal->removed->pins++;
}

static bool is_removable(const struct removal *removal, const struct sluice_socket_record *record)
{
	__u32 id = record->group_prog;
	int i;

	if (!record->group || !id)
		return false;
	for (i = 0; i < removal->pinned_count; i++)
		if (removal->pinned[i] == id)
			return true;
	return record->group_prog_refs == STEER_REFS_OF_ORPHAN && steer_is_program(id);
}

/* Detaches a program and empties its socket map. Returns the result of steer_detach(). */
static int group_detach(const struct sluice_socket_record *record)
{
	/* hold a reference: an orphan would be freed before its map can be emptied */
	int fd = bpf_prog_get_fd_by_id(record->group_prog);
	int result = steer_detach(record, record->group_prog);

	if (fd < 0)
		return result;
	if (!result)
		steer_sockets_forget(fd);
	close(fd);
	return result;
}

int steer_remove(const char *bpffs, struct steer_removed *removed, struct err *err)
{
	struct removal removal = { .removed = removed };
	const struct sluice_socket_record *record;
	struct sockets *sockets = NULL;
	char path[PATH_MAX];
	int failure = 0, result = pins_have_object(bpffs, STEER_OBJECT, err);
	__u32 failed_pid = 0;
	size_t i;

	*removed = (struct steer_removed){ 0 };
	if (result < 0)
		return result;
	pins_path(bpffs, STEER_OBJECT, NULL, path);
	pins_walk(path, &removal, pin_note);
	/* skip the socket iterator if possible, since it takes most of the time */
	if (any_program())
		result = sockets_read(&sockets, &with_program, err);
	/*
	 * if there are no pins, a user without permission to list sockets cannot have attached a
	 * program
	 */
	if (result && removal.pinned_count)
		return result;
	for (i = 0; sockets && (record = sockets_at(sockets, i)); i++) {
		int detached;

		if (!is_removable(&removal, record))
			continue;
		detached = group_detach(record);
		if (!detached) {
			removed->groups++;
		} else if (detached != -ESTALE && detached != -ENOENT) {
			/* -ENOENT: already detached through another socket of the group */
			failure = detached;
			failed_pid = record->pid;
		}
	}
	sockets_free(sockets);
	if (!failure) {
		pins_walk(path, &removal, pin_remove);
		return unload_dir(path, err);
	}
	if ((failure == -EPERM || failure == -ENOSYS) && process_sockets_check("cleanup", err))
		return failure;
	err_set(err, EXIT_ERROR, -failure, "steering program of process %u: %s", failed_pid,
		process_socket_reason(-failure));
	return err_hint(err, failure, "it keeps working until the sockets of its group are closed");
}

int steer_attached(steer_attached_fn fn, void *arg)
{
	const struct sluice_socket_record *record;
	char text[ADDR_TEXT_MAX];
	struct sockets *sockets;
	int found = 0, result = sockets_read(&sockets, &with_program, &(struct err){ 0 });
	size_t i, first;

	if (result)
		return result;
	for (i = 0; (record = sockets_at(sockets, i)); i++) {
		if (!record->group || !record->group_prog || !steer_is_program(record->group_prog))
			continue;
		/* one call per group */
		for (first = 0; sockets_at(sockets, first)->group != record->group;)
			first++;
		if (first < i)
			continue;
		found++;
		if (fn)
			fn(record->group_prog,
			   addr_format_port(&record->local, htons(record->port), text), arg);
	}
	sockets_free(sockets);
	return found;
}
