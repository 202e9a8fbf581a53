// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice steer load: attaches the steering program to reuseport groups, or updates it in place. */
#include "base/log.h"
#include "base/text.h"
#include "cmd/command.h"
#include "host/cgroup_root.h"
#include "kernel/links.h"
#include "kernel/load_outcome.h"
#include "kernel/meta.h"
#include "net/netns.h"
#include "net/netns_names.h"
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
	const char *outcome;
	const struct sluice_steer_meta *before; /* magic 0: not loaded, or another ABI version */
	__u32 replaces;				/* ABI version of the loaded object, or 0 */
	int foreign, failed, left_out, changes;
	char foreign_text[512];
	const char *foreign_hint;
};

static void on_event(const struct steer_event *event, void *arg)
{
	struct report *report = arg;
	char text[512];

	steer_event_text(event, text, sizeof(text));
	report->changes += steer_event_is_change(event);
	if (event->type == STEER_GROUP_FOREIGN && !report->foreign++) {
		snprintf(report->foreign_text, sizeof(report->foreign_text), "%s", text);
		report->foreign_hint =
			event->why
				? "run 'sluice --bpffs DIR steer unload' with the pin directory of"
				  " the other sluice, or 'sluice cleanup' if its pins are gone"
				: "sluice never replaces a program that a server has attached";
	}
	if (event->type == STEER_GROUP_FAILED || event->type == STEER_SOCKET_FAILED)
		report->failed++;
	if (event->type == STEER_GROUPS_LEFT_OUT)
		report->left_out += event->count;
	if (report->events)
		json_array_append_new(report->events, steer_event_json(event));
	else if (report->verbose || event->type != STEER_SOCKET_JOINED)
		fprintf(report->output->file, "  %s\n", text);
}

/* Returns the settings before an update, or null if steering was not loaded (magic 0). */
static json_t *before_json(const struct sluice_steer_meta *before)
{
	char text[PORTS_TEXT_MAX];
	struct ports ports;
	json_t *object;

	if (!before->magic)
		return json_null();
	steer_ports(before, &ports);
	object = json_pack("{s:s, s:s, s:s, s:I, s:I}", "policy", steer_policy_name(before->policy),
			   "ports", ports_format(&ports, text, sizeof(text)), "generations_by",
			   steer_generations_name(before->generations), "idle_s",
			   (json_int_t)(before->idle_ns / 1000000000ULL), "flows_per_group",
			   (json_int_t)before->flows);
	netns_names_json(NULL, before->netns, object);
	return object;
}

/* Prints the settings that the load has changed, and their previous values. */
static void print_before(const struct output *output, const struct steer_options *options,
			 const struct sluice_steer_meta *before)
{
	static char ports[PORTS_TEXT_MAX], ports_before[PORTS_TEXT_MAX];
	char netns[NETNS_TEXT_MAX], netns_before[NETNS_TEXT_MAX];
	struct table *changes = table_new(CHANGE_COLUMNS);
	struct ports were;

	steer_ports(before, &were);
	change_row(changes, "policy", steer_policy_name(before->policy),
		   steer_policy_name(options->policy));
	change_row(changes, "ports", ports_format(&were, ports_before, sizeof(ports_before)),
		   ports_format(&options->ports, ports, sizeof(ports)));
	change_row_number(changes, "flows", before->flows, options->flows);
	change_row_number(changes, "idle", before->idle_ns / 1000000000, options->idle_s);
	change_row(changes, "generation", steer_generations_name(before->generations),
		   steer_generations_name(options->generations));
	change_row(changes, "netns", netns_setting_text(before->netns, netns_before),
		   netns_setting_text(options->netns, netns));
	table_print(changes, output, 2);
	if (before->flows != options->flows)
		fprintf(output->file,
			"  flow tables of %u flows, %u before, start empty: all flows count as new\n",
			options->flows, before->flows);
}

static void print_json(const struct context *context, const struct steer_options *options,
		       int groups, const struct report *report,
		       const struct steer_consumers_known *known, const struct spread *xdp)
{
	static char ports[PORTS_TEXT_MAX];
	json_t *document = output_document();

	json_object_update_new(
		document,
		json_pack(
			"{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:i, s:i, s:o, s:o, s:O, s:o*, s:o*}",
			"outcome", report->outcome, "policy", steer_policy_name(options->policy),
			"ports", ports_format(&options->ports, ports, sizeof(ports)),
			"generations_by", steer_generations_name(options->generations), "idle_s",
			(json_int_t)options->idle_s, "flows_per_group", (json_int_t)options->flows,
			"table_bytes", (json_int_t)steer_table_bytes(options->flows), "dry_run",
			options->dry_run, "groups", groups, "groups_left_out", report->left_out,
			"before", before_json(report->before), "replaces_abi",
			output_nonzero(report->replaces), "events", report->events, "consumers",
			!known ? NULL
			       : json_pack("{s:I, s:I, s:I}", "pinned", (json_int_t)known->pinned,
					   "seen", (json_int_t)known->seen, "unknown",
					   (json_int_t)known->unknown),
			"xdp", xdp ? spread_json(xdp) : NULL));
	output_json(&context->output, document);
}

static void print_text(const struct context *context, const struct steer_options *options,
		       int groups, const struct report *report,
		       const struct steer_consumers_known *known, const struct spread *xdp)
{
	char left_out[32] = "", each[24], all[24];
	__u64 bytes = steer_table_bytes(options->flows);
	FILE *file = context->output.file;

	if (known)
		fprintf(file,
			"  consumers: %u pinned to a CPU, %u last seen on a CPU, %u unknown%s\n",
			known->pinned, known->seen, known->unknown,
			known->unknown ? " (not seen: load again under traffic)" : "");
	if (xdp)
		spread_print(&context->output, xdp);
	if (report->left_out)
		snprintf(left_out, sizeof(left_out), ", %d left out", report->left_out);
	fprintf(file,
		"steer: %s: policy %s, %d group%s %s%s; flow tables of %u flows, %s each, %s in"
		" all\n",
		report->outcome, steer_policy_name(options->policy), groups, groups == 1 ? "" : "s",
		options->dry_run ? "would be steered" : "steered", left_out, options->flows,
		bytes_format(bytes, each), bytes_format(bytes * (__u64)groups, all));
	if (report->before->magic)
		print_before(&context->output, options, report->before);
}

static void print(const struct context *context, const struct steer_options *options, int groups,
		  const struct report *report)
{
	struct steer_consumers_known known;
	struct spread xdp;
	char hint[64];
	bool has_known = !options->dry_run && options->policy == SLUICE_STEER_CPU &&
			 !steer_consumers_known(context->bpffs, &known, &(struct err){ 0 });
	bool has_xdp = !options->dry_run && !spread_read(context->bpffs, &xdp, &(struct err){ 0 });
	__u32 i;

	for (i = 0; has_xdp && i < xdp.meta.link_count; i++)
		if (xdp.loses_vlan[i])
			log_warning("%s: " STEER_XDP_LOSES_VLAN "; where packets have tags: %s",
				    xdp.meta.links[i].name,
				    spread_vlan_hint(xdp.meta.links[i].name, hint, sizeof(hint)));
	if (report->events)
		print_json(context, options, groups, report, has_known ? &known : NULL,
			   has_xdp ? &xdp : NULL);
	else
		print_text(context, options, groups, report, has_known ? &known : NULL,
			   has_xdp ? &xdp : NULL);
}

static int classify(const struct report *report, bool all_netns, int groups, struct err *err)
{
	if (report->failed)
		return err_set(err, EXIT_ERROR, EIO,
			       "steer load: %d group%s or socket%s failed, see above",
			       report->failed, report->failed == 1 ? "" : "s",
			       report->failed == 1 ? "" : "s");
	if (!groups && report->foreign)
		return err_hint(err, err_set(err, EXIT_CONFLICT, EBUSY, "%s", report->foreign_text),
				"%s", report->foreign_hint);
	if (!groups)
		return err_hint(
			err,
			err_set(err, EXIT_ERROR, ENOENT,
				"steer load: no UDP socket with SO_REUSEPORT on these ports"
				" in %s network namespace; nothing is changed",
				all_netns ? "any" : "this"),
			"enable the server's reuseport option%s; 'sluice run' steers sockets"
			" that are opened later",
			all_netns ? "" : ", or name another --netns (or all)");
	return 0;
}

/*
 * Attaches XDP before the groups, because another program may occupy the interface. If steering is
 * already loaded, first checks with a dry run that loading the groups cannot fail. Detaches XDP
 * last.
 */
static int load(struct steer_loader *loader, struct options *options, struct report *report,
		int *groups, struct err *err)
{
	struct spread before;
	const char *bpffs = options->steer.bpffs;
	bool loaded = !spread_read(bpffs, &before, &(struct err){ 0 }) ||
		      meta_other_abi(&spread_state_dir, bpffs);
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

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct options *options = into;
	struct report report = { .output = &context->output, .verbose = context->verbose };
	struct steer_loader loader = { .cgroup = context->cgroup };
	struct err no_cgroup = { 0 };
	char cgroup[PATH_MAX];
	struct sluice_steer_meta before = { 0 };
	struct err unsampled;
	int groups = 0, result;

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
			/* required in a container; without cgroup2, use affinity */
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
	steer_read(context->bpffs, &before, &(struct err){ 0 });
	report.before = &before;
	report.replaces = meta_other_abi(&steer_state_dir, context->bpffs);
	report.events = context->output.json ? json_array() : NULL;
	result = load(&loader, options, &report, &groups, err);
	/* without a sample, affinity alone places a consumer */
	if (!result && !options->steer.dry_run &&
	    steer_placement_wait(context->bpffs, STEER_PLACEMENT_WAIT_MS, &unsampled))
		log_warning("%s", unsampled.what);
	report.outcome = load_outcome_name(options->steer.dry_run ? LOAD_VERIFIED
					   : before.magic	  ? LOAD_UPDATED
					   : report.replaces	  ? LOAD_REPLACED
								  : LOAD_FRESH,
					   !report.changes &&
						   steer_has_settings(&before, &options->steer));
	if (!result && groups)
		print(context, &options->steer, groups, &report);
	json_decref(report.events);
	steer_loader_close(&loader);
	return result ? result : classify(&report, !options->steer.netns, groups, err);
}

const struct command steer_load_command = {
	.object = "steer",
	.name = "load",
	.summary = "steer the flows of SO_REUSEPORT groups, or update in place if loaded",
	.tables = { { steer_opts, &options.steer }, { steer_spread_opts, &options.xdp } },
	.options = &options,
	.all_netns = true,
	.changes = true,
	.run = run,
	.help = "Finds the UDP sockets that share a given port by SO_REUSEPORT, and selects one of them\n"
		"for each flow.  A flow stays with its worker until the worker exits.  Loading\n"
		"policy flow or load moves no flow.  The servers need no change.\n"
		"\n"
		"A new instance of a server takes the new flows once it has as many sockets as the\n"
		"previous one, or half as many and has opened none for two seconds.  An instance with\n"
		"a single socket counts as one more worker.  The previous instance keeps its flows\n"
		"until it exits or is drained.  'sluice steer promote' overrides this rule.\n"
		"'sluice run', or another load, steers sockets that are opened later.\n"
		"\n"
		"Policy cpu sends a datagram to a worker that runs on the CPU where it arrives.  The\n"
		"CPU of a worker is known from its affinity, or from its last receive, for which load\n"
		"waits up to a second.  If a network card has fewer queues than there are CPUs,\n"
		"--xdp spreads the flows over CPUs first.\n"
		"\n"
		"--netns all steers the groups of all network namespaces.  Each namespace except the\n"
		"host's has a quota: it gets another group only while more groups are free than it\n"
		"already has.  The output reports the groups left out.\n"
		"\n"
		"A second load resets omitted options to their defaults, and releases\n"
		"groups outside the given ports and network namespace.\n"
		"Steering stays until 'sluice steer unload' or 'sluice cleanup'.\n\n"
		"examples:\n"
		"  sluice steer load --port 53\n"
		"  sluice steer load --port 5060 --policy load --netns sip\n"
		"  sluice steer load --port 443 --dry-run\n"
		"  sluice steer load --port 53 --policy cpu --xdp eth0 --cpus 0-3\n",
};
