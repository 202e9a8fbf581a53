// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/quota.h"

#include "base/array.h"

#include <stdlib.h>
#include <sys/stat.h>

__u32 quota_host(void)
{
	struct stat st;

	if (stat("/proc/1/ns/net", &st) && stat("/proc/self/ns/net", &st))
		return 0;
	return (__u32)st.st_ino;
}

struct quota *quota_of(struct quotas *quotas, __u32 netns)
{
	void *each = quotas->each;
	size_t i;

	for (i = 0; i < quotas->count; i++)
		if (quotas->each[i].netns == netns)
			return &quotas->each[i];
	if (array_grow(&each, &quotas->room, quotas->count, sizeof(*quotas->each)))
		return NULL;
	quotas->each = each;
	quotas->each[quotas->count] = (struct quota){ .netns = netns };
	return &quotas->each[quotas->count++];
}

bool quota_allow(struct quotas *quotas, __u32 netns)
{
	struct quota *quota = quota_of(quotas, netns);
	int left = STEER_GROUPS_MAX - quotas->groups;
	int others = STEER_GROUPS_OTHERS - quotas->others;

	if (!quota)
		return false;
	if (netns != quotas->host && others < left)
		left = others;
	if (left > (netns == quotas->host ? 0 : quota->groups))
		return true;
	quota->left_out++;
	return false;
}

void quota_add(struct quotas *quotas, __u32 netns)
{
	struct quota *quota = quota_of(quotas, netns);

	quotas->groups++;
	quotas->others += netns != quotas->host;
	if (quota)
		quota->groups++;
}

void quota_recount(struct quotas *quotas)
{
	size_t i;

	quotas->groups = quotas->others = 0;
	for (i = 0; i < quotas->count; i++)
		quotas->each[i].groups = 0;
}

void quota_free(struct quotas *quotas)
{
	free(quotas->each);
	*quotas = (struct quotas){ 0 };
}
