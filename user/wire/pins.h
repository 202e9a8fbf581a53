/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire plane's folder of pins, which all that works on it shares. */
#ifndef SLUICE_WIRE_PINS_H
#define SLUICE_WIRE_PINS_H

#include "base/err.h"
#include "kernel/state_dir.h"

#define WIRE_OBJECT "wire"

extern const struct state_dir wire_state_dir;

/* Says that what is loaded there belongs to another network namespace; -EBUSY. */
int wire_refuse_netns(const char *bpffs, struct err *err);

#endif
