/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The unread datagrams of sockets that a drain watches, without a descriptor of them. */
#ifndef SLUICE_STEER_UNREAD_H
#define SLUICE_STEER_UNREAD_H

#include "base/err.h"

#include <sluice/unread.h>
#include <stdbool.h>

struct unread;

/*
 * @cgroup is the one below which the servers run; NULL, or a kernel before 5.9, leaves the
 * datagrams of a closed socket unknown. Returns 0, or -errno with *err set.
 */
int unread_open(struct unread **unread, const char *cgroup, struct err *err);
/* Watches a socket until it is closed. Returns 0 or -errno. */
int unread_watch(struct unread *unread, __u64 cookie);
/* Reads an open socket by its kernel address. Returns false if that is another socket's now. */
bool unread_queue(struct unread *unread, __u64 sock, __u64 cookie, struct sluice_unread *queue);
/* Reads what a watched socket had when it was closed. Returns false if that was not seen. */
bool unread_closed(struct unread *unread, __u64 cookie, struct sluice_unread *closed);
void unread_close(struct unread *unread);

#endif
