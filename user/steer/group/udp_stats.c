// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/udp_stats.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STATS_LINE 1024

static const char *const names[] = {
#define X(name, snmp, key, help) snmp,
	SLUICE_STEER_UDP(X)
#undef X
};

static int index_of(const char *name)
{
	int i;

	for (i = 0; i < SLUICE_STEER_UDP_COUNTERS; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -1;
}

/* The first "Udp: " line has the names, the second line has the values in the same order. */
void udp_stats_add(FILE *snmp, __u64 counters[SLUICE_STEER_UDP_COUNTERS])
{
	char header[STATS_LINE], values[STATS_LINE], *rest_header, *rest_values;
	const char *name, *value;

	do {
		if (!fgets(header, sizeof(header), snmp))
			return;
	} while (strncmp(header, "Udp: ", 5));
	if (!fgets(values, sizeof(values), snmp))
		return;
	name = strtok_r(header, " \n", &rest_header);
	value = strtok_r(values, " \n", &rest_values);
	while (name && value) {
		int index = index_of(name);

		if (index >= 0)
			counters[index] += strtoull(value, NULL, 10);
		name = strtok_r(NULL, " \n", &rest_header);
		value = strtok_r(NULL, " \n", &rest_values);
	}
}

void udp_stats_add6(FILE *snmp6, __u64 counters[SLUICE_STEER_UDP_COUNTERS])
{
	char line[STATS_LINE], name[64];
	unsigned long long value;

	while (fgets(line, sizeof(line), snmp6)) {
		int index;

		if (sscanf(line, "Udp6%63s %llu", name, &value) != 2)
			continue;
		index = index_of(name);
		if (index >= 0)
			counters[index] += value;
	}
}

static bool lives_in(const char *pid, __u32 netns)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/net", pid);
	return !stat(path, &st) && st.st_ino == netns;
}

/* Reads the counters in /proc of process @pid. A namespace without IPv6 has no snmp6. */
static int read_of(const char *pid, __u64 counters[SLUICE_STEER_UDP_COUNTERS])
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.20s/net/snmp", pid);
	file = fopen(path, "re");
	if (!file)
		return -ESRCH;
	memset(counters, 0, SLUICE_STEER_UDP_COUNTERS * sizeof(*counters));
	udp_stats_add(file, counters);
	fclose(file);
	snprintf(path, sizeof(path), "/proc/%.20s/net/snmp6", pid);
	file = fopen(path, "re");
	if (file) {
		udp_stats_add6(file, counters);
		fclose(file);
	}
	return 0;
}

int udp_stats_read(__u32 netns, __u32 pid, __u64 counters[SLUICE_STEER_UDP_COUNTERS])
{
	char pid_text[16];
	struct dirent *entry;
	int result = -ESRCH;
	DIR *proc;

	snprintf(pid_text, sizeof(pid_text), "%u", pid);
	if (pid && lives_in(pid_text, netns) && !read_of(pid_text, counters))
		return 0;
	proc = opendir("/proc");
	if (!proc)
		return -ESRCH;
	while (result && (entry = readdir(proc)))
		if (isdigit((unsigned char)*entry->d_name) && lives_in(entry->d_name, netns))
			result = read_of(entry->d_name, counters);
	closedir(proc);
	return result;
}
