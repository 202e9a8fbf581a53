// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Adds and removes interfaces of loaded wire mode, for the daemon. Each function reads the state
 * from the pins, under their lock, so that the daemon and commands may alternate.
 */
#include "wire/wire.h"

#include "kernel/netdev.h"
#include "kernel/pins.h"
#include "wire/attach.h"
#include "wire/pins.h"
#include "wire/plan.h"
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
	struct wire_plan plan = { 0 };
	struct netdev *devs = NULL;
	struct wire_iface *iface;
	const struct netdev *dev;
	struct session session;
	int result = netdev_list(&devs, &plan.dev_count, err);

	if (result)
		return result;
	plan.devs = devs;
	dev = wire_plan_named(&plan, name, err);
	result = dev ? session_begin(&session, bpffs, err) : -ENODEV;
	if (result)
		goto out;
	plan.attach_mode = session.meta.attach_mode;
	result = wire_plan_add(&plan, dev, roles, master, err);
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
out:
	free(plan.wanted);
	free(devs);
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
