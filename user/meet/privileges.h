/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives up the privileges of the process. */
#ifndef SLUICE_MEET_PRIVILEGES_H
#define SLUICE_MEET_PRIVILEGES_H

#include "base/err.h"

/*
 * Switches to @user if the process is root, and drops all capabilities. Neither this process nor
 * any program that it executes can regain them. Returns 0, or -errno with *err set.
 */
int privileges_drop(const char *user, struct err *err);

/*
 * Keeps other processes of the same user from reading the memory of this process (PR_SET_DUMPABLE):
 * it leaves no core dump, and only a process with CAP_SYS_PTRACE may trace it. Call it before a
 * private key is read. Returns 0, or -errno with *err set.
 */
int privileges_hide_memory(struct err *err);

#endif
