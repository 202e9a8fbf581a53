/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The capabilities of this process. A command checks them before it starts, since EPERM from the
 * kernel does not name the missing capability.
 */
#ifndef SLUICE_KERNEL_CAPS_H
#define SLUICE_KERNEL_CAPS_H

#include "base/err.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>

#define CAPS_NAME_MAX 32

/*
 * Returns true if the capability (CAP_…) is effective. CAP_SYS_ADMIN implies CAP_BPF and
 * CAP_PERFMON (kernel/bpf/syscall.c). The kernel checks these three and CAP_SYS_RESOURCE in the
 * host's user namespace: root in the user namespace of a container does not have them.
 */
bool caps_have(int cap);
/* Returns true if this process is in the host's user namespace. */
bool caps_host_userns(void);
/* Formats the name of a capability, such as "CAP_NET_ADMIN". Returns text. */
const char *caps_name(int cap, char text[CAPS_NAME_MAX]);
/*
 * Returns 0 if all @caps are effective, or -EPERM with *err set; the message names @what and the
 * missing capabilities.
 */
int caps_require(const char *what, const int *caps, size_t n, struct err *err);

/* The hint for kernels that charge maps to RLIMIT_MEMLOCK. */
#define CAPS_MEMLOCK_HINT "grant CAP_SYS_RESOURCE, or raise it ('ulimit -l')"

#endif
