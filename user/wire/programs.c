// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/programs.h"

#include "bpf/wire/wire.skel.h"
#include "kernel/links.h"
#include "kernel/maps.h"
#include "kernel/pins.h"
#include "kernel/ticks.h"
#include "wire/needs.h"
#include "wire/pins.h"

#include <bpf/bpf.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIN_SIZE 32

/* The kernel frees a program after an RCU grace period, from a work queue. */
#define FREE_TRIES   30
#define FREE_WAIT_NS 100000000L

static const char *prog_pin(__u32 roles, bool out, char name[PIN_SIZE])
{
	snprintf(name, PIN_SIZE, "prog_%x_%s", roles, out ? "out" : "in");
	return name;
}

int wire_pair_load(struct wire_pair *pair, struct object *object,
		   const struct sluice_wire_meta *meta, __u32 roles,
		   const struct wire_kfuncs *kfuncs, struct err *err)
{
	bool conntrack = kfuncs->conntrack;
	struct wire_bpf *skel = wire_bpf__open_opts(object_open_opts(object));
	int result;

	pair->roles = roles;
	pair->skel = skel;
	if (skel) {
		skel->rodata->role = roles;
		skel->rodata->seed = meta->seed;
		skel->rodata->casts = conntrack && kfuncs->cast;
		skel->rodata->tick_ns = ticks_length_ns();
		skel->rodata->age = sluice_flow_clock(meta->age_ns);
		skel->rodata->sets = meta->sets;
		skel->rodata->any_port = meta->any_port;
		memcpy((void *)skel->rodata->ports, meta->ports, sizeof(meta->ports));
		bpf_map__set_max_entries(skel->maps.sluice_w_flows, meta->sets);
		bpf_program__set_autoload(skel->progs.sluice_wire_in, !conntrack);
		bpf_program__set_autoload(skel->progs.sluice_wire_out, !conntrack);
		bpf_program__set_autoload(skel->progs.sluice_ct_in, conntrack);
		bpf_program__set_autoload(skel->progs.sluice_ct_out, conntrack);
	}
	result = object_verify(object, skel ? skel->skeleton : NULL, err);
	if (result)
		return result;
	pair->fd[0] = bpf_program__fd(conntrack ? skel->progs.sluice_ct_in
						: skel->progs.sluice_wire_in);
	pair->fd[1] = bpf_program__fd(conntrack ? skel->progs.sluice_ct_out
						: skel->progs.sluice_wire_out);
	return 0;
}

int wire_pair_pin(const struct wire_pair *pair, const struct object *object, struct err *err)
{
	char name[PIN_SIZE];
	int out, result = 0;

	for (out = 0; !result && out < 2; out++)
		result = object_pin(object, pair->fd[out], prog_pin(pair->roles, out, name), err);
	return result;
}

bool wire_pair_is_pinned(__u32 roles, const char *bpffs)
{
	char name[PIN_SIZE], path[PATH_MAX];
	int out, pinned = 0;

	for (out = 0; out < 2; out++)
		pinned += !access(pins_path(bpffs, WIRE_OBJECT, prog_pin(roles, out, name), path),
				  F_OK);
	return pinned == 2;
}

void wire_pair_unpin(__u32 roles, const char *bpffs)
{
	char name[PIN_SIZE], path[PATH_MAX];
	int out;

	for (out = 0; out < 2; out++)
		unlink(pins_path(bpffs, WIRE_OBJECT, prog_pin(roles, out, name), path));
}

/* Unpins a program. If the kernel then does not free it, pins it again and returns false. */
static bool is_unused(__u32 roles, bool out, const char *bpffs)
{
	const struct timespec pause = { .tv_nsec = FREE_WAIT_NS };
	char name[PIN_SIZE], path[PATH_MAX];
	int tries, by_id, fd = pins_get(bpffs, WIRE_OBJECT, prog_pin(roles, out, name), PINS_PROG);
	struct bpf_prog_info info;

	if (fd < 0)
		return true;
	/* needs CAP_SYS_ADMIN, without which the program cannot be pinned again below */
	by_id = prog_info_by_fd(fd, &info) ? -1 : bpf_prog_get_fd_by_id(info.id);
	if (by_id >= 0)
		unlink(pins_path(bpffs, WIRE_OBJECT, name, path));
	close(fd);
	if (by_id < 0)
		return false;
	for (tries = 0; tries < FREE_TRIES; tries++) {
		close(by_id);
		nanosleep(&pause, NULL);
		by_id = bpf_prog_get_fd_by_id(info.id);
		if (by_id < 0)
			return true;
	}
	bpf_obj_pin(by_id, path);
	close(by_id);
	return false;
}

bool wire_pairs_are_unused(const char *bpffs)
{
	__u32 roles;

	for (roles = 0; roles < SLUICE_WIRE_ROLES; roles++)
		if (!is_unused(roles, false, bpffs) || !is_unused(roles, true, bpffs))
			return false;
	return true;
}

int wire_pair_get(struct wire_pair *pair, const struct sluice_wire_meta *meta, __u32 roles,
		  const char *bpffs, struct err *err)
{
	struct sluice_wire_meta now = *meta;
	struct object object = {
		.state_dir = &wire_state_dir, .dir = bpffs, .what = "wire programs", .before = &now
	};
	struct wire_kfuncs kfuncs;
	char name[PIN_SIZE];
	int result, table;

	pair->roles = roles;
	pair->fd[0] = pins_get(bpffs, WIRE_OBJECT, prog_pin(roles, false, name), PINS_PROG);
	pair->fd[1] = pins_get(bpffs, WIRE_OBJECT, prog_pin(roles, true, name), PINS_PROG);
	if (pair->fd[0] >= 0 && pair->fd[1] >= 0)
		return 0;
	/* the recorded size of a killed load may differ from the size of the pinned table */
	table = state_dir_map_open(&wire_state_dir, bpffs, "sluice_w_flows", BPF_MAP_TYPE_ARRAY,
				   sizeof(__u32), sizeof(struct sluice_wire_set), err);
	if (table < 0)
		return table;
	now.sets = map_entries(table);
	close(table);
	kfuncs = wire_kfuncs_probe();
	result = wire_pair_load(pair, &object, &now, roles, &kfuncs, err);
	if (!result)
		result = wire_pair_pin(pair, &object, err);
	object_end(&object);
	return result;
}

void wire_pair_put(struct wire_pair *pair)
{
	int out;

	for (out = 0; !pair->skel && out < 2; out++)
		if (pair->fd[out] >= 0)
			close(pair->fd[out]);
	wire_bpf__destroy(pair->skel); /* also closes the descriptors of a loaded pair */
	*pair = (struct wire_pair){ .fd = { -1, -1 } };
}
