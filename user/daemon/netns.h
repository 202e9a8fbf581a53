/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network namespaces that the daemon acts in: its own, and that of wire mode if it is another
 * one.  Wire mode acts where the calling thread is.
 */
#ifndef SLUICE_DAEMON_NETNS_H
#define SLUICE_DAEMON_NETNS_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>

struct daemon_netns {
	int home_fd;
	int wire_fd;	      /* -1: the same */
	bool settled;	      /* wire mode has been loaded there */
	char netns[PATH_MAX]; /* as the file names it; empty: at home */
};

/* Wire mode is at home. 0, or -errno with *err set. */
int daemon_netns_open(struct daemon_netns *place, struct err *err);
/*
 * Wire mode is to be in this namespace, named as for --netns; NULL: at home.  Nothing once that is
 * settled.  0, or -errno with *err set.
 */
int daemon_netns_add_wire(struct daemon_netns *place, const char *netns, struct err *err);
/* It is there, and what watches it is bound to that. */
void daemon_netns_settle(struct daemon_netns *place, const char *netns);
/* Could wire mode be in that namespace? */
bool daemon_netns_allows(const struct daemon_netns *place, const char *netns);
void daemon_netns_close(struct daemon_netns *place);
/* Goes there, and back; the way back ends the process if it is barred. */
int daemon_netns_enter(const struct daemon_netns *place, struct err *err);
void daemon_netns_leave(const struct daemon_netns *place);

#endif
