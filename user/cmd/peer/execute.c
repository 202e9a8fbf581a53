// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/peer/execute.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Relative to the directory of this program: the paths of `make` and of `make install`. */
static const char *const places[] = { "", "../libexec/" };

int peer_execute(const struct context *context, struct err *err)
{
	char own[PATH_MAX] = "", path[PATH_MAX + 32] = "";
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	unsigned int i;
	char *name;

	name = length > 0 ? strrchr(own, '/') : NULL;
	if (!name)
		return err_set(err, EXIT_ERROR, ENOENT, "/proc/self/exe: %s", strerror(errno));
	name[1] = '\0';
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s%ssluice-peer", own, places[i]);
		execv(path, context->argv);
		if (errno != ENOENT)
			break;
	}
	return err_hint(err, err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno)),
			"'make install' installs it beside sluice, in libexec");
}
