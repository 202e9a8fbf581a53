/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads samples for 'sluice top'. */
#ifndef SLUICE_CMD_TOP_SAMPLE_H
#define SLUICE_CMD_TOP_SAMPLE_H

#include "base/err.h"
#include "cmd/top/entry.h"
#include "steer/view.h"

struct top_source {
	const char *bpffs;
	bool has_run_times;	 /* the kernel collects run times of programs */
	struct steer_view steer; /* from the last sample: time since which each worker is stalled */
};

/*
 * Reads all objects, and the rendezvous servers of this host. An unreadable object has an entry
 * with the reason; the function then returns the -errno of the first such object, with *err set.
 * The caller frees the sample in either case.
 */
int top_sample_read(struct top_source *source, struct top_sample *sample, struct err *err);
void top_source_free(struct top_source *source);

#endif
