// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/netns.h"

#include "base/log.h"
#include "base/netns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ino_t inode_of(int netns_fd)
{
	struct stat st = { 0 };

	fstat(netns_fd, &st);
	return st.st_ino;
}

int daemon_netns_open(struct daemon_netns *place, struct err *err)
{
	*place = (struct daemon_netns){ .home_fd = netns_open(NULL, err), .wire_fd = -1 };
	return place->home_fd < 0 ? place->home_fd : 0;
}

static void leave_wire(struct daemon_netns *place)
{
	if (place->wire_fd >= 0)
		close(place->wire_fd);
	place->wire_fd = -1;
}

int daemon_netns_add_wire(struct daemon_netns *place, const char *netns, struct err *err)
{
	int fd;

	if (place->settled)
		return 0;
	leave_wire(place);
	if (!netns)
		return 0;
	fd = netns_open(netns, err);
	if (fd < 0)
		return fd;
	if (inode_of(fd) == inode_of(place->home_fd))
		close(fd);
	else
		place->wire_fd = fd;
	return 0;
}

void daemon_netns_settle(struct daemon_netns *place, const char *netns)
{
	place->settled = true;
	snprintf(place->netns, sizeof(place->netns), "%s", netns ? netns : "");
}

bool daemon_netns_allows(const struct daemon_netns *place, const char *netns)
{
	return !place->settled || !strcmp(place->netns, netns ? netns : "");
}

void daemon_netns_close(struct daemon_netns *place)
{
	if (place->home_fd >= 0)
		close(place->home_fd);
	leave_wire(place);
	place->home_fd = -1;
}

int daemon_netns_enter(const struct daemon_netns *place, struct err *err)
{
	int result = place->wire_fd < 0 ? 0 : netns_switch(place->wire_fd);

	if (result)
		err_set(err, EXIT_PERMISSION, -result, "network namespace of wire mode: %s",
			strerror(-result));
	return result;
}

void daemon_netns_leave(const struct daemon_netns *place)
{
	int result = place->wire_fd < 0 ? 0 : netns_switch(place->home_fd);

	if (!result)
		return;
	log_warning("own network namespace: %s; traffic stays mended", strerror(-result));
	exit(EXIT_ERROR);
}
