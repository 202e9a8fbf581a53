/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this process may do: a command asks for its capabilities by name before it starts, since the
 * kernel's EPERM never says which one was missing.
 */
#ifndef SLUICE_KERNEL_CAPS_H
#define SLUICE_KERNEL_CAPS_H

#include "base/err.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>

#define CAPS_NAME_MAX 32

/*
 * Does the process hold the capability (CAP_…) in its effective set?  CAP_SYS_ADMIN stands in for
 * CAP_BPF and CAP_PERFMON (kernel/bpf/syscall.c).  Those three and CAP_SYS_RESOURCE count for the
 * whole host or not at all: a container's root in a user namespace of its own does not hold them.
 */
bool caps_have(int cap);
/* Is this the user namespace of the host? */
bool caps_host_userns(void);
/* "CAP_NET_ADMIN"; returns text. */
const char *caps_name(int cap, char text[CAPS_NAME_MAX]);
/* 0 if all are there, or -EPERM with *err set, naming what `what` needs and lacks. */
int caps_require(const char *what, const int *caps, size_t n, struct err *err);

#endif
