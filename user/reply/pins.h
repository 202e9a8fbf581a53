/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of the pins of the object reply. */
#ifndef SLUICE_REPLY_PINS_H
#define SLUICE_REPLY_PINS_H

#include "kernel/state_dir.h"

#include <sluice/reply.h>

#define REPLY_OBJECT "reply"

/* Pins of the links. A map's pin has the name of the map. */
#define PIN_LEARN    "link_learn"
#define PIN_FIX4     "link_fix4"
#define PIN_FIX6     "link_fix6"
#define PIN_AUDIT    "link_audit"
#define PIN_CONNECT4 "link_connect4"
#define PIN_CONNECT6 "link_connect6"

extern const struct state_dir reply_state_dir;

#endif
