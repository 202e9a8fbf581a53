// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/reload.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int reload_read(const struct context *context, const char *path, const char *bpffs,
		const struct daemon_netns *netns, struct config_file **file, struct err *err)
{
	const struct config *config;
	const char *fixed = NULL;
	struct stat st;
	int result;

	/* never reread a pipe: it is empty, and without a writer it would block the daemon */
	if (!stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"%s: not a regular file, so it cannot be read again", path),
				"restart the daemon with another --config");
	result = config_file_read(context, path, file, err);
	if (result)
		return result;
	config = &(*file)->config;
	if (strcmp(config->location.bpffs, bpffs))
		fixed = "[global] bpffs";
	else if (config->has[SECTION_WIRE] && !daemon_netns_allows(netns, config->netns))
		fixed = "[wire] netns";
	if (!fixed)
		return 0;
	return err_hint(err,
			err_set(err, EXIT_USAGE, EINVAL,
				"%s: %s cannot change while the daemon runs", path, fixed),
			"unload the objects and restart the daemon");
}
