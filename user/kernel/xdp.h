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
/* Does the driver of the interface run an XDP program? */
bool xdp_is_native(__u32 ifindex);
/* Attaches by a link. Returns its descriptor; closing it detaches unless the link is pinned. */
int xdp_link_create(__u32 ifindex, bool native, int prog_fd);
/* Sets *err for an interface to which no link could be attached. Returns -errno. */
int xdp_attach_error(const char *name, __u32 ifindex, int error, struct err *err);
/*
 * Writes the reason why the kernel refused to attach in native mode: the driver's own message if it
 * has one. Call only after such a refusal. Returns text.
 */
const char *xdp_refusal(__u32 ifindex, int prog_fd, int error, char *text, size_t size);
/* A kernel function that exists only where generic XDP can redirect to another CPU. */
#define XDP_GENERIC_TO_CPUS "cpu_map_generic_redirect"
/* Can generic XDP redirect to another CPU (5.15)? Older kernels drop the packet. */
bool xdp_generic_reaches_cpus(void);

#endif
