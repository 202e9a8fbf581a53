// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/steer.h"

#include "base/clock.h"
#include "kernel/flow_table.h"
#include "kernel/meta.h"
#include "kernel/object.h"
#include "kernel/pins.h"
#include "kernel/pins_lock.h"
#include "kernel/state_dir.h"
#include "steer/group/ended.h"
#include "steer/group/remains.h"
#include "steer/needs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool steer_has_settings(const struct sluice_steer_meta *meta, const struct steer_options *options)
{
	struct ports ports;

	steer_ports(meta, &ports);
	return meta->magic && meta->policy == options->policy &&
	       meta->idle_ns == options->idle_s * 1000000000ULL && meta->flows == options->flows &&
	       meta->generations == options->generations && meta->netns == options->netns &&
	       ports_are_same(&ports, &options->ports);
}

__u64 steer_table_bytes(__u32 flows)
{
	return flow_table_bytes(flows, SLUICE_STEER_WAYS, sizeof(struct sluice_steer_set));
}

int steer_prepare(struct steer_loader *loader, const char *bpffs, struct err *err)
{
	struct sluice_steer_meta meta;
	struct steer_setting setting;
	int result = steer_read(bpffs, &meta, err);

	if (result) {
		steer_group_prepare(loader, NULL, &(struct err){ 0 });
		return result;
	}
	setting = steer_setting_of(&meta);
	return steer_group_prepare(loader, &setting, err);
}

/*
 * Creates and pins the map of the record. The map is in no skeleton, because no program reads it.
 */
static int meta_create(const char *bpffs, const struct sluice_steer_meta *meta, struct err *err)
{
	struct object object = { .state_dir = &steer_state_dir, .dir = bpffs };
	char path[PATH_MAX];
	int fd, result;

	if (mkdir(steer_dir(bpffs, path), 0700) && errno != EEXIST)
		return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, STEER_PIN_META, sizeof(__u32), sizeof(*meta), 1,
			    NULL);
	if (fd < 0)
		return err_set(err, EXIT_ERROR, errno, STEER_PIN_META ": %s", strerror(errno));
	result = meta_write(&steer_state_dir, fd, meta, SLUICE_LOADED, err);
	if (!result)
		result = object_pin(&object, fd, STEER_PIN_META, err);
	close(fd);
	return result;
}

static int meta_pin(const char *bpffs, const struct sluice_steer_meta *meta, bool replaces,
		    struct err *err)
{
	int fd = replaces ? -1 : pins_get(bpffs, STEER_OBJECT, STEER_PIN_META, PINS_MAP), result;

	if (fd < 0)
		return meta_create(bpffs, meta, err);
	result = meta_write(&steer_state_dir, fd, meta, SLUICE_LOADED, err);
	close(fd);
	return result;
}

/* Refuses to replace another ABI version while a drain relies on its maps. */
static int drains_check(const char *bpffs, struct err *err)
{
	struct steer_groups_open pinned;
	char dir[PATH_MAX];
	int i, result = steer_groups_read(bpffs, &pinned, false, err);

	if (result)
		return result;
	steer_dir(bpffs, dir);
	for (i = 0; !result && i < pinned.other_count; i++)
		if (steer_group_remains_drain(dir, pinned.other[i].name))
			result = err_hint(err,
					  err_set(err, EXIT_CONFLICT, EAGAIN,
						  "%s: a drain is in progress, and another ABI"
						  " version has loaded steering",
						  dir),
					  "load again when 'sluice steer drain' has finished");
	steer_groups_close(&pinned);
	return result;
}

/*
 * Reads the record of the previous load into *before, with magic 0 if there is none. Sets *replaces
 * to the ABI version of the previous load if it differs from this build's, else to 0.
 */
static int inspect(const struct steer_options *options, struct sluice_steer_meta *before,
		   __u32 *replaces, struct err *err)
{
	const struct state_dir *sd = &steer_state_dir;
	int result = meta_read(sd, options->bpffs, before, err);

	*replaces = result == -EPROTO ? meta_other_abi(sd, options->bpffs) : 0;
	if (!result)
		return 0;
	*before = (struct sluice_steer_meta){ 0 };
	if (!*replaces)
		return result == -ENOENT || result == -EUCLEAN ? 0 : result;
	meta_warn_replaced(sd, *replaces, options->dry_run);
	return drains_check(options->bpffs, err);
}

/*
 * Reports the groups that are not steered. If steering was loaded before, then sweeps with the
 * previous settings.
 */
static int keep(struct steer_sweep *sweep, const struct sluice_steer_meta *current, struct err *err)
{
	struct steer_sweep update = { .loader = sweep->loader, .bpffs = sweep->bpffs };
	int result;

	sweep->dry_run = true;
	sweep->pins = NULL;
	result = steer_sweep_run(sweep, err);
	if (result || !current->magic)
		return result;
	update.meta = *current;
	update.setting = steer_setting_of(current);
	return steer_sweep_run(&update, err);
}

static int load_locked(const struct steer_options *options, struct steer_sweep *sweep,
		       struct err *err)
{
	struct sluice_steer_meta before, *meta = &sweep->meta;
	__u32 replaces;
	int result = inspect(options, &before, &replaces, err);

	if (result)
		return result;
	sweep->regroup = before.magic && before.generations != options->generations;
	sweep->renew = true;
	*meta = (struct sluice_steer_meta){
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_STEER_ABI,
		.state = SLUICE_LOADED,
		.policy = options->policy,
		.idle_ns = options->idle_s * 1000000000ULL,
		.loaded_ns = clock_now_ns(CLOCK_BOOTTIME),
		.flows = options->flows,
		.netns = options->netns,
		.generations = options->generations,
		.any_port = options->ports.any,
	};
	memcpy(meta->ports, options->ports.bit, sizeof(meta->ports));
	sweep->setting = steer_setting_of(meta);
	/* only groups that exist now can have older flows, so later sweeps leave settled_ns 0 */
	sweep->setting.settled_ns = clock_now_ns(CLOCK_MONOTONIC) + STEER_SETTLED_NS;
	result = before.magic && before.flows == options->flows
			 ? steer_group_verify(sweep->loader, &sweep->setting, err)
			 : steer_group_verify_first(sweep->loader, &sweep->setting, err);
	if (result)
		return result;
	if (options->must_find && !options->dry_run) {
		struct steer_sweep probe = *sweep;

		/*
		 * remove remains first: a dry run treats the program of a group without pins as
		 * foreign
		 */
		result = steer_groups_read(options->bpffs, &probe.pinned, true, err);
		if (result)
			return result;
		steer_groups_close(&probe.pinned);
		probe.dry_run = true;
		probe.pins = NULL;
		probe.fn = NULL;
		if (steer_sweep_run(&probe, &(struct err){ 0 }) || !probe.groups)
			return keep(sweep, &before, err);
	}
	if (!sweep->dry_run) {
		result = meta_pin(options->bpffs, meta, replaces != 0, err);
		if (!result)
			result = steer_ended_create(options->bpffs, err);
		if (!result)
			result = state_dir_set_owner(&steer_state_dir, options->bpffs,
						     options->by_daemon, err);
	}
	return result ? result : steer_sweep_run(sweep, err);
}

int steer_load(struct steer_loader *loader, const struct steer_options *options, steer_event_fn fn,
	       void *arg, int *groups, struct err *err)
{
	struct pins pins = { .fd = -1 };
	struct steer_sweep sweep = { .loader = loader,
				     .bpffs = options->bpffs,
				     .pins = options->dry_run ? NULL : &pins,
				     .fn = fn,
				     .arg = arg,
				     .dry_run = options->dry_run };
	int result = steer_caps_require("steer load", true, err);

	*groups = 0;
	if (!result)
		result = pins_lock(&pins, options->bpffs, !options->follows, err);
	if (result)
		return options->follows && result == -ENOENT ? 0 : result;
	if (!options->follows || state_dir_is_daemons(&steer_state_dir, options->bpffs))
		result = load_locked(options, &sweep, err);
	*groups = sweep.groups;
	pins_unlock(&pins);
	return result;
}
