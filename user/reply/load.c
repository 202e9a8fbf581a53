// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/pins_lock.h"
#include "reply/needs.h"
#include "reply/reply.h"

#include "base/clock.h"
#include "base/log.h"
#include "bpf/reply/reply.skel.h"
#include "kernel/feature.h"
#include "kernel/load_outcome.h"
#include "kernel/mounts.h"
#include "kernel/object.h"
#include "kernel/state_dir.h"
#include "kernel/ticks.h"
#include "reply/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LEARN_AHEAD_S 1

struct load {
	const struct reply_options *options;
	struct reply_bpf *skel;
	struct sluice_reply_meta before; /* magic 0: nothing was loaded */
	struct sluice_reply_meta after;
	__u32 replaces; /* ABI version of the object that the load replaces, or 0 */
};

/* Returns true if programs on connect(2) can identify the calling process (since Linux 6.10). */
static bool connect_knows_process(void)
{
	return feature_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
			      BPF_FUNC_get_current_pid_tgid) == FEATURE_YES &&
	       feature_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
			      BPF_FUNC_get_current_comm) == FEATURE_YES;
}

__u64 reply_table_bytes(__u32 flows)
{
	return flow_table_bytes(flows, SLUICE_FLOW_WAYS, sizeof(struct sluice_flow_set));
}

static void configure(struct load *load)
{
	const struct reply_options *options = load->options;
	struct sluice_reply_meta *meta = &load->after;
	bool fixes = options->mode == SLUICE_REPLY_SOCKET;
	struct reply_bpf *skel = load->skel;
	struct stat st = { 0 };

	stat(options->cgroup, &st);
	*meta = (struct sluice_reply_meta){
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_REPLY_ABI,
		.state = SLUICE_LOADED,
		.mode = options->mode,
		.seed = object_seed(load->before.seed),
		.age_ns = options->age_s * 1000000000ULL,
		.loaded_ns = clock_now_ns(CLOCK_BOOTTIME),
		.cgroup_id = st.st_ino,
		.sets = (options->table + SLUICE_FLOW_WAYS - 1) / SLUICE_FLOW_WAYS,
		.any_port = options->ports.any,
		.any_peer_port = options->any_peer_port,
	};
	memcpy(meta->ports, options->ports.bit, sizeof(meta->ports));
	skel->rodata->seed = meta->seed;
	skel->rodata->tick_ns = ticks_length_ns();
	skel->rodata->age = sluice_flow_clock(meta->age_ns);
	skel->rodata->sets = meta->sets;
	skel->rodata->any_port = meta->any_port;
	memcpy((void *)skel->rodata->ports, meta->ports, sizeof(meta->ports));
	bpf_program__set_autoload(skel->progs.sluice_fix4, fixes);
	bpf_program__set_autoload(skel->progs.sluice_fix6, fixes);
	bpf_program__set_autoload(skel->progs.sluice_audit, !fixes);
	skel->rodata->process_known = connect_knows_process();
	/* mode audit also counts the replies that the option would fix */
	skel->rodata->any_peer_port = options->any_peer_port || !fixes;
	bpf_map__set_max_entries(skel->maps.sluice_flows, meta->sets);
}

/*
 * Fills the new table before the programs of another ABI version are replaced, so that requests
 * with pending replies keep their flows. Returns the link of the program that fills the table. This
 * program is attached in addition to the old program until the caller destroys the link.
 */
static struct bpf_link *learn_ahead(const struct load *load)
{
	const struct timespec pause = { .tv_sec = LEARN_AHEAD_S };
	int fd = open(load->options->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct bpf_link *link = NULL;

	if (fd < 0)
		return NULL;
	link = bpf_program__attach_cgroup(load->skel->progs.sluice_learn, fd);
	close(fd);
	if (link)
		nanosleep(&pause, NULL);
	return link;
}

static int attach(void *arg, struct err *err)
{
	struct load *load = arg;
	bool fixes = load->after.mode == SLUICE_REPLY_SOCKET;
	struct hook hooks[] = {
		/* attached first, since it fills the table (kernel/links.h) */
		{ PIN_LEARN, load->skel->progs.sluice_learn, true },
		{ PIN_FIX4, load->skel->progs.sluice_fix4, fixes },
		{ PIN_FIX6, load->skel->progs.sluice_fix6, fixes },
		{ PIN_AUDIT, load->skel->progs.sluice_audit, !fixes },
		{ PIN_CONNECT4, load->skel->progs.sluice_connect4, true },
		{ PIN_CONNECT6, load->skel->progs.sluice_connect6, true },
	};
	struct bpf_link *ahead = load->replaces ? learn_ahead(load) : NULL;
	int result = links_apply_cgroup(load->options->bpffs, REPLY_OBJECT, load->options->cgroup,
					hooks, sizeof(hooks) / sizeof(*hooks), err);

	bpf_link__destroy(ahead);
	return result;
}

/*
 * Warns of another sluice on the same sockets, because the program that runs last sets the source.
 */
static void warn_of_twin(const struct reply_options *options)
{
	struct hook_prog progs[HOOK_PROGS_MAX];
	struct hook_state own = { .prog_id = 0 };
	int i, count = hook_order(options->cgroup, BPF_CGROUP_INET_INGRESS, progs);

	hook_read(options->bpffs, REPLY_OBJECT, PIN_LEARN, &own);
	for (i = 0; i < count; i++)
		if (!strcmp(progs[i].name, "sluice_learn") && progs[i].id != own.prog_id) {
			log_warning("program %u, sluice_learn of another pin directory, is also"
				    " attached to %s or above it: unload one of the two, with"
				    " its --bpffs",
				    progs[i].id, options->cgroup);
			return;
		}
}

/* Returns true if the records differ at most in loaded_ns. */
static bool is_same_record(const struct sluice_reply_meta *before,
			   const struct sluice_reply_meta *after)
{
	struct sluice_reply_meta same = *before;

	same.loaded_ns = after->loaded_ns;
	return before->magic && !memcmp(&same, after, sizeof(same));
}

/* Warns that mode audit replaces mode socket: an operator may expect it to count in addition. */
static void warn_of_audit(const struct load *load)
{
	if (load->before.mode == SLUICE_REPLY_SOCKET && load->after.mode == SLUICE_REPLY_AUDIT)
		log_warning("mode audit %s mode socket: replies are no longer fixed",
			    load->options->dry_run ? "would replace" : "replaces");
}

static int load_locked(struct load *load, struct object *object, struct reply_result *result,
		       struct err *err)
{
	const struct object_steps steps = { .attach = attach, .arg = load };
	struct bpf_program *prog;
	int failed = object_inspect(object, err);

	if (failed)
		return failed;
	result->outcome = object->outcome;
	result->before = load->before;
	result->replaces = load->replaces = object->replaces;
	load->skel = reply_bpf__open_opts(object_open_opts(object));
	if (load->skel)
		configure(load);
	failed = object_verify(object, load->skel ? load->skel->skeleton : NULL, err);
	if (failed)
		return failed;
	result->count = 0;
	bpf_object__for_each_program(prog, load->skel->obj) {
		struct reply_prog *entry = &result->progs[result->count];
		struct bpf_prog_info info;

		if (!bpf_program__autoload(prog))
			continue;
		prog_info_by_fd(bpf_program__fd(prog), &info);
		snprintf(entry->name, sizeof(entry->name), "%s", bpf_program__name(prog));
		entry->attach_type = bpf_program__expected_attach_type(prog);
		entry->verified_insns = info.verified_insns;
		result->count++;
	}
	warn_of_twin(load->options);
	result->as_before = is_same_record(&load->before, &load->after) && !object->lost &&
			    reply_attached(load->options->bpffs, &load->before);
	warn_of_audit(load);
	if (load->options->dry_run) {
		result->outcome = LOAD_VERIFIED;
		return 0;
	}
	return object_commit(object, &steps, err);
}

int reply_load(const struct reply_options *options, struct reply_result *result, struct err *err)
{
	struct load load = { .options = options };
	struct object object = {
		.state_dir = &reply_state_dir,
		.dir = options->bpffs,
		.what = "reply programs",
		.before = &load.before,
		.after = &load.after,
		.dry_run = options->dry_run,
		.by_daemon = options->by_daemon,
	};
	struct pins pins;
	int failed = reply_caps_require(options->mode, err);

	if (!failed)
		failed = mounts_need_cgroup2(options->cgroup, err);
	if (failed)
		return failed;
	result->outcome = LOAD_LEFT;
	failed = pins_lock(&pins, options->bpffs, !options->follows, err);
	if (failed)
		return options->follows && failed == -ENOENT ? 0 : failed;
	if (!options->follows || state_dir_is_daemons(&reply_state_dir, options->bpffs))
		failed = load_locked(&load, &object, result, err);
	reply_bpf__destroy(load.skel);
	object_end(&object);
	pins_unlock(&pins);
	return failed;
}
