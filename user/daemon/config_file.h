/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A parsed configuration file with its resolved paths. Each user holds a reference, because
 * sections may use different files after a failed reload.
 */
#ifndef SLUICE_DAEMON_CONFIG_FILE_H
#define SLUICE_DAEMON_CONFIG_FILE_H

#include "base/err.h"
#include "cli/context.h"
#include "daemon/config.h"

#include <limits.h>

struct config_file {
	struct config config;
	char cgroup[PATH_MAX]; /* config.reply.cgroup; empty: no cgroup2 root was found */
	int refs;
};

/*
 * Reads the file and logs each problem with its line. Sets *file to the file, with one reference.
 * Returns 0, or -errno with *err set.
 */
int config_file_read(const struct context *context, const char *path, struct config_file **file,
		     struct err *err);
/* Sets the cgroup of a file unless it is already set. Returns 0, or -errno with *err set. */
int config_file_need_cgroup(struct config_file *file, const struct context *context,
			    struct err *err);
/* Takes a reference; returns @file. */
struct config_file *config_file_get(struct config_file *file);
/* Drops a reference; @file may be NULL. */
void config_file_put(struct config_file *file);
/* Prints the problems of a file (--check-config). */
int config_file_check(const struct context *context, const char *path, struct err *err);

#endif
