// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/cpu/spread_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may stand behind a comma, as in the other lists of the daemon's file. */
#define BLANKS " \t"

#define ONLINE "/sys/devices/system/cpu/online"

struct cpu_list {
	bool has[SLUICE_SPREAD_CPUS];
};

/* As the kernel writes it and 'taskset -c' takes it; false if it is none. */
static bool cpus_parse(const char *text, struct cpu_list *list)
{
	memset(list, 0, sizeof(*list));
	do {
		unsigned long first, last;
		char *end;

		if (*text < '0' || *text > '9')
			return false;
		first = last = strtoul(text, &end, 10);
		if (*end == '-') {
			if (end[1] < '0' || end[1] > '9')
				return false;
			last = strtoul(end + 1, &end, 10);
		}
		if (first > last || last >= SLUICE_SPREAD_CPUS || (*end && *end != ','))
			return false;
		while (first <= last)
			list->has[first++] = true;
		text = *end ? end + 1 + strspn(end + 1, BLANKS) : end;
		if (*end && !*text)
			return false;
	} while (*text);
	return true;
}

static int online_read(char *text, size_t size, struct cpu_list *online, struct err *err)
{
	FILE *file = fopen(ONLINE, "re");
	bool read = file && fgets(text, (int)size, file);

	if (file)
		fclose(file);
	if (read)
		text[strcspn(text, "\n")] = '\0';
	if (read && cpus_parse(text, online))
		return 0;
	return err_set(err, EXIT_ERROR, EIO, "%s: it can't be read", ONLINE);
}

int value_spread_cpus(const char *what, const char *list, struct steer_xdp_options *options,
		      struct err *err)
{
	struct cpu_list wanted, online;
	char text[256];
	__u32 cpu;
	int result;

	if (!cpus_parse(list, &wanted))
		return err_mend(
			err,
			err_set(err, EXIT_USAGE, EINVAL, "%s: '%s' is no list of CPUs", what, list),
			"name them as in 0-3,6");
	result = online_read(text, sizeof(text), &online, err);
	options->cpu_count = 0;
	for (cpu = 0; !result && cpu < SLUICE_SPREAD_CPUS; cpu++) {
		if (!wanted.has[cpu])
			continue;
		if (!online.has[cpu])
			return err_mend(err,
					err_set(err, EXIT_USAGE, EINVAL, "%s: CPU %u is not online",
						what, cpu),
					"these are: %s", text);
		options->cpus[options->cpu_count++] = (__u16)cpu;
	}
	return result;
}

static bool is_named(const struct steer_xdp_options *options, const char *name)
{
	__u32 i;

	for (i = 0; i < options->ifcount; i++)
		if (!strcmp(options->ifname[i], name))
			return true;
	return false;
}

int value_spread_interfaces(const char *what, const char *list, struct steer_xdp_options *options,
			    struct err *err)
{
	const char *end;

	options->ifcount = 0;
	for (;; list = end + 1) {
		char name[IFNAMSIZ];
		size_t length;

		list += strspn(list, BLANKS);
		end = strchrnul(list, ',');
		length = (size_t)(end - list);
		if (!length || length >= IFNAMSIZ || strcspn(list, "/" BLANKS) < length)
			return err_set(err, EXIT_USAGE, EINVAL, "%s: '%.*s' is no interface", what,
				       (int)length, list);
		snprintf(name, sizeof(name), "%.*s", (int)length, list);
		if (!is_named(options, name)) {
			if (options->ifcount == SLUICE_SPREAD_LINKS)
				return err_set(err, EXIT_USAGE, E2BIG, "%s: at most %d interfaces",
					       what, SLUICE_SPREAD_LINKS);
			strcpy(options->ifname[options->ifcount++], name);
		}
		if (!*end)
			return 0;
	}
}

int value_spread_check(const char *dashes, const struct steer_xdp_options *xdp,
		       enum sluice_steer_policy policy, struct err *err)
{
	if (!xdp->ifcount != !xdp->cpu_count)
		return err_mend(err,
				err_set(err, EXIT_USAGE, EINVAL, "%sxdp and %scpus go together",
					dashes, dashes),
				"name both: interfaces, as in eth0, and CPUs, as in 0-3");
	if (xdp->ifcount && policy != SLUICE_STEER_CPU)
		return err_mend(err,
				err_set(err, EXIT_USAGE, EINVAL, "%sxdp is for policy cpu", dashes),
				"the other policies do not ask on which CPU a datagram arrives");
	return 0;
}
