// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/options.h"

#include "base/netns.h"
#include "base/opt.h"
#include "base/suggest.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The index of the word in the list; a usage error that names the nearest one. */
static int word_index(const char *what, const char *value, const char *const *words, size_t count,
		      struct err *err)
{
	const char *nearest;
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(value, words[i]))
			return (int)i;
	nearest = word_nearest(value, words, count);
	err_set(err, EXIT_USAGE, EINVAL, "%s: unknown value '%s'", what, value);
	return nearest ? err_mend(err, -EINVAL, "did you mean '%s'?", nearest)
		       : err_mend(err, -EINVAL, "see 'sluice steer load --help'");
}

int value_policy(const char *what, const char *value, enum sluice_steer_policy *policy,
		 struct err *err)
{
	static const char *const words[] = { "flow", "load", "source", "cpu" };
	int index = word_index(what, value, words, 4, err);

	if (index < 0)
		return index;
	*policy = SLUICE_STEER_FLOW + (unsigned int)index;
	return 0;
}

int value_generations(const char *what, const char *value, enum sluice_steer_generations *by,
		      struct err *err)
{
	static const char *const words[] = { "process", "cgroup", "none" };
	int index = word_index(what, value, words, 3, err);

	if (index < 0)
		return index;
	*by = SLUICE_STEER_BY_PROCESS + (unsigned int)index;
	return 0;
}

int value_flows(const char *what, const char *value, __u32 *flows, struct err *err)
{
	uint64_t number;
	int result = opt_number(what, value, STEER_FLOWS_MIN, STEER_FLOWS_MAX, &number, err);

	if (!result)
		*flows = (__u32)number;
	return result;
}

int value_idle(const char *what, const char *value, __u64 *idle_s, struct err *err)
{
	uint64_t number;
	int result = opt_number(what, value, 1, STEER_IDLE_MAX, &number, err);

	if (!result)
		*idle_s = number;
	return result;
}

int value_netns(const char *value, __u32 *netns, struct err *err)
{
	struct stat st;
	int fd, result;

	if (value && !strcmp(value, "all")) {
		*netns = 0;
		return 0;
	}
	fd = netns_open(value, err);
	if (fd < 0)
		return fd;
	result = fstat(fd, &st) ? err_set(err, EXIT_ERROR, errno, "--netns: %s", strerror(errno))
				: 0;
	close(fd);
	if (!result)
		*netns = (__u32)st.st_ino;
	return result;
}
