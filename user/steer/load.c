// SPDX-License-Identifier: GPL-2.0-or-later
/* Load, change and unload the steering plane, and read what is loaded: steer/sweep.c does the work.
 */
#include "base/clock.h"
#include "steer/steer.h"

#include "kernel/caps.h"
#include "kernel/object.h"
#include "kernel/pins.h"
#include "kernel/state_dir.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sluice/reply.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void steer_ports(const struct sluice_steer_meta *meta, struct ports *ports)
{
	ports->any = meta->any_port;
	memcpy(ports->bit, meta->ports, sizeof(ports->bit));
}

static void sweep_setting(struct steer_sweep *sweep)
{
	sweep->setting = (struct steer_setting){ .policy = sweep->meta.policy,
						 .flows = sweep->meta.flows,
						 .idle_ns = sweep->meta.idle_ns };
}

int steer_sweep(struct steer_loader *loader, const char *bpffs, steer_event_fn fn, void *arg,
		struct err *err)
{
	struct steer_sweep sweep = { .loader = loader, .bpffs = bpffs, .fn = fn, .arg = arg };
	struct pins pins;
	int result = pins_lock(&pins, bpffs, false, err);

	if (result)
		return result;
	result = state_dir_meta_read(&steer_state_dir, bpffs, &sweep.meta, err);
	sweep_setting(&sweep);
	result = result ? state_dir_not_loaded(&steer_state_dir, bpffs, result, err)
			: steer_sweep_run(&sweep, err);
	pins_unlock(&pins);
	return result;
}

int steer_prepare(struct steer_loader *loader, const char *bpffs, struct err *err)
{
	struct steer_sweep sweep = { .bpffs = bpffs };
	int result = state_dir_meta_read(&steer_state_dir, bpffs, &sweep.meta, err);

	if (result) {
		steer_group_prepare(loader, NULL, err);
		return state_dir_not_loaded(&steer_state_dir, bpffs, result, err);
	}
	sweep_setting(&sweep);
	return steer_group_prepare(loader, &sweep.setting, err);
}

/* --- unload */

static int unload_locked(const char *bpffs, void *arg, struct err *err)
{
	int removed = steer_sweep_release(arg, err), result;

	if (removed < 0)
		return removed;
	result = pins_remove(bpffs, STEER_OBJECT, err);
	return result < 0 ? result : removed + result;
}

int steer_unload(const char *bpffs, bool own_only, steer_event_fn fn, void *arg, struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE };
	struct steer_sweep sweep = { .bpffs = bpffs, .fn = fn, .arg = arg };
	int result = pins_exist(bpffs, STEER_OBJECT, err);

	if (result <= 0 || (own_only && !state_dir_is_daemons(&steer_state_dir, bpffs)))
		return result < 0 ? result : 0;
	result = caps_require("steer unload", caps, 3, err);
	return result ? result
		      : object_unload(&steer_state_dir, bpffs, own_only, unload_locked, &sweep,
				      err);
}

/* --- load */

static void meta_fill(const struct steer_options *options, struct sluice_steer_meta *meta)
{
	*meta = (struct sluice_steer_meta){
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_STEER_ABI,
		.state = SLUICE_LOADED,
		.policy = options->policy,
		.idle_ns = options->idle_s * 1000000000ULL,
		.loaded_ns = clock_now_ns(CLOCK_REALTIME),
		.flows = options->flows,
		.netns = options->netns,
		.generations = options->generations,
		.any_port = options->ports.any,
	};
	memcpy(meta->ports, options->ports.bit, sizeof(meta->ports));
}

/* The record is made by hand, since no program reads it. */
static int meta_pin(const char *bpffs, const struct sluice_steer_meta *meta, struct err *err)
{
	char path[PATH_MAX];
	int fd = pins_get(bpffs, STEER_OBJECT, STEER_PIN_META), result = 0;

	if (fd < 0) {
		if (mkdir(steer_dir(bpffs, path), 0700) && errno != EEXIST)
			return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
		fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, STEER_PIN_META, sizeof(__u32),
				    sizeof(*meta), 1, NULL);
		if (fd < 0 || bpf_obj_pin(fd, pins_path(bpffs, STEER_OBJECT, STEER_PIN_META, path)))
			result = err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	}
	if (!result)
		result = state_dir_meta_write(&steer_state_dir, fd, meta, SLUICE_LOADED, err);
	if (fd >= 0)
		close(fd);
	return result;
}

/* Is there a group to steer?  A look that tells nobody, and changes nothing. */
static bool finds_any(const struct steer_sweep *sweep)
{
	struct steer_sweep look = *sweep;
	struct err ignored = { 0 };

	look.dry_run = true;
	look.fn = NULL;
	return !steer_sweep_run(&look, &ignored) && look.groups;
}

/* Tells of groups that are not ours, and brings what is in force (NULL: nothing) up to date. */
static int stay(struct steer_sweep *sweep, const struct sluice_steer_meta *before, struct err *err)
{
	struct steer_sweep in_force = { .loader = sweep->loader, .bpffs = sweep->bpffs };
	int result;

	sweep->dry_run = true;
	result = steer_sweep_run(sweep, err);
	if (result || !before)
		return result;
	in_force.meta = *before;
	sweep_setting(&in_force);
	return steer_sweep_run(&in_force, err);
}

static int load_locked(const struct steer_options *options, struct steer_sweep *sweep,
		       struct err *err)
{
	struct sluice_steer_meta before = { 0 };
	int result = state_dir_meta_read(&steer_state_dir, options->bpffs, &before, err);

	if (result && result != -ENOENT && result != -EUCLEAN)
		return result;
	sweep->regroup = !result && before.generations != options->generations;
	sweep->renew = true;
	meta_fill(options, &sweep->meta);
	sweep_setting(sweep);
	/* a group that comes later begins with us: it has no flows from before */
	sweep->setting.settled_ns = clock_now_ns(CLOCK_MONOTONIC) + STEER_SETTLED_NS;
	result = before.magic && before.flows == options->flows
			 ? steer_group_verify(sweep->loader, &sweep->setting, err)
			 : steer_group_verify_first(sweep->loader, &sweep->setting, err);
	if (result)
		return result;
	if (options->must_find && !options->dry_run && !finds_any(sweep))
		return stay(sweep, before.magic ? &before : NULL, err);
	if (!sweep->dry_run) {
		result = meta_pin(options->bpffs, &sweep->meta, err);
		if (!result)
			result = state_dir_set_owner(&steer_state_dir, options->bpffs,
						     options->by_daemon, err);
	}
	return result ? result : steer_sweep_run(sweep, err);
}

int steer_load(struct steer_loader *loader, const struct steer_options *options, steer_event_fn fn,
	       void *arg, int *groups, struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_PTRACE };
	struct steer_sweep sweep = { .loader = loader,
				     .bpffs = options->bpffs,
				     .fn = fn,
				     .arg = arg,
				     .dry_run = options->dry_run };
	struct pins pins;
	int result = caps_require("steer load", caps, 4, err);

	if (!result)
		result = pins_lock(&pins, options->bpffs, true, err);
	if (result)
		return result;
	result = load_locked(options, &sweep, err);
	*groups = sweep.groups;
	pins_unlock(&pins);
	return result;
}

/* --- reading */

struct left_out {
	int groups, namespaces;
};

static void left_out_add(const struct steer_event *news, void *arg)
{
	struct left_out *left_out = arg;

	if (news->type != STEER_GROUPS_LEFT_OUT)
		return;
	left_out->groups += news->count;
	left_out->namespaces++;
}

int steer_left_out(const char *bpffs, int *groups, int *namespaces, struct err *err)
{
	struct left_out left_out = { 0 };
	struct steer_sweep look = {
		.bpffs = bpffs, .fn = left_out_add, .arg = &left_out, .dry_run = true
	};
	int result = steer_read(bpffs, &look.meta, err);

	/* one namespace alone is never left out, and the look can be saved */
	if (!result && !look.meta.netns)
		result = steer_sweep_run(&look, err);
	if (result)
		return result;
	*groups = left_out.groups;
	*namespaces = left_out.namespaces;
	return 0;
}
