// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/programs.h"

#include "bpf/wire/wire.skel.h"
#include "kernel/links.h"
#include "kernel/pins.h"
#include "wire/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERIFIER_LOG_SIZE (8 << 20)
#define PIN_SIZE	  32

static const char *prog_pin(__u32 roles, bool out, char name[PIN_SIZE])
{
	snprintf(name, PIN_SIZE, "prog_%x_%s", roles, out ? "out" : "in");
	return name;
}

static void pair_configure(struct wire_bpf *skel, const struct sluice_wire_meta *meta, __u32 roles)
{
	skel->rodata->role = roles;
	skel->rodata->seed = meta->seed;
	skel->rodata->age = sluice_flow_clock(meta->age_ns);
	skel->rodata->sets = meta->sets;
	skel->rodata->any_port = meta->any_port;
	memcpy((void *)skel->rodata->ports, meta->ports, sizeof(meta->ports));
	bpf_map__set_max_entries(skel->maps.sluice_w_flows, meta->sets);
}

/* The maps of the pair that was loaded first, else those that are pinned, but for `fresh_flows`. */
static int pair_share(struct wire_bpf *skel, const struct wire_bpf *first, const char *bpffs,
		      bool fresh_flows, struct err *err)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj) {
		const char *name = bpf_map__name(map);
		int result = 0, fd;

		if (bpf_map__is_internal(map))
			continue;
		if (first) {
			fd = dup(bpf_map__fd(bpf_object__find_map_by_name(first->obj, name)));
		} else {
			if (!bpffs || (fresh_flows && map == skel->maps.sluice_w_flows))
				continue;
			fd = pins_get(bpffs, WIRE_PLANE, name);
		}
		if (fd >= 0)
			result = bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
		if (result)
			return err_set(err, EXIT_ERROR, -result, "%s/" WIRE_PLANE "/%s: %s", bpffs,
				       name, strerror(-result));
	}
	return 0;
}

int wire_pair_load(struct wire_pair *pair, const struct sluice_wire_meta *meta, __u32 roles,
		   const struct wire_bpf *first, const char *bpffs, bool fresh_flows,
		   struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_size = VERIFIER_LOG_SIZE);
	char *log = calloc(1, VERIFIER_LOG_SIZE);
	int result;

	opts.kernel_log_buf = log;
	pair->skel = log ? wire_bpf__open_opts(&opts) : NULL;
	if (!pair->skel) {
		free(log);
		return err_set(err, EXIT_ERROR, ENOMEM, "wire programs: %s", strerror(errno));
	}
	pair->roles = roles;
	pair_configure(pair->skel, meta, roles);
	result = pair_share(pair->skel, first, bpffs, fresh_flows, err);
	/* a shared table is as large as it is, whatever was written down about it */
	pair->skel->rodata->sets = bpf_map__max_entries(pair->skel->maps.sluice_w_flows);
	if (!result) {
		result = wire_bpf__load(pair->skel);
		if (result)
			hooks_load_error("wire programs", -result, log, err);
	}
	pair->fd[0] = bpf_program__fd(pair->skel->progs.sluice_wire_in);
	pair->fd[1] = bpf_program__fd(pair->skel->progs.sluice_wire_out);
	free(log);
	return result;
}

int wire_pair_pin(const struct wire_pair *pair, const char *bpffs, struct err *err)
{
	char name[PIN_SIZE], staged[PIN_SIZE + 8], from[PATH_MAX], to[PATH_MAX];
	int out;

	for (out = 0; out < 2; out++) {
		pins_path(bpffs, WIRE_PLANE, prog_pin(pair->roles, out, name), to);
		snprintf(staged, sizeof(staged), "%s_new", name);
		pins_path(bpffs, WIRE_PLANE, staged, from);
		unlink(from);
		if (bpf_obj_pin(pair->fd[out], from) || rename(from, to))
			return err_set(err, EXIT_ERROR, errno, "pin %s: %s", to, strerror(errno));
	}
	return 0;
}

void wire_pair_unpin(__u32 roles, const char *bpffs)
{
	char name[PIN_SIZE], path[PATH_MAX];
	int out;

	for (out = 0; out < 2; out++)
		unlink(pins_path(bpffs, WIRE_PLANE, prog_pin(roles, out, name), path));
}

int wire_pair_get(struct wire_pair *pair, const struct sluice_wire_meta *meta, __u32 roles,
		  const char *bpffs, struct err *err)
{
	char name[PIN_SIZE];
	int result;

	pair->roles = roles;
	pair->fd[0] = pins_get(bpffs, WIRE_PLANE, prog_pin(roles, false, name));
	pair->fd[1] = pins_get(bpffs, WIRE_PLANE, prog_pin(roles, true, name));
	if (pair->fd[0] >= 0 && pair->fd[1] >= 0)
		return 0;
	result = wire_pair_load(pair, meta, roles, NULL, bpffs, false, err);
	return result ? result : wire_pair_pin(pair, bpffs, err);
}

void wire_pair_put(struct wire_pair *pair)
{
	/* the skeleton owns its descriptors */
	if (pair->skel) {
		wire_bpf__destroy(pair->skel);
	} else {
		if (pair->fd[0] >= 0)
			close(pair->fd[0]);
		if (pair->fd[1] >= 0)
			close(pair->fd[1]);
	}
	*pair = (struct wire_pair){ .fd = { -1, -1 } };
}
