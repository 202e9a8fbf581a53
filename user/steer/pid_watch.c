// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/pid_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_watched(const struct holders *holders, __u32 pid)
{
	int i;

	for (i = 0; i < holders->count; i++)
		if (holders->pids[i] == pid)
			return true;
	return false;
}

static int holder_add(struct holders *holders, __u32 pid, int fd)
{
	size_t room = (size_t)holders->count + 1;
	struct pollfd *ends = realloc(holders->ends, room * sizeof(*ends));
	__u32 *pids = ends ? realloc(holders->pids, room * sizeof(*pids)) : NULL;

	if (ends)
		holders->ends = ends;
	if (!pids)
		return -ENOMEM;
	holders->pids = pids;
	ends[holders->count] = (struct pollfd){ .fd = fd, .events = POLLIN };
	pids[holders->count++] = pid;
	return 0;
}

int pid_watch_add(struct holders *holders, __u32 pid)
{
	int fd, result;

	if (is_watched(holders, pid))
		return 0;
	fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd < 0 && errno == ESRCH) {
		holders->missed = true;
		return 0;
	}
	result = fd < 0 ? -errno : holder_add(holders, pid, fd);
	if (result && fd >= 0)
		close(fd);
	return result;
}

static bool holders_drop_ended(struct holders *holders)
{
	int i, kept = 0;
	bool ended;

	for (i = 0; i < holders->count; i++) {
		if (holders->ends[i].revents) {
			close(holders->ends[i].fd);
			continue;
		}
		holders->ends[kept] = holders->ends[i];
		holders->pids[kept++] = holders->pids[i];
	}
	ended = kept != holders->count || holders->missed;
	holders->count = kept;
	holders->missed = false;
	return ended;
}

bool pid_watch_wait(struct holders *holders, __u32 ms)
{
	int timeout = holders->missed ? 0 : (int)ms;

	if (poll(holders->ends, (nfds_t)holders->count, timeout) < 0 && !holders->missed)
		return false;
	return holders_drop_ended(holders);
}

void pid_watch_free(struct holders *holders)
{
	while (holders->count)
		close(holders->ends[--holders->count].fd);
	free(holders->ends);
	free(holders->pids);
	*holders = (struct holders){ 0 };
}
