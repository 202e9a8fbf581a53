/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The kernel's sk_buff of a packet as a typed pointer, which plain loads can read. A call of a
 * helper costs tens of ns with retpolines and safe returns.
 *
 * Needs Linux 6.2. Kernels 5.13 to 5.15 refuse a program that references an unknown kfunc, even in
 * dead code. They have no conntrack kfuncs either, so only the programs that use these refer to
 * this one: each function takes the constant `kfuncs`, which is false in the other programs.
 */
#ifndef SLUICE_BPF_WIRE_KERNEL_CTX_H
#define SLUICE_BPF_WIRE_KERNEL_CTX_H

#include "common/kernel.h"

#include <stdbool.h>

extern void *bpf_cast_to_kern_ctx(void *context) __ksym __weak;

/* Does the kernel have it? */
const volatile bool casts = false;

#endif
