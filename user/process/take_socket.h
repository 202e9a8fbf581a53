/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Works on sockets of other processes, in a child with a time limit.
 *
 * A process can block another task that uses its descriptors: forever, and even against SIGKILL.
 * The descriptor may by then refer to another file, whose close(2) waits for a FUSE file system of
 * that process. Or a thread of the process is in sendmsg(2) with MSG_MORE and a buffer on such a
 * file system, and holds the socket lock. The child has no other descriptors of this process, so
 * that a hung child holds no lock and no link. The child verifies that a descriptor is the right
 * socket before it passes it on. So this process closes only UDP sockets, which never blocks.
 *
 * The log names a process that has blocked a child. This process and the others of its user (for
 * root: only this process) are left out until the child has ended, for at least ten seconds.
 */
#ifndef SLUICE_PROCESS_TAKE_SOCKET_H
#define SLUICE_PROCESS_TAKE_SOCKET_H

#include "base/err.h"

#include <sluice/sockets.h>

/*
 * Duplicates a process's descriptor of the socket by pidfd_getfd(2); the caller closes it. Returns
 * the descriptor, -ESTALE if the process is gone or the number now refers to another socket, -EPERM
 * if it is not permitted, -EOPNOTSUPP if the main thread has exited and the kernel opens no other
 * thread (before Linux 6.9), or -ETIMEDOUT if the process blocks the child, or has blocked one.
 * Sets *cookie; the kernel assigns a cookie if there was none.
 */
int process_socket_take(const struct sluice_socket_record *record, __u64 *cookie);
/*
 * Attaches a program to the reuseport group of the socket, which belongs to the process of @of.
 * Returns 0, -ETIMEDOUT as above (the kernel may attach the program later), or -errno.
 */
int process_socket_attach(const struct sluice_socket_record *of, int socket_fd, int prog_fd);
/* Detaches the program of the group. Returns as above, or -ENOENT if the group has none. */
int process_socket_detach(const struct sluice_socket_record *of, int socket_fd);
/* Ends the child, if there is one. The next call starts another. */
void process_sockets_end(void);

/* Returns why a socket could not be taken. */
const char *process_socket_reason(int error);
/*
 * Checks that the kernel permits pidfd_getfd(2) at all. Returns 0, or -errno with *err set: a
 * seccomp filter or Yama forbids it to any process here, whatever its capabilities.
 */
int process_sockets_check(const char *what, struct err *err);

#endif
