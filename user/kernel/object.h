/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads an object in a transaction. It inspects the pins and verifies the programs with the pinned
 * maps. Only then does it commit: pin, attach, and write the record. A failure before or in
 * attach() leaves the kernel unchanged; for later failures see object_commit().
 *
 *	object_inspect()
 *	skel = SKEL__open_opts(object_open_opts()), set rodata and map sizes
 *	object_verify()		once for each skeleton
 *	object_commit()		unless it is a dry run
 *	object_end(), SKEL__destroy()
 *
 * The record has the state SLUICE_LOADING during a commit, so that the next load recognises the
 * remains of a killed loader. The caller holds the lock of the directory (kernel/pins_lock.h).
 *
 * If another version of sluice has created the pins, and has the same ABI version, the load is a
 * normal update. With a different ABI version, the load starts with empty maps and updates the
 * attached links in place, so that the object works throughout. For this, the head of the record
 * (sluice/meta.h) and the names of the directory, the record and the links are the same in all
 * versions.
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
 * Ensures that enough descriptors are free for a load or a feature probe, and raises the soft limit
 * if necessary: running out of descriptors would look like a missing kernel feature. Returns 0, or
 * -errno with *err set.
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
	const char *const *fresh; /* maps that start empty even if they are pinned; NULL: none */
	bool is_part;		  /* part of an object whose owner is recorded elsewhere */
	struct pins *pins;	  /* the lock, for object_yield(); NULL: never yield */
	/* Removes the remains of a loader that was killed early; NULL: unload_state(). */
	int (*clear)(const char *dir, struct err *err);

	/* set by the functions below */
	enum load_outcome outcome;
	__u32 replaces;		 /* other ABI version, whose maps are not reused; or 0 */
	struct bpf_object *maps; /* object of the first verified skeleton */
	__u64 staged;		 /* bit i: map i replaces the pinned map */
	bool lost;		 /* a pin of a map was missing */
	int loader_fd;		 /* see state_dir_mark_loader() */
	__u32 loading;		 /* the record's state during the commit */
	struct bpf_object_open_opts opts;
	char *log; /* the verifier's log */
};

/*
 * Reads the current record into *before and sets the outcome. *before is all zero if nothing is
 * loaded, if only remains without a record exist, or if the record has another ABI version. Removes
 * remains, except in a dry run. Warns of what is lost with another ABI version. Returns 0, or
 * -errno with *err set, for example for a foreign record.
 */
int object_inspect(struct object *object, struct err *err);
/* Returns @before, the seed of the current record, or a new random seed if @before is 0. */
__u64 object_seed(__u64 before);
/* Returns the options for opening a skeleton, with a buffer for the verifier's log. */
const struct bpf_object_open_opts *object_open_opts(struct object *object);
/*
 * Returns true if a load with @entries will reuse the pinned map @name. The load starts with an
 * empty map if the size differs, or if a killed loader has left a staged map: the attached programs
 * may then use either map.
 */
bool object_reuses(const struct object *object, const char *name, __u32 entries);
/*
 * Verifies the programs of an opened skeleton. A NULL @skeleton (opening failed) is an error. The
 * first skeleton reuses the pinned maps, except the maps of object->fresh and those for which
 * object_reuses() is false: these start empty. Later skeletons use the maps of the first skeleton.
 * Returns 0, or -errno with *err set.
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
	 * Removes what the new load no longer needs; cannot be reverted. May be NULL. Returns 0, or
	 * the error of object_yield().
	 */
	int (*finish)(void *arg, struct err *err);
	void *arg;
};

/*
 * Pins the maps, attaches the programs, and writes the record *after with SLUICE_LOADED. Pins a
 * staged map as NAME_new and renames it after attach(). Returns 0, or -errno with *err set.
 *
 * After a failure up to attach(), or anywhere in a first load, pins, record and owner are
 * unchanged. With undo(), this is also true if the first rename fails. -ECANCELED means that
 * another process has loaded or removed the object. After any other failure the new programs and
 * maps stay, and the record has SLUICE_LOADING: the next load replaces them, and the daemon loads
 * its own object again.
 *
 * finish() runs before SLUICE_LOADED is written: if a loader is killed in finish(), the next load
 * completes its work.
 */
int object_commit(struct object *object, const struct object_steps *steps, struct err *err);
/*
 * Yields the lock to waiting processes. attach() and finish() call this between two steps of a long
 * load. Returns 0, or -ECANCELED with *err set if another process has loaded or removed the object:
 * nothing of this load then remains, and the caller must make no further changes.
 */
int object_yield(struct object *object, struct err *err);
/* Pins maps that are not pinned yet, and staged maps as NAME_new. Creates the directory. */
int object_pin_maps(const struct object *object, struct err *err);
/* Pins a program, map or link; replaces an existing pin @pin. */
int object_pin(const struct object *object, int fd, const char *pin, struct err *err);
/* Frees the verifier's log. */
void object_end(struct object *object);

#endif
