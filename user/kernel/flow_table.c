// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/flow_table.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define SETS_AT_ONCE 64

__u32 flow_table_idle(__u32 seen, __u32 now)
{
	return (__s32)(now - seen) < 0 ? 0 : now - seen;
}

int flow_table_walk(int fd, __u32 set_size, int (*fn)(const void *set, void *arg), void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_F_LOCK);
	char *sets = calloc(SETS_AT_ONCE, set_size);
	__u32 keys[SETS_AT_ONCE], cursor = 0, count, i;
	bool first = true, last = false;
	int result = sets ? 0 : -ENOMEM;

	while (!result && !last) {
		count = SETS_AT_ONCE;
		if (bpf_map_lookup_batch(fd, first ? NULL : &cursor, &cursor, keys, sets, &count,
					 &opts)) {
			last = errno == ENOENT;
			result = last ? 0 : -errno;
		}
		first = false;
		for (i = 0; !result && i < count; i++)
			result = fn(sets + (size_t)i * set_size, arg);
	}
	free(sets);
	return result;
}
