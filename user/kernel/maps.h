/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks the type and layout of maps, and maps arrays into the memory of this process. */
#ifndef SLUICE_KERNEL_MAPS_H
#define SLUICE_KERNEL_MAPS_H

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>

/*
 * Returns true if the map has this type and layout. Check this before a lookup: the kernel copies a
 * whole value (of a per-CPU map, one value for each CPU), whatever the size of the buffer.
 */
bool map_is(int fd, enum bpf_map_type type, __u32 key_size, __u32 value_size);
/* Returns max_entries of a map, or 0 on failure. */
__u32 map_entries(int fd);
/*
 * Maps an array with BPF_F_MMAPABLE into memory: access then needs neither system calls nor
 * capabilities. On failure, returns NULL with errno set.
 */
void *map_open_array(int fd, __u32 entries, __u32 value_size, bool write);
/* Unmaps an array. @at may be NULL. */
void map_close_array(const void *at, __u32 entries, __u32 value_size);

#endif
