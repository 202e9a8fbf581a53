/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the consumer of each socket for policy cpu: the thread that receives, and its CPU. Programs
 * on the recvmsg hooks of a cgroup record thread and CPU for the sockets in their map. Links and
 * map are pinned in DIR/steer. For all other sockets below the cgroup, each recvmsg call costs a
 * map lookup and the socket lock.
 */
#ifndef SLUICE_STEER_CPU_CONSUMERS_H
#define SLUICE_STEER_CPU_CONSUMERS_H

#include "base/err.h"

#include <sluice/consumers.h>
#include <stdbool.h>

/* The pins of the links in DIR/steer. */
#define CONSUMERS_PIN_RECV4 "sluice_recv4"
#define CONSUMERS_PIN_RECV6 "sluice_recv6"

struct steer_loader;

/*
 * Attaches the programs to the cgroup unless they are already attached; with @renew, replaces them
 * with the programs of this build. Returns a descriptor of the map, or -errno with *err set. On an
 * error, programs that were already attached keep working.
 */
int consumers_attach(const char *bpffs, const char *cgroup, bool renew, struct err *err);
/*
 * Attaches the programs for the sweeps of a loader. Logs a failure once until its text changes, and
 * retries only with @renew or STEER_CONSUMERS_RETRY. Returns a descriptor of the map, or -1 if only
 * the affinity of consumers is known.
 */
int consumers_ensure(struct steer_loader *loader, const char *bpffs, bool renew);
bool consumers_are_attached(const char *bpffs);
/*
 * Opens the map of the attached programs. Returns -ENOENT if no programs of this version are
 * attached.
 */
int consumers_open(const char *bpffs);
/* Detaches the programs, and removes the pins. */
void consumers_detach(const char *bpffs);

/*
 * Reads the consumer of a socket if it has received since the last call; otherwise returns false.
 * The first call adds the socket to the map.
 */
bool consumers_read(int map_fd, __u64 cookie, struct sluice_consumer *consumer);
void consumers_remove(int map_fd, __u64 cookie);

/*
 * Returns the only CPU on which a thread may run, -ENOENT if it may run on several CPUs, or -ESRCH
 * if it has exited.
 */
int consumers_thread_cpu(__u32 tid);
/*
 * Returns the only CPU on which all threads of a process may run, or an error like
 * consumers_thread_cpu(). Sets *tid to the thread of a single-threaded process, else to 0.
 */
int consumers_process_cpu(__u32 pid, __u32 *tid);

#endif
