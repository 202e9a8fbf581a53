// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/maps.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

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

static size_t length_of(__u32 entries, __u32 value_size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return ((size_t)entries * value_size + page - 1) / page * page;
}

void *map_open_array(int fd, __u32 entries, __u32 value_size, bool write)
{
	void *at = mmap(NULL, length_of(entries, value_size),
			write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

void map_close_array(const void *at, __u32 entries, __u32 value_size)
{
	if (at)
		munmap((void *)at, length_of(entries, value_size));
}
