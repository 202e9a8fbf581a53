/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Enters another network namespace, for --netns. `ip netns exec` was rejected: it also mounts a new
 * /sys, which hides the bpffs below it.
 */
#ifndef SLUICE_NET_NETNS_H
#define SLUICE_NET_NETNS_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Moves the calling thread into a network namespace. @netns is a name below /run/netns, a path
 * (with a '/'), or the id of a process; a name takes precedence over an id. Open sockets stay in
 * their namespace. Returns 0, or -errno with *err set and the thread not moved.
 */
int netns_enter(const char *netns, struct err *err);

/*
 * Opens the namespace that @netns names, as for netns_enter(), or the calling thread's if @netns is
 * NULL. Returns a descriptor, or -errno with *err set.
 */
int netns_open(const char *netns, struct err *err);
/*
 * Sets *inode to the inode number of the namespace that @value names, as for netns_enter(), or to 0
 * for "all". Returns 0, or -errno with *err set.
 */
int netns_number(const char *value, uint32_t *inode, struct err *err);
/*
 * Opens a namespace by its inode number, through its name or a process in it. Returns a descriptor,
 * -ENOENT if it has neither, or -errno if the search failed.
 */
int netns_open_number(uint32_t inode);
/* Moves the calling thread into the namespace of a descriptor. Returns 0 or -errno. */
int netns_switch(int netns_fd);
/*
 * Finds the name of a namespace below /run/netns by its inode number. Returns false if it has none.
 */
bool netns_name(uint32_t inode, char name[NAME_MAX + 1]);

#define NETNS_TEXT_MAX (NAME_MAX + 16)
/* Formats number and name, safe for a terminal: "4026532177 (web)". @name may be "". */
const char *netns_format(uint32_t inode, const char *name, char text[NETNS_TEXT_MAX]);
/* Looks up the name of a namespace, then formats it; netns_names.h has a cache. Returns text. */
const char *netns_text(uint32_t inode, char text[NETNS_TEXT_MAX]);
/* Formats a setting as netns_text() does, but 0 as "all". Returns text. */
const char *netns_setting_text(uint32_t inode, char text[NETNS_TEXT_MAX]);
/*
 * Sets *inode from the name of a namespace below /run/netns, from a path, or from an inode number;
 * a name takes precedence. Returns 0, or -errno with *err set.
 */
int netns_inode(const char *netns, uint32_t *inode, struct err *err);

#endif
