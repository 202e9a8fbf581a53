/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The meta record of an object: a pinned map that records what was loaded, by which version, and
 * whether the load is complete.
 */
#ifndef SLUICE_KERNEL_META_H
#define SLUICE_KERNEL_META_H

#include "base/err.h"
#include "kernel/pins.h"

#include <linux/types.h>
#include <sluice/meta.h>
#include <stdbool.h>
#include <stddef.h>

struct state_dir {
	const char *name; /* name of the directory, also used in messages */
	const char *meta; /* the map's name */
	__u32 meta_size;
	__u32 abi;
	const char *load;   /* the command that loads the object */
	const char *lost;   /* what is lost if a load replaces the pins of another ABI */
	const char *prefix; /* prefix of its pins if the directory is shared, or NULL */
	/* NULL-terminated list of maps without which the record is meaningless, or NULL */
	const char *const *vital;
};

/*
 * Reads the meta record. Returns 0; -ENOENT if nothing is loaded; -EUCLEAN if only remains exist
 * (the record or a vital map is missing); or -errno with *err set, for example for another ABI
 * version.
 */
int meta_read(const struct state_dir *sd, const char *bpffs, void *meta, struct err *err);
/*
 * Copies the head, the first @size bytes, of a record of any ABI version; the head is the same in
 * all versions. Returns false if no record of sluice exists.
 */
bool meta_head(const struct state_dir *sd, const char *bpffs, void *head, size_t size);
/*
 * Returns the ABI version of the record if it differs from that of @sd. Returns 0 if it does not
 * differ, or if no record of sluice exists.
 */
__u32 meta_other_abi(const struct state_dir *sd, const char *bpffs);
/* Warns that a load replaces, or would replace, an object of another ABI, and what is lost. */
void meta_warn_replaced(const struct state_dir *sd, __u32 other_abi, bool dry_run);
/* Sets *err for pins that another version of sluice has created. Returns -EPROTO. */
int meta_refuse_abi(const struct state_dir *sd, const char *bpffs, struct err *err);
/* Sets *err for a pin of the object that cannot be opened. Returns @error, or -EPROTO. */
int meta_pin_error(const struct state_dir *sd, const char *bpffs, const char *name, int error,
		   struct err *err);
/* Sets *err for @why, an error for which meta_read() does not set it. Returns @why. */
int meta_not_loaded(const struct state_dir *sd, const char *bpffs, int why, struct err *err);
/* Writes the record with this state. */
int meta_write(const struct state_dir *sd, int fd, const void *meta, __u32 state, struct err *err);

#endif
