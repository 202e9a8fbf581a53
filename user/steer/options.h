/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_STEER_OPTIONS_H
#define SLUICE_STEER_OPTIONS_H

#include "cli/opt.h"

/* The options of 'steer load' and of section [steer], parsed into struct steer_options. */
extern const struct opt steer_opts[];

#endif
