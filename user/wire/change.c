// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Adds and removes interfaces of loaded mode wire, for the daemon. Each function reads the state
 * from the pins, under their lock, so that the daemon and commands may alternate.
 */
#include "kernel/pins_lock.h"
#include "wire/wire.h"

#include "net/netdev.h"
#include "wire/attach.h"
#include "wire/interfaces.h"
#include "wire/pins.h"
#include "wire/programs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session {
	struct pins pins;
	struct sluice_wire_meta meta;
	int ifaces_fd;
};

static int session_begin(struct session *session, const char *bpffs, struct err *err)
{
	int result = pins_lock(&session->pins, bpffs, false, err);

	if (result)
		return result;
	result = wire_meta(bpffs, &session->meta, err);
	if (!result && session->meta.netns != netdev_netns())
		result = wire_refuse_netns(bpffs, err);
	if (result)
		goto unlock;
	session->ifaces_fd = wire_iface_table_open(bpffs, err);
	if (session->ifaces_fd >= 0)
		return 0;
	result = session->ifaces_fd;
unlock:
	pins_unlock(&session->pins);
	return result;
}

static void session_end(struct session *session)
{
	close(session->ifaces_fd);
	pins_unlock(&session->pins);
}

int wire_attach_iface(const char *bpffs, const char *name, __u32 roles, __u32 master,
		      struct err *err)
{
	struct wire_pair pair = { .fd = { -1, -1 } };
	struct netdev devs[2]; /* the interface and its master */
	struct wire_plan plan = { .devs = devs, .dev_count = 1 };
	struct wire_iface *iface;
	struct session session;
	int result = netdev_read(name, 0, &devs[0], err);

	if (!result && devs[0].master) {
		result = netdev_read(NULL, devs[0].master, &devs[1], err);
		plan.dev_count = 2;
	}
	if (!result)
		result = session_begin(&session, bpffs, err);
	if (result)
		return result;
	plan.attach_mode = session.meta.attach_mode;
	result = wire_plan_add(&plan, &devs[0], roles, master, err);
	if (result)
		goto end_session;
	iface = &plan.wanted[0];
	result = wire_pair_get(&pair, &session.meta, iface->entry.roles, bpffs, err);
	if (result)
		goto put_pair;
	result = wire_iface_attach(bpffs, session.ifaces_fd, iface, pair.fd, err);
	if (result)
		wire_iface_restore(bpffs, session.ifaces_fd, iface);
	else
		wire_iface_keep(iface);
put_pair:
	wire_pair_put(&pair);
end_session:
	session_end(&session);
	free(plan.wanted);
	return result;
}

int wire_detach_iface(const char *bpffs, __u32 ifindex, struct err *err)
{
	struct wire_iface iface = { .ifindex = ifindex };
	struct session session;
	int result = session_begin(&session, bpffs, err);

	if (result)
		return result;
	if (!bpf_map_lookup_elem(session.ifaces_fd, &ifindex, &iface.entry))
		wire_iface_detach(bpffs, session.ifaces_fd, &iface);
	session_end(&session);
	return 0;
}
