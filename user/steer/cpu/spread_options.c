// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/cpu/spread_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blanks after a comma are skipped, as in other lists of the configuration file. */
#define BLANKS " \t"

#define ONLINE "/sys/devices/system/cpu/online"

struct cpu_list {
	bool has[SLUICE_SPREAD_CPUS];
};

/* Parses a CPU list in the format of the kernel and taskset(1). Returns false on a syntax error. */
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
	return err_set(err, EXIT_ERROR, EIO, "%s: cannot be read", ONLINE);
}

/* Parses an option. Rejects CPUs that do not exist or are offline. */
static int parse_cpus(const struct opt_value *v, struct err *err)
{
	const char *what = v->what;
	struct spread_options *options = v->field;
	struct cpu_list wanted, online;
	char text[256];
	__u32 cpu;
	int result;

	if (!cpus_parse(v->text, &wanted))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "%s%s'%s' is not a CPU list",
					OPT_WHAT(what), v->text),
				"give a list such as 0-3,6");
	result = online_read(text, sizeof(text), &online, err);
	options->cpu_count = 0;
	for (cpu = 0; !result && cpu < SLUICE_SPREAD_CPUS; cpu++) {
		if (!wanted.has[cpu])
			continue;
		if (!online.has[cpu])
			return err_hint(err,
					err_set(err, EXIT_USAGE, EINVAL, "%s%sCPU %u is not online",
						OPT_WHAT(what), cpu),
					"the CPUs online are %s", text);
		options->cpus[options->cpu_count++] = (__u16)cpu;
	}
	return result;
}

static int parse_interfaces(const struct opt_value *v, struct err *err)
{
	struct spread_options *options = v->field;
	int count = opt_interfaces(v->what, v->text, options->ifname, 0, SLUICE_SPREAD_LINKS, err);

	if (count < 0)
		return count;
	options->ifcount = (__u32)count;
	return 0;
}

const struct opt steer_spread_opts[] = {
	{ "xdp", 0, "IF,..", parse_interfaces, 0,
	  "with policy cpu: spread the flows that arrive on these interfaces over CPUs" },
	{ "cpus", 0, "LIST", parse_cpus, 0, "the CPUs that 'xdp' spreads over, as in 0-3,6" },
	{ .name = NULL },
};

int value_spread_check(const char *dashes, const struct spread_options *xdp,
		       enum sluice_steer_policy policy, struct err *err)
{
	if (!xdp->ifcount != !xdp->cpu_count)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"%sxdp and %scpus must be given together", dashes, dashes),
				"give both: interfaces such as eth0, and CPUs such as 0-3");
	if (xdp->ifcount && policy != SLUICE_STEER_CPU)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "%sxdp needs policy cpu", dashes),
				"the other policies ignore the receiving CPU");
	return 0;
}
