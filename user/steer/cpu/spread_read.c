// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/meta.h"
#include "kernel/state_dir.h"
#include "steer/cpu/spread.h"
#include "steer/cpu/spread_links.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *spread_mode_name(__u32 mode)
{
	return mode == SLUICE_SPREAD_NATIVE    ? "native"
	       : mode == SLUICE_SPREAD_GENERIC ? "generic"
					       : "?";
}

static int sent_read(const char *bpffs, struct spread *xdp, struct err *err)
{
	int possible = libbpf_num_possible_cpus(), cpu, fd;
	__u64 *each = calloc((size_t)possible, sizeof(*each));
	__u32 i;

	fd = state_dir_map_open(&spread_state_dir, bpffs, "sluice_x_sent",
				BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(__u32), sizeof(__u64), err);
	for (i = 0; fd >= 0 && each && i < xdp->meta.cpu_count && i < SLUICE_SPREAD_CPUS; i++) {
		__u32 key = xdp->meta.cpus[i];

		if (bpf_map_lookup_elem(fd, &key, each))
			continue;
		for (cpu = 0; cpu < possible && key < SLUICE_SPREAD_CPUS; cpu++)
			xdp->sent[key] += each[cpu];
	}
	if (fd >= 0)
		close(fd);
	free(each);
	return fd < 0 ? fd : 0;
}

int spread_read(const char *bpffs, struct spread *xdp, struct err *err)
{
	int result;

	memset(xdp, 0, sizeof(*xdp));
	result = meta_read(&spread_state_dir, bpffs, &xdp->meta, err);
	/* steer may be loaded without the spread */
	if (result == -ENOENT || result == -EUCLEAN)
		return err_hint(err,
				err_set(err, EXIT_ERROR, ENOENT,
					"no interface has its flows spread over CPUs"),
				"load it with 'sluice steer load --policy cpu --xdp IF --cpus"
				" LIST'");
	if (result)
		return result;
	spread_links_read(bpffs, xdp);
	result = state_dir_counters(&spread_state_dir, bpffs, "sluice_x_counts",
				    xdp->counters.value, SLUICE_SPREAD_COUNTERS_MAX, err);
	return result ? result : sent_read(bpffs, xdp, err);
}
