// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/unload.h"

#include "kernel/pins.h"
#include "kernel/pins_lock.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int unload_pin(const char *path)
{
	int fd = bpf_obj_get(path);

	if (fd >= 0) {
		/* fails without effect for a map or program */
		bpf_link_detach(fd);
		close(fd);
	}
	return unlink(path) ? -errno : 0;
}

int unload_dir(const char *path, struct err *err)
{
	struct dirent *entry = NULL;
	DIR *folder;

	if (!rmdir(path) || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY)
		return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	folder = opendir(path);
	while (folder && (entry = readdir(folder)) && entry->d_name[0] == '.')
		;
	err_set(err, EXIT_CONFLICT, ENOTEMPTY, "%s holds '%s', which is not a pin of sluice", path,
		entry ? entry->d_name : "?");
	if (folder)
		closedir(folder);
	return err_hint(err, -ENOTEMPTY,
			"remove it if it is yours; all pins of sluice are already removed");
}

int unload_pins_prefixed(const char *dir, const char *object, const char *prefix, struct err *err)
{
	char path[PATH_MAX], pin[PATH_MAX];
	struct dirent **entry;
	int i, removed = 0, result = pins_have_object(dir, object, err), count;

	if (result <= 0)
		return result;
	result = 0;
	count = scandir(pins_path(dir, object, NULL, path), &entry, NULL, alphasort);
	if (count < 0)
		return errno == ENOENT
			       ? 0
			       : err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	if (!prefix)
		removed = !unlink(pins_path(dir, object, PINS_OWNER, pin));
	for (i = 0; i < count; i++) {
		const char *name = entry[i]->d_name;

		if (pins_are_own(name) && !(prefix && strncmp(name, prefix, strlen(prefix))) &&
		    !unload_pin(pins_path(dir, object, name, pin)))
			removed++;
		free(entry[i]);
	}
	free(entry);
	if (!prefix)
		result = unload_dir(path, err);
	else if (rmdir(path) && errno != ENOENT && errno != ENOTEMPTY)
		result = err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	return result ? result : removed;
}

int unload_pins(const char *dir, const char *object, struct err *err)
{
	return unload_pins_prefixed(dir, object, NULL, err);
}

int unload_state(const struct state_dir *sd, const char *bpffs, struct err *err)
{
	return unload_pins_prefixed(bpffs, sd->name, sd->prefix, err);
}

int unload_object(const struct state_dir *sd, const char *dir, bool own_only,
		  int (*remove)(struct pins *pins, void *arg, struct err *err), void *arg,
		  struct err *err)
{
	int result = pins_exist(dir, sd->name, err);
	struct pins pins;

	if (result <= 0)
		return result;
	result = pins_lock(&pins, dir, false, err);
	/* another process may have removed the directory */
	if (result)
		return result == -ENOENT ? 0 : result;
	/* another process may have loaded the object while this process waited for the lock */
	if (!own_only || state_dir_is_daemons(sd, dir))
		result = remove ? remove(&pins, arg, err) : unload_state(sd, dir, err);
	pins_unlock(&pins);
	return result;
}
