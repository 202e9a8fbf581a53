/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the state of every plane has in common: a folder of pins, in it a map that says what was
 * loaded, a map of counters, and tables whose sets are read under their locks.
 */
#ifndef SLUICE_PLANE_H
#define SLUICE_PLANE_H

#include "err.h"

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <time.h>

struct plane {
	const char *name; /* the folder's, and what messages say */
	const char *meta; /* the map's name */
	__u32 meta_size;
	__u32 abi;
	const char *load;    /* the command that loads it */
	const char *own_pin; /* a map that the plane pins by itself, when it is in use; or NULL */
};

/* How the value of each such map begins, in every version. */
struct plane_meta {
	__u32 magic;
	__u32 abi;
	__u32 state; /* enum sluice_load_state */
};

/* Has the map this layout? Another must not even be read: the kernel copies what it has. */
bool plane_map_has_size(int fd, __u32 key_size, __u32 value_size);
__u64 plane_now_ns(clockid_t clock);
/*
 * Fills in *meta.  -ENOENT: nothing there.  -EUCLEAN: remains of a loader that died early.  Other
 * ABI versions are refused, never misread, and *err is set then.
 */
int plane_meta_read(const struct plane *plane, const char *bpffs, void *meta, struct err *err);
/* Sets *err if plane_meta_read() left it to the caller, and returns `why`. */
int plane_not_loaded(const struct plane *plane, const char *bpffs, int why, struct err *err);
/* Writes a copy of *meta with that state. */
int plane_meta_write(const struct plane *plane, int fd, const void *meta, __u32 state,
		     struct err *err);
/* Opens a pinned map that must have a certain layout; the descriptor, or -errno. */
int plane_map_open(const struct plane *plane, const char *bpffs, const char *name, __u32 key_size,
		   __u32 value_size, struct err *err);
/* The pinned counters of that name, summed over the CPUs. */
int plane_counters(const struct plane *plane, const char *bpffs, const char *name, __u64 *sum,
		   int count, struct err *err);
/* Pins the maps of an object that are not pinned yet, and makes the folder for them. */
int plane_pin_maps(const struct plane *plane, const char *bpffs, const struct bpf_object *obj,
		   struct err *err);
/* How long a flow has been idle, in its table's clock; heard while it is being read is heard now.
 */
__u32 plane_flow_idle(__u32 seen, __u32 now);
/* Calls fn with a copy of each set, made under its lock, until it returns other than 0. */
int plane_sets_walk(int fd, __u32 set_size, int (*fn)(const void *set, void *arg), void *arg);

#endif
