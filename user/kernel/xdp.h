/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XDP programs on an interface, by links.  An interface has one XDP program alone: that of another
 * owner is never replaced.
 */
#ifndef SLUICE_KERNEL_XDP_H
#define SLUICE_KERNEL_XDP_H

#include "base/err.h"
#include "kernel/links.h"

#include <linux/types.h>
#include <stdbool.h>

/* The program that an interface has, in whatever mode; -ENOENT if it has none. */
int xdp_prog(__u32 ifindex, struct hook_prog *prog);
/* Attaches; the descriptor of the link, which detaches when it is closed unless pinned. */
int xdp_link_create(__u32 ifindex, bool native, int prog_fd);
/*
 * Why the kernel refused to attach natively, in words: the driver's own, where it says any.  Only
 * after such a refusal; returns text.
 */
const char *xdp_refusal(__u32 ifindex, int prog_fd, int error, char *text, size_t size);
/* The kernel's function that only kernels have whose generic XDP redirects to another CPU. */
#define XDP_GENERIC_TO_CPUS "cpu_map_generic_redirect"
/* Does generic XDP on this kernel redirect to another CPU (5.15), where older ones drop? */
bool xdp_generic_reaches_cpus(void);

#endif
