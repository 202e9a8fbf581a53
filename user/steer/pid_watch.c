// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/pid_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int pid_watch_add(struct pid_watch *watch, __u32 pid)
{
	size_t room = (size_t)watch->count + 1;
	struct pollfd *pidfds;
	__u32 *pids;
	int i, fd;

	for (i = 0; i < watch->count; i++)
		if (watch->pids[i] == pid)
			return 0;
	pidfds = realloc(watch->pidfds, room * sizeof(*pidfds));
	if (!pidfds)
		return -ENOMEM;
	watch->pidfds = pidfds;
	pids = realloc(watch->pids, room * sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	watch->pids = pids;
	fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd < 0 && errno != ESRCH)
		return -errno;
	if (fd < 0) {
		watch->missed = true;
		return 0;
	}
	pidfds[watch->count] = (struct pollfd){ .fd = fd, .events = POLLIN };
	pids[watch->count++] = pid;
	return 0;
}

bool pid_watch_wait(struct pid_watch *watch, __u32 ms)
{
	int timeout = watch->missed ? 0 : (int)ms, i, kept = 0;
	bool ended;

	if (poll(watch->pidfds, (nfds_t)watch->count, timeout) < 0 && !watch->missed)
		return false;
	for (i = 0; i < watch->count; i++) {
		if (watch->pidfds[i].revents) {
			close(watch->pidfds[i].fd);
			continue;
		}
		watch->pidfds[kept] = watch->pidfds[i];
		watch->pids[kept++] = watch->pids[i];
	}
	ended = kept != watch->count || watch->missed;
	watch->count = kept;
	watch->missed = false;
	return ended;
}

void pid_watch_free(struct pid_watch *watch)
{
	while (watch->count)
		close(watch->pidfds[--watch->count].fd);
	free(watch->pidfds);
	free(watch->pids);
	*watch = (struct pid_watch){ 0 };
}
