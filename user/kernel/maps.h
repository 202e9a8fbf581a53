/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The type and layout of a map, and arrays in the memory of this process. */
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
/*
 * Maps an array with BPF_F_MMAPABLE into memory, where it needs neither system calls nor
 * capabilities any more. Returns NULL with errno set.
 */
void *map_open_array(int fd, __u32 entries, __u32 value_size, bool write);
/* @at may be NULL. */
void map_close_array(const void *at, __u32 entries, __u32 value_size);

#endif
