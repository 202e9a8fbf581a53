/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses sockets of other processes in a child process, with a timeout.
 *
 * A hostile process can block a task that uses its descriptors forever, even against SIGKILL. The
 * descriptor may meanwhile refer to a different file, whose close(2) waits for a FUSE file system
 * of that process. Or a thread of the process holds the socket lock, in sendmsg(2) with MSG_MORE
 * and a buffer on such a file system. The child closes all other descriptors of this process, so
 * that a blocked child holds no lock and no link. The child checks that a descriptor is the right
 * socket before passing it on: this process thus closes only UDP sockets, which never blocks.
 *
 * The log names a process that has blocked a child. All processes of its user (for root: only the
 * process itself) are skipped until the child has exited, and for at least ten seconds.
 */
#ifndef SLUICE_PROCESS_TAKE_SOCKET_H
#define SLUICE_PROCESS_TAKE_SOCKET_H

#include "base/err.h"

#include <sluice/sockets.h>

/*
 * Duplicates a process's descriptor of the socket with pidfd_getfd(2); the caller closes it.
 * Returns the descriptor; -ESTALE if the process has exited or its descriptor now refers to a
 * different file; -EPERM; -EOPNOTSUPP if the main thread has exited and the kernel cannot open
 * other threads (before Linux 6.9); -ETIMEDOUT if the process blocks the child or is skipped; or
 * another -errno. Sets *cookie; the kernel assigns a cookie to a socket without one.
 */
int process_socket_take(const struct sluice_socket_record *record, __u64 *cookie);
/*
 * Attaches a program to the reuseport group of the socket, which belongs to the process of @of.
 * Returns 0, -ETIMEDOUT as process_socket_take() does (the kernel may then attach the program
 * later), or -errno.
 */
int process_socket_attach(const struct sluice_socket_record *of, int socket_fd, int prog_fd);
/*
 * Detaches the program of the group. Returns as process_socket_attach() does, or -ENOENT if the
 * group has no program.
 */
int process_socket_detach(const struct sluice_socket_record *of, int socket_fd);
/* Kills the child, if it is running. The next request starts a new child. */
void process_sockets_end(void);

/* Returns why a socket could not be taken. */
const char *process_socket_reason(int error);
/*
 * Checks that the kernel permits pidfd_getfd(2). Returns 0, or -errno with *err set if a seccomp
 * filter or Yama forbids it even to a process with all capabilities.
 */
int process_sockets_check(const char *what, struct err *err);

#endif
