/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The type and layout of a map. */
#ifndef SLUICE_KERNEL_MAPS_H
#define SLUICE_KERNEL_MAPS_H

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>

/*
 * Does the map have this type and layout? Check before a lookup: the kernel copies a whole value,
 * and that of a per-CPU map for each CPU, whatever the size of the buffer.
 */
bool map_is(int fd, enum bpf_map_type type, __u32 key_size, __u32 value_size);
/* Returns max_entries of a map, 0 on failure. */
__u32 map_entries(int fd);

#endif
