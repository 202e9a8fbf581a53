// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Order of a load: check, open, share the maps that are pinned, verify, and only then touch what is
 * attached.  sluice_meta says SLUICE_LOADING in between, so that a loader that dies leaves a state
 * that the next one knows as unfinished.
 */
#include "reply/reply.h"

#include "base/log.h"
#include "base/mounts.h"
#include "bpf/reply/reply.skel.h"
#include "kernel/caps.h"
#include "kernel/feature.h"
#include "kernel/pins.h"
#include "kernel/state_dir.h"
#include "reply/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERIFIER_LOG_SIZE (4 << 20)

struct load {
	const struct reply_options *options;
	struct reply_bpf *skel;
	struct sluice_reply_meta before; /* magic 0: nothing was loaded */
	struct sluice_reply_meta after;
	bool resized; /* the table that is pinned gives way to one of another size */
	char *verifier_log;
};

/*
 * Audit looks into conntrack's types.  Where these are in a module, libbpf has to go through the
 * BTF of all modules, and the kernel lets only CAP_SYS_ADMIN do that.
 */
static const int caps_needed[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN };

static int check_caps(const struct reply_options *options, struct err *err)
{
	bool modules = options->mode == SLUICE_REPLY_AUDIT && !hooks_kernel_has_struct("nf_conn");

	return caps_require("reply load", caps_needed, modules ? 4 : 3, err);
}

static int check_place(const struct reply_options *options, struct err *err)
{
	int on = mounts_is_cgroup2(options->cgroup);

	if (on == 1)
		return 0;
	if (on < 0)
		err_set(err, EXIT_ERROR, -on, "cgroup %s: %s", options->cgroup, strerror(-on));
	else
		err_set(err, EXIT_ERROR, ENOTDIR, "cgroup %s: not on a cgroup2 file system",
			options->cgroup);
	return err_mend(err, on < 0 ? on : -ENOTDIR,
			"name a cgroup2 directory with --cgroup; 'sluice check' shows the root");
}

static void meta_fill(struct load *load)
{
	const struct reply_options *options = load->options;
	struct sluice_reply_meta *meta = &load->after;
	struct stat st = { 0 };

	stat(options->cgroup, &st);
	*meta = (struct sluice_reply_meta){
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_REPLY_ABI,
		.state = SLUICE_LOADED,
		.mode = options->mode,
		.seed = load->before.seed,
		.age_ns = options->age_s * 1000000000ULL,
		.loaded_ns = plane_now_ns(CLOCK_REALTIME),
		.cgroup_id = st.st_ino,
		.sets = (options->table + SLUICE_FLOW_WAYS - 1) / SLUICE_FLOW_WAYS,
		.any_port = options->ports.any,
	};
	memcpy(meta->ports, options->ports.bit, sizeof(meta->ports));
	while (!meta->seed)
		if (getrandom(&meta->seed, sizeof(meta->seed), 0) < 0)
			meta->seed = plane_now_ns(CLOCK_MONOTONIC);
}

/* Kernels let programs on connect(2) ask who calls it only since 6.10. */
static bool connect_knows_process(void)
{
	return feature_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
			      BPF_FUNC_get_current_pid_tgid) == FEATURE_YES &&
	       feature_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
			      BPF_FUNC_get_current_comm) == FEATURE_YES;
}

static void configure(struct load *load)
{
	const struct sluice_reply_meta *meta = &load->after;
	struct reply_bpf *skel = load->skel;
	bool fixes = meta->mode == SLUICE_REPLY_SOCKET;

	skel->rodata->seed = meta->seed;
	skel->rodata->age = sluice_flow_clock(meta->age_ns);
	skel->rodata->sets = meta->sets;
	skel->rodata->any_port = meta->any_port;
	memcpy((void *)skel->rodata->ports, meta->ports, sizeof(meta->ports));
	bpf_program__set_autoload(skel->progs.sluice_fix4, fixes);
	bpf_program__set_autoload(skel->progs.sluice_fix6, fixes);
	bpf_program__set_autoload(skel->progs.sluice_audit, !fixes);
	bpf_program__set_autoload(skel->progs.sluice_connect4, !fixes);
	bpf_program__set_autoload(skel->progs.sluice_connect6, !fixes);
	skel->rodata->process_known = !fixes && connect_knows_process();
	bpf_map__set_max_entries(skel->maps.sluice_flows, meta->sets);
}

/* Shares a pinned map with the programs; nothing is done where there is none. */
static int share_map(const struct load *load, struct bpf_map *map, const char *pin, struct err *err)
{
	int result, fd = pins_get(load->options->bpffs, REPLY_PLANE, pin);

	if (fd < 0)
		return 0;
	result = bpf_map__reuse_fd(map, fd);
	close(fd);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "%s/" REPLY_PLANE "/%s: %s",
			       load->options->bpffs, pin, strerror(-result));
	return 0;
}

/* The number of entries of a pinned map, 0 if there is none. */
static __u32 pinned_entries(const struct load *load, const char *pin)
{
	int fd = pins_get(load->options->bpffs, REPLY_PLANE, pin);
	__u32 entries;

	if (fd < 0)
		return 0;
	entries = plane_map_entries(fd);
	close(fd);
	return entries;
}

/*
 * The flow tables: the pinned one where the size is the same; else it becomes the previous one.  A
 * previous one is kept until all in it is past its age.
 */
static int share_tables(struct load *load, struct err *err)
{
	struct reply_bpf *skel = load->skel;
	__u32 pinned = pinned_entries(load, "sluice_flows");
	bool young = plane_now_ns(CLOCK_REALTIME) - load->before.resized_ns <= load->before.age_ns;
	const char *previous = "sluice_previous";
	int result = 0;

	load->resized = pinned && pinned != load->after.sets;
	if (load->resized)
		previous = "sluice_flows";
	else
		result = share_map(load, skel->maps.sluice_flows, "sluice_flows", err);
	load->after.resized_ns = load->resized ? load->after.loaded_ns : load->before.resized_ns;
	if (result || (!load->resized && !young && pinned))
		return result;
	skel->rodata->previous_sets = pinned_entries(load, previous);
	return share_map(load, skel->maps.sluice_previous, previous, err);
}

static int share_maps(struct load *load, struct err *err)
{
	struct reply_bpf *skel = load->skel;
	struct bpf_map *const others[] = { skel->maps.sluice_meta, skel->maps.sluice_locals,
					   skel->maps.sluice_socks, skel->maps.sluice_counters,
					   skel->maps.sluice_audits };
	int result = 0;
	size_t i;

	if (!load->before.magic)
		return 0;
	for (i = 0; i < sizeof(others) / sizeof(*others) && !result; i++)
		result = share_map(load, others[i], bpf_map__name(others[i]), err);
	return result ? result : share_tables(load, err);
}

static int verify(struct load *load, struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_size = VERIFIER_LOG_SIZE);
	int result;

	load->verifier_log = calloc(1, VERIFIER_LOG_SIZE);
	opts.kernel_log_buf = load->verifier_log;
	load->skel = load->verifier_log ? reply_bpf__open_opts(&opts) : NULL;
	if (!load->skel)
		return err_set(err, EXIT_ERROR, ENOMEM, "reply programs: %s", strerror(errno));
	configure(load);
	result = share_maps(load, err);
	if (result)
		return result;
	result = reply_bpf__load(load->skel);
	return result ? hooks_load_error("reply programs", -result, load->verifier_log, err) : 0;
}

static void report(const struct load *load, struct reply_result *result)
{
	struct bpf_program *prog;

	result->count = 0;
	bpf_object__for_each_program(prog, load->skel->obj) {
		struct reply_prog *entry = &result->progs[result->count];
		struct bpf_prog_info info = { 0 };
		__u32 length = sizeof(info);

		if (!bpf_program__autoload(prog))
			continue;
		bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &length);
		snprintf(entry->name, sizeof(entry->name), "%s", bpf_program__name(prog));
		entry->attach_type = bpf_program__expected_attach_type(prog);
		entry->verified_insns = info.verified_insns;
		result->count++;
	}
}

static int meta_write(const struct load *load, const struct sluice_reply_meta *meta,
		      enum sluice_load_state state, struct err *err)
{
	return plane_meta_write(&reply_plane, bpf_map__fd(load->skel->maps.sluice_meta), meta,
				state, err);
}

struct carry {
	const struct load *load;
	int current_fd; /* the table in force, which is about to become the previous one */
	__u32 current_sets;
	__u32 now;
};

/* Into the new table, which no program uses yet. */
static int flow_carry(const struct sluice_flow_set *from, __u32 from_way, void *arg)
{
	const struct carry *carry = arg;
	const struct sluice_reply_meta *before = &carry->load->before;
	const struct sluice_flow *flow = &from->flow[from_way];
	int fd = bpf_map__fd(carry->load->skel->maps.sluice_flows);
	__u64 hash = sluice_flow_hash(before->seed, flow->cookie, &flow->peer, flow->peer_port_be);
	__u32 way = 0, index = sluice_flow_set_index(hash, carry->load->after.sets);
	struct sluice_flow_set set;

	if (sluice_flow_idle(carry->now, from->seen[from_way]) >
		    sluice_flow_clock(before->age_ns) ||
	    reply_table_has(carry->current_fd, before->seed, carry->current_sets, flow))
		return 0;
	if (bpf_map_lookup_elem(fd, &index, &set))
		return -errno;
	while (way < SLUICE_FLOW_WAYS && set.tag[way])
		way++;
	if (way == SLUICE_FLOW_WAYS)
		return 0;
	set.flow[way] = *flow;
	set.tag[way] = sluice_flow_tag(hash);
	set.seen[way] = from->seen[from_way];
	return bpf_map_update_elem(fd, &index, &set, BPF_EXIST) ? -errno : 0;
}

/*
 * Two changes of size within the age of a flow: there can be but one previous table, so what only
 * the older one has is carried over.
 */
static int carry_over(struct load *load, struct err *err)
{
	struct carry carry = { load, pins_get(load->options->bpffs, REPLY_PLANE, "sluice_flows"), 0,
			       reply_flow_now() };
	int result = 0, older = pins_get(load->options->bpffs, REPLY_PLANE, "sluice_previous");

	carry.current_sets = carry.current_fd < 0 ? 0 : plane_map_entries(carry.current_fd);
	if (older >= 0 && carry.current_sets)
		result = reply_slots_walk(older, flow_carry, &carry);
	if (older >= 0)
		close(older);
	if (carry.current_fd >= 0)
		close(carry.current_fd);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "flow table: %s", strerror(-result));
	return 0;
}

static int pin_rename(const struct load *load, const char *from, const char *to, struct err *err)
{
	char old[PATH_MAX], new[PATH_MAX];

	if (rename(pins_path(load->options->bpffs, REPLY_PLANE, from, old),
		   pins_path(load->options->bpffs, REPLY_PLANE, to, new)))
		return err_set(err, EXIT_ERROR, errno, "pin %s: %s", new, strerror(errno));
	return 0;
}

static int pin_flows(const struct load *load, struct err *err)
{
	char path[PATH_MAX];

	pins_path(load->options->bpffs, REPLY_PLANE, PIN_FLOWS, path);
	if (bpf_obj_pin(bpf_map__fd(load->skel->maps.sluice_flows), path))
		return err_set(err, EXIT_ERROR, errno, "pin %s: %s", path, strerror(errno));
	return 0;
}

/* The tables that were in force take their names again. */
static void change_table_back(const struct load *load)
{
	struct err ignored;

	pin_rename(load, PIN_PREVIOUS, PIN_FLOWS, &ignored);
	pin_rename(load, PIN_OLDER, PIN_PREVIOUS, &ignored);
}

/*
 * A table of another size: the old one stays, as the one that is looked into second, so that no
 * reply misses its flow.  sluice_learn is updated last, and until then fills the old one.
 */
static int change_table(struct load *load, struct err *err)
{
	int result = carry_over(load, err);

	if (result)
		return result;
	result = pin_rename(load, PIN_PREVIOUS, PIN_OLDER, err);
	if (result && result != -ENOENT)
		return result;
	result = pin_rename(load, PIN_FLOWS, PIN_PREVIOUS, err);
	if (!result)
		result = pin_flows(load, err);
	if (result)
		change_table_back(load);
	return result;
}

/* What nothing looks into any more: the table before the previous one, or that one, too. */
static void drop_old_tables(const struct load *load)
{
	char path[PATH_MAX];

	unlink(pins_path(load->options->bpffs, REPLY_PLANE, PIN_OLDER, path));
	if (!load->skel->rodata->previous_sets)
		unlink(pins_path(load->options->bpffs, REPLY_PLANE, PIN_PREVIOUS, path));
}

static int attach(struct load *load, struct err *err)
{
	bool fixes = load->after.mode == SLUICE_REPLY_SOCKET;
	struct hook hooks[] = {
		/* Learning last: a reply must never be fixed from a table that is not filled. */
		{ PIN_FIX4, load->skel->progs.sluice_fix4, fixes },
		{ PIN_FIX6, load->skel->progs.sluice_fix6, fixes },
		{ PIN_AUDIT, load->skel->progs.sluice_audit, !fixes },
		{ PIN_CONNECT4, load->skel->progs.sluice_connect4, !fixes },
		{ PIN_CONNECT6, load->skel->progs.sluice_connect6, !fixes },
		{ PIN_LEARN, load->skel->progs.sluice_learn, true },
	};

	return hooks_apply_cgroup(load->options->bpffs, REPLY_PLANE, load->options->cgroup, hooks,
				  sizeof(hooks) / sizeof(*hooks), err);
}

/* Changes the kernel; all that can be verified beforehand has been. */
static int commit(struct load *load, struct err *err)
{
	bool fresh = !load->before.magic;
	int result = plane_pin_maps(&reply_plane, load->options->bpffs, load->skel->obj, err);

	if (!result)
		result = meta_write(load, fresh ? &load->after : &load->before, SLUICE_LOADING,
				    err);
	if (!result && load->resized)
		result = change_table(load, err);
	if (!result) {
		result = attach(load, err);
		if (result && load->resized)
			change_table_back(load);
	}
	if (result && fresh)
		pins_remove(load->options->bpffs, REPLY_PLANE, &(struct err){ 0 });
	else if (result)
		meta_write(load, &load->before, load->before.state, &(struct err){ 0 });
	else
		drop_old_tables(load);
	if (!result)
		result = plane_mark(&reply_plane, load->options->bpffs, load->options->by_daemon,
				    err);
	return result ? result : meta_write(load, &load->after, SLUICE_LOADED, err);
}

/* What stands there: nothing, a load to update, or remains to clear. */
static int inspect(struct load *load, enum load_outcome *outcome, struct err *err)
{
	const char *bpffs = load->options->bpffs;
	int result = plane_meta_read(&reply_plane, bpffs, &load->before, err);

	*outcome = LOAD_FRESH;
	if (result == -ENOENT || result == -EUCLEAN)
		load->before = (struct sluice_reply_meta){ 0 };
	else if (result)
		return result;
	else
		*outcome = load->before.state == SLUICE_LOADED ? LOAD_UPDATED : LOAD_RECOVERED;
	if (result != -EUCLEAN)
		return 0;
	*outcome = LOAD_RECOVERED;
	if (load->options->dry_run)
		return 0;
	result = pins_remove(bpffs, REPLY_PLANE, err);
	return result < 0 ? result : 0;
}

/* Another sluice on the same sockets: whichever of the two sends last has its way. */
static void warn_of_twin(const struct load *load)
{
	const struct reply_options *options = load->options;
	struct hook_prog progs[HOOK_PROGS_MAX];
	struct hook_state ours = { .prog_id = 0 };
	int i, count = hook_order(options->cgroup, BPF_CGROUP_INET_INGRESS, progs);

	hook_read(options->bpffs, REPLY_PLANE, PIN_LEARN, &ours);
	for (i = 0; i < count; i++)
		if (!strcmp(progs[i].name, "sluice_learn") && progs[i].id != ours.prog_id) {
			log_warning("program %u, sluice_learn of another folder of pins, is on %s"
				    " or above it, too: unload one of the two, with its --bpffs",
				    progs[i].id, options->cgroup);
			return;
		}
}

static int load_locked(struct load *load, struct reply_result *result, struct err *err)
{
	int failed = inspect(load, &result->outcome, err);

	if (failed)
		return failed;
	result->before = load->before;
	meta_fill(load);
	failed = verify(load, err);
	if (failed)
		return failed;
	report(load, result);
	warn_of_twin(load);
	if (load->options->dry_run) {
		result->outcome = LOAD_VERIFIED;
		return 0;
	}
	return commit(load, err);
}

int reply_load(const struct reply_options *options, struct reply_result *result, struct err *err)
{
	struct load load = { .options = options };
	struct pins pins;
	int failed;

	failed = check_caps(options, err);
	if (!failed)
		failed = check_place(options, err);
	if (failed)
		return failed;
	result->outcome = LOAD_LEFT;
	failed = pins_lock(&pins, options->bpffs, !options->follows, err);
	if (failed)
		return options->follows && failed == -ENOENT ? 0 : failed;
	if (!options->follows || plane_is_by_daemon(&reply_plane, options->bpffs))
		failed = load_locked(&load, result, err);
	reply_bpf__destroy(load.skel);
	free(load.verifier_log);
	pins_unlock(&pins);
	return failed;
}

static int unload(const char *bpffs, bool own_only, struct err *err)
{
	int result = pins_exist(bpffs, REPLY_PLANE, err);
	struct pins pins;

	if (result <= 0)
		return result;
	result = pins_lock(&pins, bpffs, false, err);
	if (result)
		return result;
	if (!own_only || plane_is_by_daemon(&reply_plane, bpffs))
		result = pins_remove(bpffs, REPLY_PLANE, err);
	pins_unlock(&pins);
	return result;
}

int reply_unload(const char *bpffs, struct err *err)
{
	return unload(bpffs, false, err);
}

int reply_unload_own(const char *bpffs, struct err *err)
{
	return unload(bpffs, true, err);
}
