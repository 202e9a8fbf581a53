/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows the host: interfaces, addresses and routes that come and go, in the daemon's own network
 * namespace and in that of wire mode.
 */
#ifndef SLUICE_DAEMON_WATCH_H
#define SLUICE_DAEMON_WATCH_H

#include "base/err.h"
#include "base/loop.h"
#include "daemon/config_file.h"
#include "daemon/netns.h"
#include "daemon/steer.h"

struct watch;

struct watch_settings {
	struct loop *loop;
	const struct daemon_netns *place;
	struct run_steer *steer; /* also receives the link events of the own namespace */
	loop_fn changed;	 /* called when the number of wired interfaces may have changed */
	void *arg;
};

/* NULL: no memory. */
struct watch *watch_new(const struct watch_settings *settings);
/* The loop must have been freed before. */
void watch_free(struct watch *watch);
/* Listens in the own namespace. 0, or -errno with *err set. */
int watch_start(struct watch *watch, struct err *err);
/* Wire mode is loaded as @file has it; NULL: it is not loaded. */
void watch_file(struct watch *watch, struct config_file *file);
/* Looks for interfaces that another process has detached, and attaches them again. */
void watch_check(struct watch *watch);
/* Interfaces that wire mode is attached to. */
unsigned int watch_count(const struct watch *watch);

#endif
