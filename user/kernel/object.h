/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One load of an object as a transaction: inspect what is pinned, verify the programs on the pinned
 * maps, and only then commit: pin, attach, and record what is in force.  On failure the kernel is
 * as it was.
 *
 *	object_inspect()
 *	skel = SKEL__open_opts(object_open_opts()), set rodata and map sizes
 *	object_verify()		once for each skeleton
 *	object_commit()		unless it is a dry run
 *	object_end(), SKEL__destroy()
 *
 * The record says SLUICE_LOADING while a commit is under way, so that the next load recognises what
 * a loader that died has left.  The caller holds the lock of the folder (kernel/pins.h).
 */
#ifndef SLUICE_KERNEL_OBJECT_H
#define SLUICE_KERNEL_OBJECT_H

#include "base/err.h"
#include "kernel/state_dir.h"

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>

struct object {
	const struct state_dir *state_dir;
	const char *dir;  /* where the plane's folder of pins is */
	const char *what; /* names the programs in messages: "reply programs" */
	void *before;	  /* the record in force, of plane->meta_size; magic 0: nothing is loaded */
	const void *after;
	bool dry_run;
	bool by_daemon;
	bool is_part; /* of a plane that has its owner's mark from elsewhere */
	/* Removes what a loader that died early has left; NULL: state_dir_remove(). */
	int (*clear)(const char *dir, struct err *err);

	/* What follows is set by the functions below. */
	enum load_outcome outcome;
	struct bpf_object *maps; /* of the skeleton that was verified first */
	__u64 staged;		 /* bit i: map i of these replaces a pinned one of another size */
	struct bpf_object_open_opts opts;
	char *log; /* the verifier's */
};

/*
 * Reads the record in force into *before, and sets the outcome.  Remains without a record are
 * removed, except by a dry run; *before is all zero then, as where nothing is loaded.  0, or -errno
 * with *err set: another ABI version is refused.
 */
int object_inspect(struct object *object, struct err *err);
/* Returns the seed of the record in force, or draws one if that is 0. */
__u64 object_seed(__u64 before);
/* Returns the options to open a skeleton with, which collect the verifier's log. */
const struct bpf_object_open_opts *object_open_opts(struct object *object);
/*
 * Verifies the programs of an opened skeleton (NULL, if it could not be opened, is an error).  Of
 * the first skeleton each map that is pinned with the same number of entries is shared, any other
 * starts empty; later ones share the maps of the first.  0, or -errno with *err set.
 */
int object_verify(struct object *object, struct bpf_object_skeleton *skeleton, struct err *err);

struct object_steps {
	/*
	 * Fills the maps and attaches the programs.  Without undo() it reverts on failure whatever
	 * it has changed, but for pins of a first load.
	 */
	int (*attach)(void *arg, struct err *err);
	/* Reverts what attach() has done, all of it or a part.  May be NULL. */
	void (*undo)(void *arg);
	/* Removes what is not wanted any more, once nothing can fail.  May be NULL. */
	void (*finish)(void *arg);
	void *arg;
};

/*
 * Pins the maps, attaches, and writes the record *after with SLUICE_LOADED.  A map of another size
 * is pinned as NAME_new, and takes the name after attach().  On failure the record and the pins of
 * before are in place again, and *err says why.
 */
int object_commit(struct object *object, const struct object_steps *steps, struct err *err);
/* Pins a program (or map, or link) in the place of one of that name. */
int object_pin(const struct object *object, int fd, const char *pin, struct err *err);
/* Frees what this module has allocated. */
void object_end(struct object *object);

/*
 * Removes an object; with own_only, if the daemon was the last to load it.  `remove` does the work
 * under the lock; NULL: state_dir_remove().  Its result, 0 if nothing is loaded, or -errno.
 */
int object_unload(const struct state_dir *plane, const char *dir, bool own_only,
		  int (*remove)(const char *dir, void *arg, struct err *err), void *arg,
		  struct err *err);

#endif
