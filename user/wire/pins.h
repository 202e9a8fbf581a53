/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state directory of object wire. */
#ifndef SLUICE_WIRE_PINS_H
#define SLUICE_WIRE_PINS_H

#include "base/err.h"
#include "kernel/state_dir.h"

#include <stdbool.h>

#define WIRE_OBJECT "wire"

extern const struct state_dir wire_state_dir;

/* Sets the error for an object of another network namespace; returns -EBUSY. */
int wire_refuse_netns(const char *bpffs, struct err *err);

struct sluice_wire_meta;
/* Returns true if the network namespace of a load was deleted, with the interfaces of its links. */
bool wire_netns_is_gone(const char *bpffs, const struct sluice_wire_meta *meta);

#endif
