// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Reads the fields of /proc/self/stat, in clock ticks and pages; proc(5) numbers the fields. */
static void read_stat(struct process_usage *usage)
{
	unsigned long long user = 0, system = 0, started = 0, virtual = 0, resident = 0;
	double ticks = (double)sysconf(_SC_CLK_TCK);
	struct timespec now, boot;
	char line[1024];
	FILE *file = fopen("/proc/self/stat", "re");
	const char *at = file && fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;

	if (file)
		fclose(file);
	if (!at || sscanf(at,
			  ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu"
			  " %*d %*d %*d %*d %*d %*d %llu %llu %llu",
			  &user, &system, &started, &virtual, &resident) != 5)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	usage->cpu_s = (double)(user + system) / ticks;
	usage->started_s = (double)(now.tv_sec - boot.tv_sec) +
			   (double)(now.tv_nsec - boot.tv_nsec) / 1e9 + (double)started / ticks;
	usage->virtual_bytes = virtual;
	usage->resident_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t count_files(void)
{
	struct stat stat;
	uint64_t count = 0;
	const struct dirent *entry;
	DIR *dir;

	/*
	 * since Linux 6.2: groups need thousands of descriptors, and listing each takes a
	 * microsecond
	 */
	if (!lstat("/proc/self/fd", &stat) && stat.st_size > 0)
		return (uint64_t)stat.st_size;
	dir = opendir("/proc/self/fd");
	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	/* exclude the descriptor of this directory */
	return count ? count - 1 : 0;
}

void process_usage_read(struct process_usage *usage)
{
	struct rlimit files = { 0 };

	*usage = (struct process_usage){ 0 };
	read_stat(usage);
	getrlimit(RLIMIT_NOFILE, &files);
	usage->files = count_files();
	usage->files_max = files.rlim_cur;
}

void process_metrics(struct metrics *metrics)
{
	struct process_usage usage;

	process_usage_read(&usage);
	metrics_family(metrics, METRICS_INFO, "sluice_build", NULL, "the version of sluice");
	metrics_add(metrics, 1, "version", SLUICE_VERSION, NULL);
	metrics_family(metrics, METRICS_COUNTER, "process_cpu_seconds", "seconds",
		       "CPU time of this process, in user and kernel mode");
	metrics_add_real(metrics, usage.cpu_s, NULL);
	metrics_gauge_real(metrics, "process_start_time_seconds", "seconds",
			   "start time of this process, as Unix time", usage.started_s);
	metrics_gauge(metrics, "process_resident_memory_bytes", "bytes",
		      "resident memory of this process", usage.resident_bytes);
	metrics_gauge(metrics, "process_virtual_memory_bytes", "bytes",
		      "address space of this process", usage.virtual_bytes);
	metrics_gauge(metrics, "process_open_fds", NULL, "open descriptors of this process",
		      usage.files);
	metrics_gauge(metrics, "process_max_fds", NULL, "limit on open descriptors of this process",
		      usage.files_max);
}
