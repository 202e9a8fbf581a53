/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a loaded object in bpffs: a directory of pins with a map that records what was
 * loaded (the meta record), and a map of counters.
 */
#ifndef SLUICE_KERNEL_STATE_DIR_H
#define SLUICE_KERNEL_STATE_DIR_H

#include "base/err.h"
#include "kernel/pins.h"

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <sluice/meta.h>
#include <stdbool.h>

/* The result of a load. */
enum load_outcome {
	LOAD_VERIFIED, /* a dry run */
	LOAD_FRESH,
	LOAD_UPDATED,	/* it was loaded; differences were applied in place */
	LOAD_RECOVERED, /* a loader had died during a load; its remains were replaced */
	LOAD_LEFT,	/* nothing was done: another process had unloaded or reloaded it */
};

/*
 * Returns the word for a result, the same for commands, JSON and the daemon's log: "verified",
 * "loaded", "updated", "recovered", and with @as_before "unchanged" for an update without effect.
 */
const char *load_outcome_name(enum load_outcome outcome, bool as_before);

struct state_dir {
	const char *name; /* of the directory, also used in messages */
	const char *meta; /* the map's name */
	__u32 meta_size;
	__u32 abi;
	const char *load;   /* the command that loads the object */
	const char *prefix; /* of its pins in a directory shared with another object, or NULL */
	/* maps without which the record means nothing, up to NULL; or NULL */
	const char *const *vital;
};

/*
 * Does the map have this type and layout? Check before a lookup: the kernel copies a whole value,
 * and that of a per-CPU map for each CPU, whatever the size of the buffer.
 */
bool state_dir_map_is(int fd, enum bpf_map_type type, __u32 key_size, __u32 value_size);
/* Returns max_entries of a map, 0 on failure. */
__u32 state_dir_map_entries(int fd);
/*
 * Reads the meta record. Returns 0, -ENOENT if nothing is loaded, -EUCLEAN if there are only
 * remains (the record or the vital map is missing), or -errno with *err set, as for another ABI
 * version.
 */
int state_dir_meta_read(const struct state_dir *sd, const char *bpffs, void *meta, struct err *err);
/* Sets *err: the pins are of another version, whose ABI the record tells. Returns -EPROTO. */
int state_dir_refuse_abi(const struct state_dir *sd, const char *bpffs, struct err *err);
/* Sets *err for those errors of state_dir_meta_read() that do not set it. Returns @why. */
int state_dir_not_loaded(const struct state_dir *sd, const char *bpffs, int why, struct err *err);
/* Writes the record with this state. */
int state_dir_meta_write(const struct state_dir *sd, int fd, const void *meta, __u32 state,
			 struct err *err);
/*
 * Opens a pinned map, and checks its type and layout. Returns the descriptor, or -errno with *err
 * set.
 */
int state_dir_map_open(const struct state_dir *sd, const char *bpffs, const char *name,
		       enum bpf_map_type type, __u32 key_size, __u32 value_size, struct err *err);
/* Sums pinned per-CPU counters. */
int state_dir_counters(const struct state_dir *sd, const char *bpffs, const char *name, __u64 *sum,
		       int count, struct err *err);
/* Removes the object's pins, and its directory once empty. Returns the number of pins, or -errno.
 */
int state_dir_remove(const struct state_dir *sd, const char *bpffs, struct err *err);
/*
 * Records who loaded an object, by a symbolic link among its pins that is removed with them: the
 * daemon unloads only what it has loaded when a section disappears from its file.
 */
int state_dir_set_owner(const struct state_dir *sd, const char *bpffs, bool by_daemon,
			struct err *err);
bool state_dir_is_daemons(const struct state_dir *sd, const char *bpffs);

/*
 * Marks the object as being changed by this process, until it ends or closes the descriptor that
 * is returned (-1: none): the lock on DIR does not prove that, since a long load releases it.
 */
int state_dir_mark_loader(const struct state_dir *sd, const char *bpffs);
/* Is the object of this record, which may be of any type, left half-way by a loader that died? */
bool state_dir_is_abandoned(const struct state_dir *sd, const char *bpffs,
			    const struct sluice_meta *meta);
/*
 * Calls pins_yield(), and checks that the record is still @meta with this state. Returns 0, or
 * -ECANCELED with *err set: another process has loaded or removed the object.
 */
int state_dir_yield(const struct state_dir *sd, struct pins *pins, const void *meta, __u32 state,
		    struct err *err);

#endif
