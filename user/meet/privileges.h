/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives up the privileges of the process. */
#ifndef SLUICE_MEET_PRIVILEGES_H
#define SLUICE_MEET_PRIVILEGES_H

#include "base/err.h"

/*
 * Becomes @user, if this is root, and drops all capabilities, for good: neither this process nor
 * one that it executes can get any again. Returns 0, or -errno with *err set.
 */
int privileges_drop(const char *user, struct err *err);

#endif
