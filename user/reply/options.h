/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_REPLY_OPTIONS_H
#define SLUICE_REPLY_OPTIONS_H

#include "base/opt.h"

/* Of 'reply load' and of section [reply], into struct reply_options. */
extern const struct opt reply_opts[];

#endif
