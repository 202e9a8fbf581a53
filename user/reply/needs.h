/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_REPLY_NEEDS_H
#define SLUICE_REPLY_NEEDS_H

#include "base/err.h"
#include "kernel/need.h"

#include <sluice/reply.h>

extern const struct needs reply_needs;

/* Checks the capabilities of 'reply load' for this mode. Returns 0, or -EPERM with *err set. */
int reply_caps_require(enum sluice_reply_mode mode, struct err *err);

#endif
