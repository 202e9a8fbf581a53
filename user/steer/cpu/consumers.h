/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the consumer of each socket for policy cpu: the thread that receives, and its CPU. Programs
 * on the recvmsg hooks of a cgroup record both for the sockets in their map. Links and map are
 * pinned in DIR/steer. Every other socket below the cgroup pays for a map lookup and for the socket
 * lock in each recvmsg call.
 */
#ifndef SLUICE_STEER_CPU_CONSUMERS_H
#define SLUICE_STEER_CPU_CONSUMERS_H

#include "base/err.h"

#include <sluice/consumers.h>
#include <stdbool.h>

struct steer_loader;

/*
 * Attaches the programs to the cgroup unless they are attached; with @renew, replaces them by this
 * build's. Returns a descriptor of the map, or -errno with *err set; programs that were attached
 * before keep working.
 */
int consumers_attach(const char *bpffs, const char *cgroup, bool renew, struct err *err);
/*
 * Attaches the programs for the sweeps of a loader, and logs a failure once, until its text
 * changes; after a failure it tries again only with @renew. Returns a descriptor of the map, or -1:
 * only affinity is known.
 */
int consumers_ensure(struct steer_loader *loader, const char *bpffs, bool renew);
bool consumers_are_attached(const char *bpffs);
/* Opens the map of the attached programs. Returns -ENOENT if none of this version are attached. */
int consumers_open(const char *bpffs);
/* Detaches the programs, and removes the pins. */
void consumers_detach(const char *bpffs);

/*
 * Reads what was recorded about a socket since the last call. Returns false if there was nothing.
 * The first call adds the socket to the map.
 */
bool consumers_read(int map_fd, __u64 cookie, struct sluice_consumer *consumer);
void consumers_remove(int map_fd, __u64 cookie);

/* Returns the only CPU that the thread may run on, -ENOENT for several, -ESRCH if it has exited. */
int consumers_thread_cpu(__u32 tid);
/*
 * Returns the only CPU that all threads of the process may run on, or an error as above. *tid is
 * the thread of a single-threaded process, else 0.
 */
int consumers_process_cpu(__u32 pid, __u32 *tid);

#endif
