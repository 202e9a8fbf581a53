// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/maps.h"

#include "hold/pins.h"
#include "kernel/maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Maps a pinned array and sets *entries to its size. Returns NULL with *err set on failure. */
static void *map_array(const char *bpffs, const char *name, __u32 value, bool write, __u32 *entries,
		       struct err *err)
{
	int fd = state_dir_map_open(&hold_state_dir, bpffs, name, BPF_MAP_TYPE_ARRAY, sizeof(__u32),
				    value, err);
	void *at;

	if (fd < 0)
		return NULL;
	*entries = map_entries(fd);
	at = map_open_array(fd, *entries, value, write);
	if (!at)
		err_set(err, EXIT_ERROR, errno, "%s/%s/%s: mmap: %s", bpffs, HOLD_OBJECT, name,
			strerror(errno));
	close(fd);
	return at;
}

int hold_maps_open(struct hold_maps *maps, const char *bpffs, bool write, struct err *err)
{
	__u32 entries, kept = 0, one = 0, closes = 0;

	*maps = HOLD_MAPS_NONE;
	*err = (struct err){ 0 };
	maps->flows = map_array(bpffs, "sluice_flows", sizeof(*maps->flows), false, &entries, err);
	if (!maps->flows)
		goto failed;
	maps->table = entries - 1;
	maps->alloc = (const struct sluice_hold_alloc *)maps->flows;
	maps->kept = map_array(bpffs, "sluice_kept", sizeof(*maps->kept), write, &kept, err);
	if (!maps->kept)
		goto failed;
	if (kept != entries) {
		map_close_array(maps->kept, kept, sizeof(*maps->kept));
		maps->kept = NULL;
		err_set(err, EXIT_ERROR, EAGAIN, "hold: the tables are being replaced");
		goto failed;
	}
	maps->status = map_array(bpffs, "sluice_status", sizeof(*maps->status), write, &one, err);
	if (!maps->status)
		goto failed;
	maps->closes = map_array(bpffs, "sluice_closes", sizeof(*maps->closes), false, &closes,
				 err);
	if (!maps->closes)
		goto failed;
	maps->socks_fd = state_dir_map_open(&hold_state_dir, bpffs, "sluice_socks",
					    BPF_MAP_TYPE_HASH, sizeof(__u64),
					    sizeof(struct sluice_hold_socket), err);
	if (maps->socks_fd < 0)
		goto failed;
	maps->netns_fd = state_dir_map_open(&hold_state_dir, bpffs, "sluice_netns",
					    BPF_MAP_TYPE_HASH, sizeof(__u32),
					    sizeof(struct sluice_hold_netns), err);
	if (maps->netns_fd >= 0)
		return 0;
failed:
	hold_maps_close(maps);
	return -EIO;
}

void hold_maps_close(struct hold_maps *maps)
{
	map_close_array(maps->flows, maps->table + 1, sizeof(*maps->flows));
	map_close_array(maps->kept, maps->table + 1, sizeof(*maps->kept));
	map_close_array(maps->status, 1, sizeof(*maps->status));
	map_close_array(maps->closes, SLUICE_HOLD_CLOSES, sizeof(*maps->closes));
	if (maps->socks_fd >= 0)
		close(maps->socks_fd);
	if (maps->netns_fd >= 0)
		close(maps->netns_fd);
	*maps = HOLD_MAPS_NONE;
}

__u32 hold_maps_used(const struct hold_maps *maps)
{
	__u32 used = __atomic_load_n(&maps->alloc->used, __ATOMIC_ACQUIRE);

	return used < maps->table ? used : maps->table;
}

bool hold_flow_read(const struct hold_maps *maps, __u32 slot, struct sluice_hold_flow *flow)
{
	const struct sluice_hold_flow *from = &maps->flows[slot];
	__u32 serial = __atomic_load_n(&from->serial, __ATOMIC_ACQUIRE);

	if (serial & 1)
		return false;
	*flow = *from;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return flow->cookie && flow->serial == serial &&
	       __atomic_load_n(&from->serial, __ATOMIC_RELAXED) == serial;
}

bool hold_socket_open(const struct hold_maps *maps, const struct sluice_hold_flow *flow)
{
	struct sluice_hold_socket socket;

	return !bpf_map_lookup_elem(maps->socks_fd, &flow->cookie, &socket) &&
	       socket.port_be == flow->key.local_port_be;
}

__u64 hold_netns_sockets(const struct hold_maps *maps, __u32 netns)
{
	struct sluice_hold_netns tracked = { 0 };

	bpf_map_lookup_elem(maps->netns_fd, &netns, &tracked);
	return tracked.sockets;
}
