/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unloads an object: detaches its programs and removes its pins. */
#ifndef SLUICE_KERNEL_UNLOAD_H
#define SLUICE_KERNEL_UNLOAD_H

#include "base/err.h"
#include "kernel/pins.h"
#include "kernel/pins_lock.h"
#include "kernel/state_dir.h"

#include <stdbool.h>

/*
 * Removes a pin. Detaches a link first: the kernel frees a link some time after its last reference
 * is dropped, and its program runs until then.
 */
int unload_pin(const char *path);
/*
 * Removes the directory of an object whose own pins are already removed. Returns 0, or -ENOTEMPTY
 * with *err set (EXIT_CONFLICT) if the directory holds other pins.
 */
int unload_dir(const char *path, struct err *err);
/*
 * Removes all pins of an object and returns their number, or -errno. Removes PINS_OWNER first:
 * while it exists, no unload has begun, and a missing pin is a fault. Removes the others in
 * alphabetical order, in case this process is killed: link_fix4 and link_fix6, which read the table
 * of object reply, come before link_learn, which fills it.
 */
int unload_pins(const char *dir, const char *object, struct err *err);
/*
 * Removes the pins with the prefix, and the directory if it is then empty. Leaves all other pins,
 * including PINS_OWNER. Without @prefix, works as unload_pins().
 */
int unload_pins_prefixed(const char *dir, const char *object, const char *prefix, struct err *err);
/*
 * Removes the object's pins, and its directory if it is then empty. Returns the number of pins, or
 * -errno.
 */
int unload_state(const struct state_dir *sd, const char *bpffs, struct err *err);

/*
 * Removes an object; with @own_only, only if the daemon owns it. Holds the lock and calls @remove,
 * or unload_state() if @remove is NULL. Returns the result of the call, 0 if nothing is loaded, or
 * -errno.
 */
int unload_object(const struct state_dir *sd, const char *dir, bool own_only,
		  int (*remove)(struct pins *pins, void *arg, struct err *err), void *arg,
		  struct err *err);

#endif
