/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's file as it was read: what it says, and where that is to act.  Planes that are in
 * force go by it, and each may go by another one than the last; it stays for as long as somebody
 * holds it.
 */
#ifndef SLUICE_DAEMON_CONFIG_FILE_H
#define SLUICE_DAEMON_CONFIG_FILE_H

#include "base/context.h"
#include "base/err.h"
#include "daemon/config.h"

#include <limits.h>

struct config_file {
	struct config config;
	char cgroup[PATH_MAX]; /* config.reply.cgroup; empty: there is none */
	int holders;
};

/*
 * Reads it for the caller to hold; what is wrong with it is logged, each with its line.  0, or
 * -errno with *err set.
 */
int config_file_read(const struct context *context, const char *path, struct config_file **file,
		     struct err *err);
/* Makes sure of the cgroup, without which there is no [reply]. */
int config_file_need_cgroup(struct config_file *file, const struct context *context,
			    struct err *err);
/* Another holder; returns the file. */
struct config_file *config_file_hold(struct config_file *file);
/* One less; NULL is allowed. */
void config_file_drop(struct config_file *file);
/* --check-config: prints what is wrong with it. */
int config_file_check(const struct context *context, const char *path, struct err *err);

#endif
