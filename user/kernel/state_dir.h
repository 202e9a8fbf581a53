/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the state of every plane has in common: a folder of pins, in it a map that says what was
 * loaded, and a map of counters.
 */
#ifndef SLUICE_KERNEL_STATE_DIR_H
#define SLUICE_KERNEL_STATE_DIR_H

#include "base/err.h"

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <sluice/meta.h>
#include <stdbool.h>

/* What a load did. */
enum load_outcome {
	LOAD_VERIFIED, /* a dry run */
	LOAD_FRESH,
	LOAD_UPDATED,	/* it was loaded; what differed has been changed in place */
	LOAD_RECOVERED, /* a loader had died at it; its remains were replaced */
	LOAD_LEFT,	/* nothing was done: it was to follow, and somebody else was faster */
};

struct state_dir {
	const char *name; /* the folder's, and what messages say */
	const char *meta; /* the map's name */
	__u32 meta_size;
	__u32 abi;
	const char *load;   /* the command that loads it */
	const char *prefix; /* of its pins, in a folder that it shares; NULL: all are its own */
};

/* Has the map this layout? Another must not even be read: the kernel copies what it has. */
bool state_dir_map_has_size(int fd, __u32 key_size, __u32 value_size);
/* max_entries of a map, 0 if that can't be seen. */
__u32 state_dir_map_entries(int fd);
/*
 * Fills in *meta.  -ENOENT: nothing there.  -EUCLEAN: remains of a loader that died early.  Other
 * ABI versions are refused, never misread, and *err is set then.
 */
int state_dir_meta_read(const struct state_dir *plane, const char *bpffs, void *meta,
			struct err *err);
/* Says that another version has pinned what is there, of that ABI (0: not known); -EPROTO. */
int state_dir_refuse_abi(const struct state_dir *plane, const char *bpffs, __u32 abi,
			 struct err *err);
/* Sets *err if state_dir_meta_read() left it to the caller, and returns `why`. */
int state_dir_not_loaded(const struct state_dir *plane, const char *bpffs, int why,
			 struct err *err);
/* Writes a copy of *meta with that state. */
int state_dir_meta_write(const struct state_dir *plane, int fd, const void *meta, __u32 state,
			 struct err *err);
/* Opens a pinned map that must have a certain layout; the descriptor, or -errno. */
int state_dir_map_open(const struct state_dir *plane, const char *bpffs, const char *name,
		       __u32 key_size, __u32 value_size, struct err *err);
/* The pinned counters of that name, summed over the CPUs. */
int state_dir_counters(const struct state_dir *plane, const char *bpffs, const char *name,
		       __u64 *sum, int count, struct err *err);
/* Pins the maps of an object that are not pinned yet, and makes the folder for them. */
int state_dir_pin_maps(const struct state_dir *plane, const char *bpffs,
		       const struct bpf_object *obj, struct err *err);
/* Drops the plane's pins, and its folder if that is empty then. The count, or -errno. */
int state_dir_remove(const struct state_dir *plane, const char *bpffs, struct err *err);
/*
 * Whose load it was stands among the pins, as a symbolic link, and goes with them: so the daemon
 * that finds its section gone from the file knows what it may unload.  Of a plane that is loaded.
 */
int state_dir_set_owner(const struct state_dir *plane, const char *bpffs, bool by_daemon,
			struct err *err);
bool state_dir_is_daemons(const struct state_dir *plane, const char *bpffs);

#endif
