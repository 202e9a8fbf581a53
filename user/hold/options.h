/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_HOLD_OPTIONS_H
#define SLUICE_HOLD_OPTIONS_H

#include "cli/opt.h"

/* The options of 'hold load' and of section [hold], parsed into struct hold_options. */
extern const struct opt hold_opts[];
/* The keys of section [hold] that control sending, parsed into struct hold_send_options. */
extern const struct opt hold_send_opts[];

#endif
