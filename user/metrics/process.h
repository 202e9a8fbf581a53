/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics of this process, with the names that all Prometheus client libraries use. */
#ifndef SLUICE_METRICS_PROCESS_H
#define SLUICE_METRICS_PROCESS_H

#include "metrics/metrics.h"

/* The resource usage of this process. */
struct process_usage {
	double cpu_s;
	double started_s; /* Unix time */
	uint64_t virtual_bytes, resident_bytes;
	uint64_t files, files_max;
};

void process_usage_read(struct process_usage *usage);
/* Adds sluice_build_info, and the process_* metrics of the Prometheus client libraries. */
void process_metrics(struct metrics *metrics);

#endif
