/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a loaded object in bpffs: a directory of pins, with the meta record (kernel/meta.h)
 * and a map of counters. It also records whether the daemon owns the object, and whether a process
 * is changing it.
 */
#ifndef SLUICE_KERNEL_STATE_DIR_H
#define SLUICE_KERNEL_STATE_DIR_H

#include "base/err.h"
#include "kernel/meta.h"
#include "kernel/pins_lock.h"

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <sluice/meta.h>
#include <stdbool.h>

/*
 * Opens a pinned map, and checks its type and layout. Returns the descriptor, or -errno with *err
 * set.
 */
int state_dir_map_open(const struct state_dir *sd, const char *bpffs, const char *name,
		       enum bpf_map_type type, __u32 key_size, __u32 value_size, struct err *err);
/* Sums pinned per-CPU counters. */
int state_dir_counters(const struct state_dir *sd, const char *bpffs, const char *name, __u64 *sum,
		       int count, struct err *err);
/*
 * Records whether the daemon loaded an object, as a symbolic link among its pins. When a section is
 * removed from the daemon's file, the daemon unloads the object only if the link exists.
 */
int state_dir_set_owner(const struct state_dir *sd, const char *bpffs, bool by_daemon,
			struct err *err);
bool state_dir_is_daemons(const struct state_dir *sd, const char *bpffs);

/*
 * Marks the object as being changed by this process, until it exits or closes the returned
 * descriptor. Returns -1 on failure. The lock on DIR cannot be used for this, since a long load
 * releases it.
 */
int state_dir_mark_loader(const struct state_dir *sd, const char *bpffs);
/*
 * Returns true if a loader was killed while it changed the object. @meta is the head of the
 * object's record.
 */
bool state_dir_is_abandoned(const struct state_dir *sd, const char *bpffs,
			    const struct sluice_meta *meta);

/*
 * Calls pins_yield(), then checks that the record is still @meta with @state. Returns 0, or
 * -ECANCELED with *err set if another process has loaded or removed the object.
 */
int state_dir_yield(const struct state_dir *sd, struct pins *pins, const void *meta, __u32 state,
		    struct err *err);

#endif
