/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Enters another network namespace, for --netns.  `ip netns exec` would mount a fresh /sys as well,
 * and hide the bpffs below it.
 */
#ifndef SLUICE_BASE_NETNS_H
#define SLUICE_BASE_NETNS_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Moves the calling thread into a network namespace: the name of one below /run/netns, a path (it
 * holds a '/'), or the id of a process that lives in it; a name goes before an id.  Sockets opened
 * before stay where they are.  0, or -errno with *err set and the thread where it was.
 */
int netns_enter(const char *netns, struct err *err);

/* The descriptor of such a namespace, or -errno with *err set. NULL: that of the calling thread. */
int netns_open(const char *netns, struct err *err);
/* Moves the calling thread into the namespace of a descriptor. 0 or -errno. */
int netns_switch(int netns_fd);
/* The name below /run/netns of the namespace with that inode number; false if it has none. */
bool netns_name(uint32_t inode, char name[NAME_MAX + 1]);

#endif
