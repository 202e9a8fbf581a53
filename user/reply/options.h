/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_REPLY_OPTIONS_H
#define SLUICE_REPLY_OPTIONS_H

#include "cli/opt.h"

/* The options of 'reply load' and section [reply], parsed into struct reply_options. */
extern const struct opt reply_opts[];

#endif
