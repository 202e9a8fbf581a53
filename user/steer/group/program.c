// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/program.h"

#include "base/clock.h"
#include "base/log.h"
#include "bpf/steer/steer.skel.h"
#include "kernel/feature.h"
#include "kernel/object.h"
#include "kernel/pins.h"
#include "kernel/ticks.h"
#include "kernel/unload.h"
#include "process/take_socket.h"
#include "steer/group/udp_stats.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The largest flow table that is kept in reserve: 4 MiB. */
#define SPARE_FLOWS_MAX 262144

struct load {
	struct steer_loader *loader;
	struct state_dir plane;
	struct object object;
	struct steer_bpf *skel;
	struct sluice_steer_group before;
	struct steer_group *group; /* its info becomes the pinned record */
	struct steer_member member;
	bool attached;
	steer_join_fn join;
	void *arg;
};

static __u32 sets_of(const struct steer_setting *setting)
{
	return (setting->flows + SLUICE_STEER_WAYS - 1) / SLUICE_STEER_WAYS;
}

static bool kernel_casts(struct steer_loader *loader)
{
	if (loader->casts == STEER_CASTS_UNKNOWN) {
		struct btf *vmlinux = btf__load_vmlinux_btf();

		loader->casts = vmlinux && feature_reuseport_casts(vmlinux) == FEATURE_YES
					? STEER_CASTS
					: STEER_NO_CASTS;
		btf__free(vmlinux);
	}
	return loader->casts == STEER_CASTS;
}

static int program_fd(const struct load *load)
{
	return bpf_program__fd(load->loader->casts == STEER_CASTS
				       ? load->skel->progs.sluice_steer
				       : load->skel->progs.sluice_steer_h);
}

/* Returns the info of the loaded program; all zero on failure. */
static struct bpf_prog_info program_info(const struct load *load)
{
	struct bpf_prog_info info = { 0 };
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(program_fd(load), &info, &length))
		memset(&info, 0, sizeof(info));
	return info;
}

static struct load load_begin(struct steer_loader *loader)
{
	return (struct load){ .loader = loader,
			      .object = { .what = "steering program", .is_part = true },
			      .member.fd = -1 };
}

static void load_end(struct load *load)
{
	steer_bpf__destroy(load->skel);
	object_end(&load->object);
}

/*
 * Verifies the program. @table_sets is 1 if the size of the table does not matter. If the kernel
 * has the kfuncs but rejects the program that calls them, tries the program without kfuncs.
 */
static int verify(struct load *load, const struct steer_setting *setting, __u32 table_sets,
		  struct err *err)
{
	struct steer_loader *loader = load->loader;
	bool casts = kernel_casts(loader), refused = false;
	struct sluice_steer_keys keys = load->before.keys;
	struct steer_bpf *skel;
	int result;

	if (!load->before.magic && getrandom(&keys, sizeof(keys), 0) != sizeof(keys))
		return err_set(err, EXIT_ERROR, errno, "getrandom: %s", strerror(errno));
	load->object.state_dir = &load->plane;
	load->object.before = &load->before;
retry:
	skel = load->skel = steer_bpf__open_opts(object_open_opts(&load->object));
	if (skel) {
		memcpy((void *)&skel->rodata->keys, &keys, sizeof(keys));
		skel->rodata->sets = sets_of(setting);
		skel->rodata->policy = setting->policy;
		skel->rodata->settled_ns = setting->settled_ns;
		skel->rodata->tick_ns = ticks_length_ns();
		skel->rodata->idle_limit = sluice_flow_clock(setting->idle_ns);
		skel->rodata->queues_readable = feature_helper(BPF_PROG_TYPE_SK_REUSEPORT, 0,
							       BPF_FUNC_probe_read_kernel) ==
						FEATURE_YES;
		bpf_map__set_max_entries(skel->maps.sluice_table, table_sets);
		bpf_program__set_autoload(skel->progs.sluice_steer, casts);
		bpf_program__set_autoload(skel->progs.sluice_steer_h, !casts);
	}
	result = object_verify(&load->object, skel ? skel->skeleton : NULL, err);
	if (result && casts && result != -EPERM && result != -ENOMEM && result != -EAGAIN) {
		steer_bpf__destroy(skel);
		loader->casts = STEER_NO_CASTS;
		refused = true;
		casts = false;
		goto retry;
	}
	if (result)
		return result;
	if (refused)
		log_info("steering: the kernel has rejected the kfuncs: using helpers");
	memcpy(loader->tag, program_info(load).tag, sizeof(loader->tag));
	return 0;
}

/* Returns true if the settings are equal, except settled_ns. */
static bool same_setting(const struct steer_setting *one, const struct steer_setting *other)
{
	return one->policy == other->policy && one->flows == other->flows &&
	       one->idle_ns == other->idle_ns;
}

bool steer_group_is_current(const struct steer_loader *loader, const struct steer_group *group,
			    const struct steer_setting *setting)
{
	static const __u8 unknown[BPF_TAG_SIZE];

	return group->info.state == SLUICE_LOADED && group->info.policy == setting->policy &&
	       group->info.idle_ns == setting->idle_ns && group->info.sets == sets_of(setting) &&
	       (!memcmp(loader->tag, unknown, sizeof(unknown)) ||
		!memcmp(loader->tag, group->pinned_tag, sizeof(loader->tag)));
}

/* --- maps and a program in reserve for the next group */

static bool spare_fits(const struct steer_loader *loader, const struct steer_setting *setting)
{
	return loader->spare && same_setting(&loader->spare_for, setting) &&
	       loader->spare_for.settled_ns == setting->settled_ns;
}

void steer_loader_close(struct steer_loader *loader)
{
	steer_bpf__destroy(loader->spare);
	loader->spare = NULL;
}

int steer_group_prepare(struct steer_loader *loader, const struct steer_setting *setting,
			struct err *err)
{
	struct load load = load_begin(loader);
	int result;

	if (setting && spare_fits(loader, setting))
		return 0;
	steer_loader_close(loader);
	if (!setting || setting->flows > SPARE_FLOWS_MAX)
		return 0;
	result = verify(&load, setting, sets_of(setting), err);
	if (!result) {
		loader->spare = load.skel;
		loader->spare_for = *setting;
		load.skel = NULL;
	}
	load_end(&load);
	return result;
}

int steer_group_verify_first(struct steer_loader *loader, const struct steer_setting *setting,
			     struct err *err)
{
	struct load load = load_begin(loader);
	int result;

	if (setting->flows <= SPARE_FLOWS_MAX)
		return steer_group_prepare(loader, setting, err);
	result = verify(&load, setting, sets_of(setting), err);
	load_end(&load);
	return result;
}

int steer_group_verify(struct steer_loader *loader, const struct steer_setting *setting,
		       struct err *err)
{
	struct load load = load_begin(loader);
	int result;

	if (loader->verified.policy && same_setting(&loader->verified, setting))
		return 0;
	result = verify(&load, setting, 1, err);
	if (!result)
		loader->verified = *setting;
	load_end(&load);
	return result;
}

/* --- groups */

/*
 * Creates the directory of a group, named after the port, the namespace, and a number that
 * distinguishes the addresses.
 */
static int folder_make(const char *dir, const struct sluice_socket_record *of, char name[NAME_MAX],
		       struct err *err)
{
	char path[PATH_MAX];
	int number;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return err_set(err, EXIT_ERROR, errno, "%s: %s", dir, strerror(errno));
	for (number = 0;; number++) {
		snprintf(name, NAME_MAX, "%u_%u_%d", of->port, of->netns, number);
		if (!mkdir(pins_path(dir, name, NULL, path), 0700))
			return 0;
		if (errno != EEXIST)
			return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	}
}

static int attach(void *arg, struct err *err)
{
	struct load *load = arg;
	struct steer_group *group = load->group;
	int fd = program_fd(load), result;

	/* the pin identifies the program as sluice's, even if this process dies */
	result = object_pin(&load->object, fd, STEER_PIN_PROGRAM, err);
	if (result)
		return result;
	if (load->join) {
		result = steer_group_open_maps(group, err);
		if (!result)
			result = load->join(group, load->arg, &load->member, err);
		/*
		 * Publish before attaching: published-but-detached is removed as stale;
		 * attached-but-unpublished would look foreign.
		 */
		group->info.prog_id = program_info(load).id;
		group->info.state = SLUICE_LOADED;
		if (!result)
			result = steer_group_write_info(group, err);
		if (result)
			return result;
	}
	result = steer_attach(&load->member, fd);
	if (result) {
		if (result == -EPERM)
			return err_hint(err,
					err_set(err, EXIT_CONFLICT, EPERM,
						"port %u: the server has locked its filters"
						" (SO_LOCK_FILTER)",
						group->info.port),
					"the server must not set this option");
		if (result == -EEXIST)
			return err_set(err, EXIT_CONFLICT, EEXIST,
				       "port %u: the server has just attached its own program",
				       group->info.port);
		return err_set(err, EXIT_ERROR, -result, "port %u: SO_ATTACH_REUSEPORT_EBPF: %s",
			       group->info.port, process_socket_reason(-result));
	}
	load->attached = true;
	return 0;
}

static void undo_create(void *arg)
{
	struct load *load = arg;

	if (load->attached)
		steer_detach(load->member.record, program_info(load).id);
}

int steer_group_create(struct steer_loader *loader, const char *dir,
		       const struct steer_setting *setting, const struct sluice_socket_record *of,
		       steer_join_fn join, void *arg, struct steer_group **group, struct err *err)
{
	struct load load = load_begin(loader);
	const struct object_steps steps = { .attach = attach, .undo = undo_create, .arg = &load };
	struct steer_group *fresh;
	char name[NAME_MAX];
	int result = 0;

	if (spare_fits(loader, setting)) {
		load.skel = loader->spare;
		loader->spare = NULL;
		load.object.maps = load.skel->obj;
		load.object.before = &load.before;
	} else {
		result = verify(&load, setting, sets_of(setting), err);
	}
	if (!result)
		result = folder_make(dir, of, name, err);
	if (result)
		goto end;
	fresh = steer_group_new(dir, name);
	if (!fresh) {
		result = err_set(err, EXIT_ERROR, ENOMEM, "%s: out of memory", name);
		unload_pins(dir, name, &(struct err){ 0 });
		goto end;
	}
	fresh->info = (struct sluice_steer_group){
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_STEER_ABI,
		.policy = setting->policy,
		.keys = load.skel->rodata->keys,
		.idle_ns = setting->idle_ns,
		.loaded_ns = clock_now_ns(CLOCK_BOOTTIME),
		.sets = sets_of(setting),
		.netns = of->netns,
		.local = of->local,
		.ifindex = of->ifindex,
		.port = of->port,
		.family = of->family,
	};
	fresh->info.udp_before[SLUICE_STEER_UDP_KNOWN] = !udp_stats_read(of->netns, of->pid,
									 fresh->info.udp_before);
	load.plane = steer_group_state_dir(fresh->name);
	load.object.state_dir = &load.plane;
	load.object.dir = dir;
	load.object.after = &fresh->info;
	load.group = fresh;
	load.join = join;
	load.arg = arg;
	result = object_commit(&load.object, &steps, err);
	if (result)
		steer_group_close(fresh);
	else
		*group = fresh;
	if (load.member.fd >= 0)
		close(load.member.fd);
end:
	load_end(&load);
	return result;
}

int steer_group_change(struct steer_loader *loader, struct steer_group *group,
		       const struct steer_setting *setting, const struct steer_member *member,
		       struct err *err)
{
	struct load load = load_begin(loader);
	const struct object_steps steps = { .attach = attach, .arg = &load };
	int result;

	load.plane = steer_group_state_dir(group->name);
	load.before = group->info;
	load.object.dir = group->dir;
	load.object.after = &group->info;
	load.group = group;
	load.member = *member;
	result = verify(&load, setting, sets_of(setting), err);
	if (result)
		goto end;
	group->info.state = SLUICE_LOADED;
	group->info.policy = setting->policy;
	group->info.idle_ns = setting->idle_ns;
	group->info.sets = sets_of(setting);
	group->info.prog_id = program_info(&load).id;
	result = object_commit(&load.object, &steps, err);
	if (result)
		group->info = load.before;
	else if (load.object.staged)
		result = steer_group_open_maps(group, err);
end:
	load_end(&load);
	return result;
}
