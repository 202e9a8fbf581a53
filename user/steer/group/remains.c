// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/remains.h"

#include "kernel/links.h"
#include "kernel/pins.h"
#include "kernel/unload.h"
#include "process/sockets.h"
#include "steer/group/attach.h"
#include "steer/group/drain_lock.h"
#include "steer/group/group.h"

#include <bpf/bpf.h>
#include <linux/types.h>
#include <sluice/steer.h>
#include <stdbool.h>
#include <unistd.h>

#define MAPS_MAX 32

/* Opens the socket map through the program, because the pin of the map may be missing. */
static int sockets_map(int prog_fd)
{
	__u32 ids[MAPS_MAX], length, i;
	struct bpf_prog_info prog = { .map_ids = (__u64)(unsigned long)ids,
				      .nr_map_ids = MAPS_MAX };

	length = sizeof(prog);
	if (bpf_obj_get_info_by_fd(prog_fd, &prog, &length))
		return -1;
	for (i = 0; i < prog.nr_map_ids && i < MAPS_MAX; i++) {
		struct bpf_map_info map = { 0 };
		int fd = bpf_map_get_fd_by_id(ids[i]);

		length = sizeof(map);
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &map, &length) &&
		    map.type == BPF_MAP_TYPE_REUSEPORT_SOCKARRAY)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

void steer_sockets_forget(int prog_fd)
{
	int map_fd = sockets_map(prog_fd);
	__u32 slot;

	if (map_fd < 0)
		return;
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		bpf_map_delete_elem(map_fd, &slot);
	close(map_fd);
}

/* Detaches the program from its group. Sets *of to a socket of the group. */
static void detach(__u32 prog_id, struct sluice_socket_record *of)
{
	const struct sockets_filter filter = { .programs = true, .ports.any = true };
	const struct sluice_socket_record *record;
	struct sockets *sockets;
	bool detached = false;
	size_t i;

	if (sockets_read(&sockets, &filter, &(struct err){ 0 }))
		return;
	for (i = 0; !detached && (record = sockets_at(sockets, i)); i++) {
		detached = record->group_prog == prog_id && !steer_detach(record, prog_id);
		if (detached)
			*of = *record;
	}
	sockets_free(sockets);
}

void steer_group_remains_forget(const char *dir, const char *name)
{
	int fd = pins_get(dir, name, STEER_PIN_PROGRAM, PINS_PROG);

	if (fd < 0)
		return;
	steer_sockets_forget(fd);
	close(fd);
}

bool steer_group_remains_drain(const char *dir, const char *name)
{
	struct steer_group *group = steer_group_new(dir, name);
	bool drains = group && drain_lock_any(group);

	steer_group_close(group);
	return drains;
}

int steer_group_remains_remove(const char *dir, const char *name, struct sluice_socket_record *of)
{
	int prog_fd = pins_get(dir, name, STEER_PIN_PROGRAM, PINS_PROG);
	struct bpf_prog_info info;
	int pins;

	*of = (struct sluice_socket_record){ 0 };
	if (prog_fd >= 0 && !prog_info_by_fd(prog_fd, &info)) {
		detach(info.id, of);
		steer_sockets_forget(prog_fd);
	}
	if (prog_fd >= 0)
		close(prog_fd);
	pins = unload_pins(dir, name, &(struct err){ 0 });
	return pins < 0 ? 0 : pins;
}
