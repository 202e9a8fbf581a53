// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/groups.h"

#include "base/files.h"
#include "base/log.h"
#include "kernel/links.h"
#include "kernel/meta.h"
#include "kernel/pins.h"
#include "kernel/state_dir.h"
#include "steer/group/remains.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct state_dir steer_state_dir = {
	.name = STEER_OBJECT,
	.meta = STEER_PIN_META,
	.meta_size = sizeof(struct sluice_steer_meta),
	.abi = SLUICE_STEER_ABI,
	.load = "sluice steer load",
	.lost = "counters and flows start empty: all flows count as new, and workers of older"
		" generations get new flows again",
};

void steer_groups_close(struct steer_groups_open *pinned)
{
	while (pinned->count)
		steer_group_close(pinned->group[--pinned->count]);
	free(pinned->remains);
	pinned->remains = NULL;
	free(pinned->other);
	pinned->other = NULL;
}

static void remains_remove(struct steer_groups_open *pinned, const char *dir, const char *name)
{
	struct sluice_socket_record of, *remains;

	pinned->remains_pins += steer_group_remains_remove(dir, name, &of);
	if (!of.group_prog)
		return;
	remains = reallocarray(pinned->remains, (size_t)pinned->remains_count + 1, sizeof(of));
	if (!remains)
		return;
	pinned->remains = remains;
	remains[pinned->remains_count++] = of;
}

/* Adds a group of another ABI version to the list. Returns 0 or -ENOMEM. */
static int other_add(struct steer_groups_open *pinned, const char *dir, const char *name)
{
	size_t count = (size_t)pinned->other_count;
	struct steer_group_other *list = reallocarray(pinned->other, count + 1, sizeof(*list));
	int fd = pins_get(dir, name, STEER_PIN_PROGRAM, PINS_PROG);
	struct bpf_prog_info info = { 0 };

	if (fd >= 0) {
		prog_info_by_fd(fd, &info);
		close(fd);
	}
	if (!list)
		return -ENOMEM;
	pinned->other = list;
	list[pinned->other_count] = (struct steer_group_other){ .prog_id = info.id };
	snprintf(list[pinned->other_count++].name, sizeof(list->name), "%s", name);
	return 0;
}

struct steer_group_other *steer_groups_other(const struct steer_groups_open *pinned, __u32 prog_id)
{
	int i;

	for (i = 0; prog_id && i < pinned->other_count; i++)
		if (pinned->other[i].prog_id == prog_id)
			return &pinned->other[i];
	return NULL;
}

void steer_groups_remove_other(struct steer_groups_open *pinned, const char *bpffs,
			       struct steer_group_other *other)
{
	char dir[PATH_MAX];

	remains_remove(pinned, steer_dir(bpffs, dir), other->name);
}

void steer_groups_filter(const struct steer_groups_open *pinned, struct sockets_filter *filter)
{
	int i;

	for (i = 0; i < pinned->count; i++) {
		const struct sluice_steer_group *info = &pinned->group[i]->info;

		filter->ports.bit[info->port >> 6] |= 1ULL << (info->port & 63);
		if (info->netns != filter->netns)
			filter->netns = 0;
	}
}

const char *steer_dir(const char *bpffs, char path[PATH_MAX])
{
	return pins_path(bpffs, STEER_OBJECT, NULL, path);
}

static bool is_other_abi(const char *dir, const char *name)
{
	struct state_dir sd = steer_group_state_dir(name);

	return meta_other_abi(&sd, dir) != 0;
}

int steer_groups_read(const char *bpffs, struct steer_groups_open *pinned, bool cleanup,
		      struct err *err)
{
	char dir[PATH_MAX];
	DIR *folder = opendir(steer_dir(bpffs, dir));
	struct dirent *entry;
	int result = folder || errno == ENOENT ? 0 : -errno;

	/* each group needs eleven descriptors */
	files_raise_limit();
	pinned->count = pinned->remains_pins = pinned->remains_count = pinned->other_count = 0;
	pinned->remains = NULL;
	pinned->other = NULL;
	err->code = EXIT_OK; /* stays EXIT_OK if an error sets no message */
	while (folder && !result && pinned->count < STEER_GROUPS_MAX && (entry = readdir(folder))) {
		/* the name of a group's directory starts with its port */
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		result = steer_group_open(dir, entry->d_name, &pinned->group[pinned->count], err);
		if (!result)
			pinned->seen[pinned->count++] = false;
		if (result == -EPROTO && is_other_abi(dir, entry->d_name)) {
			err->code = EXIT_OK;
			result = other_add(pinned, dir, entry->d_name);
		}
		if (result != -EUCLEAN && result != -ENOENT)
			continue;
		result = 0;
		if (!cleanup)
			continue;
		log_warning(
			"steer: %s: a group has lost a pin, or its loader has died: removing its"
			" remains",
			entry->d_name);
		remains_remove(pinned, dir, entry->d_name);
	}
	if (folder)
		closedir(folder);
	if (!result)
		return 0;
	steer_groups_close(pinned);
	return err->code ? result
			 : err_set(err, EXIT_ERROR, -result, "%s: %s", dir, strerror(-result));
}

int steer_read(const char *bpffs, struct sluice_steer_meta *meta, struct err *err)
{
	int result = meta_read(&steer_state_dir, bpffs, meta, err);

	return result ? meta_not_loaded(&steer_state_dir, bpffs, result, err) : 0;
}

void steer_ports(const struct sluice_steer_meta *meta, struct ports *ports)
{
	ports->any = meta->any_port;
	memcpy(ports->bit, meta->ports, sizeof(ports->bit));
}

int steer_groups(const char *bpffs, int (*fn)(struct steer_group *group, void *arg), void *arg,
		 struct err *err)
{
	struct steer_groups_open pinned = { 0 };
	int i, result = steer_groups_read(bpffs, &pinned, false, err);

	for (i = 0; !result && i < pinned.count; i++)
		result = fn(pinned.group[i], arg);
	steer_groups_close(&pinned);
	return result;
}

int steer_group_sockets_open(const char *bpffs, const char *name)
{
	char dir[PATH_MAX];

	return pins_get(steer_dir(bpffs, dir), name, "sluice_sockets", PINS_MAP);
}
