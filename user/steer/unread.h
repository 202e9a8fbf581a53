/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts the unread datagrams of the sockets that a drain watches, without holding their
 * descriptors.
 */
#ifndef SLUICE_STEER_UNREAD_H
#define SLUICE_STEER_UNREAD_H

#include "base/err.h"

#include <sluice/unread.h>
#include <stdbool.h>

struct unread;

/*
 * Loads the programs. @cgroup is the cgroup below which the servers run. If it is NULL, or on a
 * kernel before 5.9, the unread datagrams of closed sockets are unknown. Returns 0, or -errno with
 * *err set.
 */
int unread_open(struct unread **unread, const char *cgroup, struct err *err);
/* Watches a socket until it is closed. Returns 0 or -errno. */
int unread_watch(struct unread *unread, __u64 cookie);
/*
 * Reads the queue of an open socket at kernel address @sock. Returns false if another socket now
 * has this address.
 */
bool unread_queue(struct unread *unread, __u64 sock, __u64 cookie, struct sluice_unread *queue);
/*
 * Reads the state of a watched socket's queue on close. Returns false if the close was not
 * detected.
 */
bool unread_closed(struct unread *unread, __u64 cookie, struct sluice_unread *closed);
void unread_close(struct unread *unread);

#endif
