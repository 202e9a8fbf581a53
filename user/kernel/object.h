/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One load of an object as a transaction: inspect what is pinned, verify the programs on the pinned
 * maps, and only then commit: pin, attach, and write the record. A failure before or in attach()
 * leaves the kernel as before; see object_commit() for a later one.
 *
 *	object_inspect()
 *	skel = SKEL__open_opts(object_open_opts()), set rodata and map sizes
 *	object_verify()		once for each skeleton
 *	object_commit()		unless it is a dry run
 *	object_end(), SKEL__destroy()
 *
 * The record has the state SLUICE_LOADING during a commit, so that the next load recognises the
 * remains of a loader that died. The caller holds the lock of the directory (kernel/pins.h).
 *
 * A load over the pins of another version of sluice with the same ABI version is an update like any
 * other. With another ABI version the load replaces them: it starts with empty maps, and updates
 * the attached links in place, so that the object works throughout. All versions therefore keep the
 * head of the record (sluice/meta.h), the names of the directory and its record, and those of the
 * links.
 */
#ifndef SLUICE_KERNEL_OBJECT_H
#define SLUICE_KERNEL_OBJECT_H

#include "base/err.h"
#include "kernel/load_outcome.h"
#include "kernel/pins_lock.h"
#include "kernel/state_dir.h"

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>

/*
 * Makes sure that a load or a feature probe does not run out of descriptors: that would look like a
 * missing kernel feature. Returns 0, or -errno with *err set.
 */
int object_reserve_files(const char *what, struct err *err);

struct object {
	const struct state_dir *state_dir;
	const char *dir;  /* the pin directory */
	const char *what; /* names the programs in messages: "reply programs" */
	void *before;	  /* the current record, of meta_size bytes; magic 0: not loaded */
	const void *after;
	bool dry_run;
	bool by_daemon;
	const char *const *fresh; /* maps that start empty, whatever is pinned; NULL: none */
	bool is_part;		  /* of an object whose owner is recorded elsewhere */
	struct pins *pins;	  /* the lock, for object_yield(); NULL: it is kept */
	/* Removes the remains of a loader that died early; NULL: unload_state(). */
	int (*clear)(const char *dir, struct err *err);

	/* set by the functions below */
	enum load_outcome outcome;
	__u32 replaces;		 /* the ABI of another version, whose maps are not reused; or 0 */
	struct bpf_object *maps; /* of the first verified skeleton */
	__u64 staged;		 /* bit i: map i replaces the pinned map */
	bool lost;		 /* a pin of a map was missing */
	int loader_fd;		 /* see state_dir_mark_loader() */
	__u32 loading;		 /* the record's state during the commit */
	struct bpf_object_open_opts opts;
	char *log; /* the verifier's */
};

/*
 * Reads the current record into *before and sets the outcome. *before is all zero if nothing is
 * loaded, if there are only remains without a record, or if the record has another ABI version;
 * remains are removed, except in a dry run. Warns of what is lost with another ABI version. Returns
 * 0, or -errno with *err set, as for a foreign record.
 */
int object_inspect(struct object *object, struct err *err);
/* Returns the seed of the current record, or a new random one if that is 0. */
__u64 object_seed(__u64 before);
/* Returns the options to open a skeleton with, which collect the verifier's log. */
const struct bpf_object_open_opts *object_open_opts(struct object *object);
/*
 * Will a load with @entries reuse the pinned map @name? The load starts with an empty map if the
 * size differs, or if a loader that died has left a staged map: the attached programs may use
 * either map.
 */
bool object_reuses(const struct object *object, const char *name, __u32 entries);
/*
 * Verifies the programs of an opened skeleton; NULL (opening failed) is an error. The first
 * skeleton reuses the pinned maps, and starts with an empty one for each map of @fresh and where
 * object_reuses() is false; later skeletons use the maps of the first. Returns 0, or -errno with
 * *err set.
 */
int object_verify(struct object *object, struct bpf_object_skeleton *skeleton, struct err *err);

struct object_steps {
	/*
	 * Fills the maps and attaches the programs. Without undo(), it reverts its own changes on
	 * failure, except pins of a first load; if it cannot, it returns -EUCLEAN, and the record
	 * stays SLUICE_LOADING. May call object_yield(), and then return -ECANCELED.
	 */
	int (*attach)(void *arg, struct err *err);
	/* Reverts attach(), complete or not. May be NULL. */
	void (*undo)(void *arg);
	/*
	 * Removes what the new load does not want; cannot be reverted. May be NULL. Returns 0, or
	 * the error of object_yield().
	 */
	int (*finish)(void *arg, struct err *err);
	void *arg;
};

/*
 * Pins the maps, attaches, and writes the record *after with SLUICE_LOADED. A staged map is pinned
 * as NAME_new and renamed after attach(). Returns 0, or -errno with *err set.
 *
 * On a failure up to attach(), or anywhere in a first load, pins, record and owner are as before;
 * with undo(), also on a failure of the first rename. After -ECANCELED another process has loaded
 * or removed the object. After any other failure the new programs and maps stay, and the record has
 * SLUICE_LOADING: the next load replaces them, and the daemon loads its own object again.
 *
 * finish() runs before SLUICE_LOADED is written, so that the next load also does what a loader that
 * dies in finish() has left undone.
 */
int object_commit(struct object *object, const struct object_steps *steps, struct err *err);
/*
 * Lets the processes that wait for the lock go first. attach() and finish() call this between two
 * steps of a long load. Returns 0, or -ECANCELED with *err set if another process has loaded or
 * removed the object: nothing of this load is left then, and the caller must not change anything
 * more.
 */
int object_yield(struct object *object, struct err *err);
/* Pins maps that are not pinned yet, and a staged map as NAME_new. Creates the directory. */
int object_pin_maps(const struct object *object, struct err *err);
/* Pins a program, map or link, and replaces a pin of that name. */
int object_pin(const struct object *object, int fd, const char *pin, struct err *err);
/* Frees the verifier's log. */
void object_end(struct object *object);

#endif
