// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice steer load: attaches the steering program to reuseport groups, or updates it in place. */
#include "base/log.h"
#include "base/netns.h"
#include "cmd/command.h"
#include "host/cgroup_root.h"
#include "kernel/links.h"
#include "steer/cpu/placement.h"
#include "steer/cpu/spread.h"
#include "steer/cpu/spread_options.h"
#include "steer/cpu/spread_text.h"
#include "steer/events.h"
#include "steer/options.h"
#include "steer/steer.h"

#include <errno.h>
#include <string.h>

static struct options {
	struct steer_options steer;
	struct spread_options xdp;
} options;

struct report {
	const struct output *output;
	json_t *events;
	bool verbose;
	int foreign, failed, left_out;
	char foreign_text[512];
};

static void on_event(const struct steer_event *event, void *arg)
{
	struct report *report = arg;
	char text[512];

	steer_event_text(event, text, sizeof(text));
	if (event->type == STEER_GROUP_FOREIGN && !report->foreign++)
		snprintf(report->foreign_text, sizeof(report->foreign_text), "%s", text);
	if (event->type == STEER_GROUP_FAILED || event->type == STEER_SOCKET_FAILED)
		report->failed++;
	if (event->type == STEER_GROUPS_LEFT_OUT)
		report->left_out += event->count;
	if (report->events)
		json_array_append_new(report->events, steer_event_json(event));
	else if (report->verbose || event->type != STEER_SOCKET_JOINED)
		fprintf(report->output->file, "  %s\n", text);
}

static void print(const struct context *context, const struct steer_options *options, int groups,
		  const struct report *report)
{
	FILE *file = context->output.file;
	struct steer_consumers_known known;
	struct spread xdp;
	char left_out[32] = "", hint[64];
	bool has_known = !options->dry_run && options->policy == SLUICE_STEER_CPU &&
			 !steer_consumers_known(context->bpffs, &known, &(struct err){ 0 });
	bool has_xdp = !options->dry_run && !spread_read(context->bpffs, &xdp, &(struct err){ 0 });
	__u32 i;

	for (i = 0; has_xdp && i < xdp.meta.link_count; i++)
		if (xdp.loses_vlan[i])
			log_warning("%s: " STEER_XDP_LOSES_VLAN "; where packets have tags: %s",
				    xdp.meta.links[i].name,
				    spread_vlan_hint(xdp.meta.links[i].name, hint, sizeof(hint)));
	if (report->events) {
		output_json(&context->output,
			    json_pack("{s:i, s:s, s:b, s:i, s:i, s:O, s:o*, s:o*}",
				      "schema_version", OUTPUT_SCHEMA_VERSION, "policy",
				      steer_policy_name(options->policy), "dry_run",
				      options->dry_run, "groups", groups, "groups_left_out",
				      report->left_out, "events", report->events, "consumers",
				      !has_known ? NULL
						 : json_pack("{s:I, s:I, s:I}", "pinned",
							     (json_int_t)known.pinned, "seen",
							     (json_int_t)known.seen, "unknown",
							     (json_int_t)known.unknown),
				      "xdp", has_xdp ? spread_json(&xdp) : NULL));
		return;
	}
	if (has_known)
		fprintf(file,
			"  consumers: %u pinned to a CPU, %u last seen on a CPU, %u unknown%s\n",
			known.pinned, known.seen, known.unknown,
			known.unknown ? " (not seen: load again under traffic)" : "");
	if (has_xdp)
		spread_print(&context->output, &xdp);
	if (report->left_out)
		snprintf(left_out, sizeof(left_out), ", %d left out", report->left_out);
	fprintf(file, "steer: policy %s, %d group%s %s%s\n", steer_policy_name(options->policy),
		groups, groups == 1 ? "" : "s", options->dry_run ? "would be steered" : "steered",
		left_out);
}

static int classify(const struct report *report, int groups, struct err *err)
{
	if (report->failed)
		return err_set(err, EXIT_ERROR, EIO,
			       "steer load: %d groups or sockets failed, see above",
			       report->failed);
	if (!groups && report->foreign)
		return err_hint(err, err_set(err, EXIT_CONFLICT, EBUSY, "%s", report->foreign_text),
				"sluice never replaces a program that a server has attached");
	if (!groups)
		return err_hint(err,
				err_set(err, EXIT_ERROR, ENOENT,
					"steer load: no UDP socket with SO_REUSEPORT on these ports"
					" in this network namespace; nothing is changed"),
				"enable the server's reuseport option, or name another --netns (or"
				" all); 'sluice run' steers sockets that are opened later");
	return 0;
}

/*
 * Attaches XDP before the groups, since another program may occupy the interface.  If steering is
 * loaded already, a dry run first checks that the groups will not fail.  XDP is detached last.
 */
static int load(struct steer_loader *loader, struct options *options, struct report *report,
		int *groups, struct err *err)
{
	struct spread before;
	const char *bpffs = options->steer.bpffs;
	bool loaded = !spread_read(bpffs, &before, &(struct err){ 0 });
	__u32 wanted = options->xdp.ifcount;
	int result = 0;

	options->xdp.bpffs = bpffs;
	options->xdp.ports = &options->steer.ports;
	options->xdp.dry_run = options->steer.dry_run;
	if (loaded) {
		struct steer_options dry = options->steer;

		dry.dry_run = true;
		result = steer_load(loader, &dry, NULL, NULL, groups, err);
	}
	if (!result && wanted)
		result = spread_load(&options->xdp, err);
	if (result < 0)
		return result;
	result = steer_load(loader, &options->steer, on_event, report, groups, err);
	if (options->steer.dry_run ||
	    (wanted ? loaded || (!result && *groups) : result || !*groups))
		return result;
	options->xdp.ifcount = 0;
	if (spread_load(&options->xdp, &(struct err){ 0 }) > 0 && !wanted)
		log_warning("flows are no longer spread over CPUs: --xdp was not given");
	return result;
}

/* Prints the settings before an update; options that are not given return to their defaults. */
static void print_before(const struct output *output, const struct steer_options *options,
			 const struct sluice_steer_meta *before)
{
	char text[512], netns[16] = "all";
	struct ports were;

	steer_ports(before, &were);
	if (before->policy == options->policy && before->idle_ns == options->idle_s * 1000000000 &&
	    before->generations == options->generations && before->netns == options->netns &&
	    before->flows == options->flows && !memcmp(&were, &options->ports, sizeof(were)))
		return;
	if (before->flows != options->flows)
		fprintf(output->file,
			"  flow tables of %u flows, %u before, start empty: all flows count as new\n",
			options->flows, before->flows);
	if (before->netns)
		snprintf(netns, sizeof(netns), "%u", before->netns);
	fprintf(output->file,
		"  before: policy %s, ports %s, flows %u, idle %llu, generation %s, netns %s\n",
		steer_policy_name(before->policy), ports_format(&were, text, sizeof(text)),
		before->flows, before->idle_ns / 1000000000,
		steer_generations_name(before->generations), netns);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct options *options = into;
	struct report report = { .output = &context->output, .verbose = context->verbose };
	struct steer_loader loader = { .cgroup = context->cgroup };
	struct err no_cgroup = { 0 };
	char cgroup[PATH_MAX];
	struct sluice_steer_meta before;
	struct err unsampled;
	int groups = 0, result;
	bool loaded;

	if (ports_empty(&options->steer.ports))
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "steer load needs a --port"),
				"name the ports of the servers, such as --port 53, or --port any");
	result = netns_number(context->netns, &options->steer.netns, err);
	if (result)
		return result;
	result = value_spread_check("--", &options->xdp, options->steer.policy, err);
	if (result)
		return result;
	if (options->steer.policy == SLUICE_STEER_CPU) {
		loader.cgroup = cgroup;
		if (cgroup_root_path(context, cgroup, &no_cgroup)) {
			/* a container's subtree; without cgroup2, only affinity places consumers
			 */
			if (no_cgroup.code == EXIT_USAGE) {
				*err = no_cgroup;
				return -EINVAL;
			}
			loader.cgroup = NULL;
			loader.no_cgroup = no_cgroup.what;
		}
	}
	links_libbpf_log();
	options->steer.bpffs = context->bpffs;
	options->steer.must_find = true;
	loaded = !steer_read(context->bpffs, &before, err);
	report.events = context->output.json ? json_array() : NULL;
	result = load(&loader, options, &report, &groups, err);
	/* unsampled consumers are placed only by the affinity of their threads */
	if (!result && !options->steer.dry_run &&
	    steer_placement_wait(context->bpffs, STEER_PLACEMENT_WAIT_MS, &unsampled))
		log_warning("%s", unsampled.what);
	if (!result && groups)
		print(context, &options->steer, groups, &report);
	if (!result && groups && loaded && !context->output.json)
		print_before(&context->output, &options->steer, &before);
	json_decref(report.events);
	steer_loader_close(&loader);
	return result ? result : classify(&report, groups, err);
}

const struct command steer_load_command = {
	.object = "steer",
	.name = "load",
	.summary = "steer the flows of SO_REUSEPORT groups, or update in place if loaded",
	.tables = { { steer_opts, &options.steer }, { steer_spread_opts, &options.xdp } },
	.options = &options,
	.all_netns = true,
	.run = run,
	.help = "Finds the UDP sockets that share a given port by SO_REUSEPORT, and selects one of them\n"
		"for each flow.  A flow stays with its worker until the worker exits.  Loading\n"
		"policy flow or load moves no flow.  The servers need no change.\n"
		"\n"
		"A new instance of a server takes the new flows once it has as many sockets as the\n"
		"previous one, or half as many and no new socket for two seconds.  The previous\n"
		"instance keeps its flows until it exits or is drained.  'sluice run', or another\n"
		"load, steers sockets that are opened later.\n"
		"\n"
		"Policy cpu sends a datagram to a worker that runs on the CPU of its arrival.  That\n"
		"CPU is known from the affinity of the worker, or from its last receive: load waits\n"
		"up to a second for that.  Where a network card has fewer queues than there are\n"
		"CPUs, --xdp spreads the flows over CPUs first.\n"
		"\n"
		"--netns all steers the groups of all network namespaces.  Each namespace except the\n"
		"host's has a quota: it gets another group only while more groups are free than it\n"
		"already has.  The output reports the groups left out.\n"
		"\n"
		"A second load resets options that are not given to their defaults, and releases\n"
		"groups outside the given ports and network namespace.\n"
		"Steering stays until 'sluice steer unload' or 'sluice cleanup'.\n\n"
		"examples:\n"
		"  sluice steer load --port 53\n"
		"  sluice steer load --port 5060 --policy load --netns sip\n"
		"  sluice steer load --port 443 --dry-run\n"
		"  sluice steer load --port 53 --policy cpu --xdp eth0 --cpus 0-3\n",
};
