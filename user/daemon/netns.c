// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/netns.h"

#include "base/log.h"
#include "net/netdev.h"
#include "net/netns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int daemon_netns_open(struct daemon_netns *netns, struct err *err)
{
	*netns = (struct daemon_netns){ .home_fd = netns_open(NULL, err), .wire_fd = -1 };
	return netns->home_fd < 0 ? netns->home_fd : 0;
}

void daemon_netns_close(struct daemon_netns *netns)
{
	if (netns->home_fd >= 0)
		close(netns->home_fd);
	if (netns->wire_fd >= 0)
		close(netns->wire_fd);
}

int daemon_netns_add_wire(struct daemon_netns *netns, const char *name, struct err *err)
{
	struct stat home = { 0 }, wire = { 0 };
	int fd;

	if (netns->fixed)
		return 0;
	if (netns->wire_fd >= 0)
		close(netns->wire_fd);
	netns->wire_fd = -1;
	if (!name)
		return 0;
	fd = netns_open(name, err);
	if (fd < 0)
		return fd;
	fstat(netns->home_fd, &home);
	fstat(fd, &wire);
	if (home.st_ino == wire.st_ino)
		close(fd);
	else
		netns->wire_fd = fd;
	return 0;
}

void daemon_netns_fix(struct daemon_netns *netns, const char *name)
{
	netns->fixed = true;
	snprintf(netns->name, sizeof(netns->name), "%s", name ? name : "");
}

bool daemon_netns_allows(const struct daemon_netns *netns, const char *name)
{
	return !netns->fixed || !strcmp(netns->name, name ? name : "");
}

bool daemon_netns_has_moved(const char *name, uint32_t netns)
{
	uint32_t now;

	return !netns_number(name, &now, &(struct err){ 0 }) && now != netns;
}

bool daemon_netns_is_replaced(const struct daemon_netns *netns)
{
	struct stat wire;

	return netns->fixed && *netns->name && netns->wire_fd >= 0 &&
	       !fstat(netns->wire_fd, &wire) &&
	       daemon_netns_has_moved(netns->name, (uint32_t)wire.st_ino);
}

int daemon_netns_enter(const struct daemon_netns *netns, struct err *err)
{
	int result = netns->wire_fd < 0 ? 0 : netns_switch(netns->wire_fd);

	if (result)
		err_set(err, EXIT_PERMISSION, -result,
			"cannot enter the network namespace of mode wire: %s", strerror(-result));
	return result;
}

bool daemon_netns_is_home(const struct daemon_netns *netns)
{
	struct stat home;

	return netns->wire_fd < 0 ||
	       (!fstat(netns->home_fd, &home) && home.st_ino == netdev_netns());
}

void daemon_netns_leave(const struct daemon_netns *netns)
{
	int result = netns->wire_fd < 0 ? 0 : netns_switch(netns->home_fd);

	if (!result)
		return;
	log_warning("cannot return to the daemon's network namespace: %s; the programs stay"
		    " attached",
		    strerror(-result));
	exit(EXIT_ERROR);
}
