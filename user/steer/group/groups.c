// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/groups.h"

#include "kernel/pins.h"
#include "kernel/state_dir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>

const struct plane steer_plane = {
	.name = STEER_PLANE,
	.meta = STEER_PIN_META,
	.meta_size = sizeof(struct sluice_steer_meta),
	.abi = SLUICE_STEER_ABI,
	.load = "sluice steer load",
};

void steer_pinned_close(struct steer_pinned *pinned)
{
	while (pinned->count)
		steer_group_close(pinned->group[--pinned->count]);
}

const char *steer_dir(const char *bpffs, char path[PATH_MAX])
{
	return pins_path(bpffs, STEER_PLANE, NULL, path);
}

/* Calls fn with the name of each group's folder, which begins with its port. */
static int folders_each(const char *dir, int (*fn)(const char *name, void *arg), void *arg)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;
	int result = 0;

	if (!folder)
		return errno == ENOENT ? 0 : -errno;
	while (!result && (entry = readdir(folder)))
		if (isdigit((unsigned char)entry->d_name[0]))
			result = fn(entry->d_name, arg);
	closedir(folder);
	return result;
}

struct opening {
	const char *dir;
	struct steer_pinned *pinned;
	bool mend; /* remove what a loader has left that died */
	struct err *err;
};

static int pinned_open(const char *name, void *arg)
{
	struct opening *opening = arg;
	struct steer_pinned *pinned = opening->pinned;
	int result;

	if (pinned->count == STEER_GROUPS_MAX)
		return 0;
	result = steer_group_open(opening->dir, name, &pinned->group[pinned->count], opening->err);
	if (!result) {
		pinned->seen[pinned->count++] = false;
		return 0;
	}
	if (result != -EUCLEAN && result != -ENOENT)
		return result;
	if (opening->mend)
		steer_group_remove(opening->dir, name, &(struct err){ 0 });
	return 0;
}

/* A group takes ten descriptors, and 1024 is what a process may usually have unless it asks. */
static void files_allow(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur == files.rlim_max)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int steer_pinned_read(const char *bpffs, struct steer_pinned *pinned, bool mend, struct err *err)
{
	char dir[PATH_MAX];
	struct opening opening = { steer_dir(bpffs, dir), pinned, mend, err };
	int result;

	files_allow();
	pinned->count = 0;
	err->code = EXIT_OK; /* so that it tells who has set it */
	result = folders_each(dir, pinned_open, &opening);
	if (!result)
		return 0;
	steer_pinned_close(pinned);
	return err->code ? result
			 : err_set(err, EXIT_ERROR, -result, "%s: %s", dir, strerror(-result));
}

int steer_read(const char *bpffs, struct sluice_steer_meta *meta, struct err *err)
{
	int result = plane_meta_read(&steer_plane, bpffs, meta, err);

	return result ? plane_not_loaded(&steer_plane, bpffs, result, err) : 0;
}

int steer_groups(const char *bpffs, int (*fn)(struct steer_group *group, void *arg), void *arg,
		 struct err *err)
{
	struct steer_pinned pinned = { 0 };
	int i, result = steer_pinned_read(bpffs, &pinned, false, err);

	for (i = 0; !result && i < pinned.count; i++)
		result = fn(pinned.group[i], arg);
	if (pinned.count)
		steer_pinned_close(&pinned);
	return result;
}
