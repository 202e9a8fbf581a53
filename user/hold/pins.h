/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of the pins of the object hold. */
#ifndef SLUICE_HOLD_PINS_H
#define SLUICE_HOLD_PINS_H

#include "kernel/state_dir.h"

#define HOLD_OBJECT "hold"

/* The pins of the links. The pin of a map is named like the map. */
#define PIN_CLOSED "link_closed"
#define PIN_OUT	   "link_out"
#define PIN_IN	   "link_in"

extern const struct state_dir hold_state_dir;

#endif
