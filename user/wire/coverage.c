// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A record shows that the programs have processed the client's datagrams, and whether they leave
 * these datagrams alone. Without a record, the coverage depends on the interface on which the
 * server received the requests. For a bridge port, this interface is the bridge. So only --follow,
 * which covers all ports, proves coverage: a single port may serve other clients.
 */
#include "wire/coverage.h"

#include "wire/pins.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <string.h>
#include <unistd.h>

int wire_cover_open(const char *bpffs, struct wire_cover *cover, struct err *err)
{
	int result = wire_read(bpffs, &cover->state, err);

	if (result)
		return result;
	cover->flows_fd = state_dir_map_open(&wire_state_dir, bpffs, "sluice_w_flows",
					     BPF_MAP_TYPE_ARRAY, sizeof(__u32),
					     sizeof(struct sluice_wire_set), err);
	if (cover->flows_fd < 0) {
		wire_state_free(&cover->state);
		return cover->flows_fd;
	}
	result = flow_table_clock_read(&cover->clock);
	if (!result)
		return 0;
	wire_cover_close(cover);
	return err_set(err, EXIT_ERROR, -result, "clock of the flow table: %s", strerror(-result));
}

void wire_cover_close(struct wire_cover *cover)
{
	if (cover->flows_fd >= 0)
		close(cover->flows_fd);
	wire_state_free(&cover->state);
}

static bool flow_find(const struct wire_cover *cover, const struct wire_client *client, __u32 scope,
		      struct sluice_wire_flow *flow)
{
	const struct sluice_wire_meta *meta = &cover->state.meta;
	__be16 server_port_be = htons(client->server_port);
	__u64 hash = sluice_wire_hash(meta->seed, &client->addr, client->port_be, server_port_be,
				      scope);
	__u32 way, index = sluice_flow_set_index(hash, meta->sets);
	struct sluice_wire_set set;

	if (cover->flows_fd < 0 ||
	    bpf_map_lookup_elem_flags(cover->flows_fd, &index, &set, BPF_F_LOCK))
		return false;
	for (way = 0; way < SLUICE_FLOW_WAYS; way++) {
		*flow = set.flow[way];
		if (set.tag[way] && flow->peer_port_be == client->port_be &&
		    flow->port_be == server_port_be && flow->scope == scope &&
		    !memcmp(&flow->peer, &client->addr, sizeof(flow->peer)))
			return flow_table_idle_ns(&cover->clock, set.seen[way]) <= meta->age_ns;
	}
	return false;
}

enum wire_covers wire_cover_of(const struct wire_cover *cover, const struct wire_client *client)
{
	const struct sluice_wire_meta *meta = &cover->state.meta;
	enum wire_covers covers = WIRE_COVERS_NOT;
	__u16 port = client->server_port;
	int i;

	if (client->netns != meta->netns ||
	    !(meta->any_port || meta->ports[port / 64] >> port % 64 & 1))
		return WIRE_COVERS_NOT;
	for (i = 0; i < cover->state.count; i++) {
		const struct wire_iface *iface = &cover->state.ifaces[i];
		struct sluice_wire_flow flow;

		if (!(iface->entry.roles & SLUICE_WIRE_HOST) || wire_is_gone(&cover->state, iface))
			continue;
		if (flow_find(cover, client, iface->ifindex, &flow)) {
			if (flow.flags & (SLUICE_WIRE_RIGHT | SLUICE_WIRE_MIXED))
				continue;
			if (flow.flags & SLUICE_WIRE_DST)
				return WIRE_COVERS_BY_REWRITING;
			covers = WIRE_COVERS_CLIENT;
		} else if (client->ifindex && (client->ifindex == iface->ifindex ||
					       client->ifindex == iface->entry.master)) {
			covers = WIRE_COVERS_CLIENT;
		}
	}
	return covers;
}
