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

struct quota *quota_of(struct quotas *shares, __u32 netns)
{
	void *each = shares->each;
	size_t i;

	for (i = 0; i < shares->count; i++)
		if (shares->each[i].netns == netns)
			return &shares->each[i];
	if (array_grow(&each, &shares->room, shares->count, sizeof(*shares->each)))
		return NULL;
	shares->each = each;
	shares->each[shares->count] = (struct quota){ .netns = netns };
	return &shares->each[shares->count++];
}

static int free_for(const struct quotas *shares, __u32 netns)
{
	int left = STEER_GROUPS_MAX - shares->groups;
	int others = STEER_GROUPS_OTHERS - shares->others;

	return netns != shares->host && others < left ? others : left;
}

bool quota_allow(struct quotas *shares, __u32 netns)
{
	struct quota *share = quota_of(shares, netns);
	int left = free_for(shares, netns);

	if (!share)
		return false;
	if (left > (netns == shares->host ? 0 : share->groups))
		return true;
	share->left_out++;
	return false;
}

void quota_add(struct quotas *shares, __u32 netns)
{
	struct quota *share = quota_of(shares, netns);

	shares->groups++;
	shares->others += netns != shares->host;
	if (share)
		share->groups++;
}

void quota_free(struct quotas *shares)
{
	free(shares->each);
	*shares = (struct quotas){ 0 };
}
