/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XDP programs on an interface, attached by links. An interface has room for one XDP program;
 * sluice never replaces the program of another owner.
 */
#ifndef SLUICE_KERNEL_XDP_H
#define SLUICE_KERNEL_XDP_H

#include "base/err.h"
#include "kernel/links.h"

#include <linux/types.h>
#include <stdbool.h>

/* Reads the interface's program, in any mode. Returns 0, -ENOENT without one, or -errno. */
int xdp_prog(__u32 ifindex, struct hook_prog *prog);
/* Returns 0 if the interface has no XDP program; otherwise -errno with *err set. */
int xdp_require_free(const char *name, __u32 ifindex, struct err *err);
/* Returns true if the driver of the interface runs an XDP program. */
bool xdp_is_native(__u32 ifindex);
/* Attaches with a link. Returns its descriptor; closing it detaches an unpinned link. */
int xdp_link_create(__u32 ifindex, bool native, int prog_fd);
/* Sets *err after xdp_link_create() has failed with @error. Returns -errno. */
int xdp_attach_error(const char *name, __u32 ifindex, int error, struct err *err);
/*
 * Formats the reason why the kernel refused to attach in native mode: the driver's message, if any.
 * Call this only after a refused attempt. Returns text.
 */
const char *xdp_refusal(__u32 ifindex, int prog_fd, int error, char *text, size_t size);
/* A kernel function that exists only where generic XDP can redirect to another CPU. */
#define XDP_GENERIC_TO_CPUS "cpu_map_generic_redirect"
/* Returns true if generic XDP can redirect to another CPU (5.15). Older kernels drop the packet. */
bool xdp_generic_reaches_cpus(void);

#endif
