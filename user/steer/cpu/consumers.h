/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy cpu: which thread receives from which socket, and on which CPU.  Programs on the recvmsg
 * hooks of a cgroup note it, for sockets that are entered in their map; the links and the map are
 * pinned in the folder of the steering plane.  For all other sockets below the cgroup a datagram
 * costs a look-up in that map, and the socket's lock, which the kernel takes for the hook.
 */
#ifndef SLUICE_STEER_CPU_CONSUMERS_H
#define SLUICE_STEER_CPU_CONSUMERS_H

#include "base/err.h"

#include <sluice/consumers.h>
#include <stdbool.h>

/*
 * Attaches the programs to the cgroup (NULL: the host's cgroup2 root), if they are not attached;
 * with `renew`, replaces them by this build's.  The descriptor of the map, or -errno with *err set.
 */
int consumers_attach(const char *bpffs, const char *cgroup, bool renew, struct err *err);
/* Opens the map of programs that are attached; -ENOENT if none are. */
int consumers_open(const char *bpffs);
/* Detaches the programs, and removes the pins. */
void consumers_detach(const char *bpffs);

/*
 * Reads what has been noted of a socket since the last call, and enters the socket at the first.
 * False: nothing has.
 */
bool consumers_read(int map_fd, __u64 cookie, struct sluice_consumer *consumer);
void consumers_remove(int map_fd, __u64 cookie);

/* The only CPU that the thread may run on; -ENOENT if there are several, -ESRCH if it is gone. */
int consumers_thread_cpu(__u32 tid);
/*
 * The only CPU that all threads of the process may run on, as -errno above.  *tid is its thread, if
 * it has but one, or 0.
 */
int consumers_process_cpu(__u32 pid, __u32 *tid);

#endif
