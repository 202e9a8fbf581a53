/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_DAEMON_RELOAD_H
#define SLUICE_DAEMON_RELOAD_H

#include "daemon/config_file.h"
#include "daemon/netns.h"

/*
 * Reads the file again. Rejects it if it changes a setting that is fixed while the daemon runs: the
 * pin directory @bpffs, or the namespace of mode wire. Returns 0, or -errno with *err set. In
 * either case, the caller drops the reference in *file unless it is NULL.
 */
int reload_read(const struct context *context, const char *path, const char *bpffs,
		const struct daemon_netns *netns, struct config_file **file, struct err *err);

#endif
