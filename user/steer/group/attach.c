// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/attach.h"

#include "process/sockets.h"
#include "process/take_socket.h"

#include <errno.h>
#include <unistd.h>

int steer_attach(const struct steer_member *member, int prog_fd)
{
	const struct sluice_socket_record *before = member->record;
	struct sluice_socket_record now;
	int result = sockets_read_own(member->cookie, &now);

	if (result)
		return result;
	if (now.group != before->group)
		return -ESTALE;
	/* a classic BPF program has no id, so compare group_filters too */
	if (now.group_prog != before->group_prog || now.group_filters != before->group_filters)
		return -EEXIST;
	return process_socket_attach(before, member->fd, prog_fd);
}

int steer_detach(const struct sluice_socket_record *record, __u32 prog_id)
{
	struct sluice_socket_record now;
	__u64 cookie;
	int result, fd = process_socket_take(record, &cookie);

	if (fd < 0)
		return fd;
	result = sockets_read_own(cookie, &now);
	if (!result)
		result = now.group_prog == prog_id ? process_socket_detach(record, fd) : -ENOENT;
	close(fd);
	return result;
}
