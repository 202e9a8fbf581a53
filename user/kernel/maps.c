// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/maps.h"

#include <bpf/bpf.h>

bool map_is(int fd, enum bpf_map_type type, __u32 key_size, __u32 value_size)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &length) && info.type == type &&
	       info.key_size == key_size && info.value_size == value_size;
}

__u32 map_entries(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &length) ? 0 : info.max_entries;
}
