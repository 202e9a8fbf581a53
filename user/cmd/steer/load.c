// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice steer load: put the steering program on reuseport groups, or change it in place. */
#include "base/log.h"
#include "cmd/command.h"
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

static void on_events(const struct steer_event *news, void *arg)
{
	struct report *report = arg;
	char text[512];

	steer_event_text(news, text, sizeof(text));
	if (news->type == STEER_GROUP_FOREIGN && !report->foreign++)
		snprintf(report->foreign_text, sizeof(report->foreign_text), "%s", text);
	if (news->type == STEER_GROUP_FAILED || news->type == STEER_SOCKET_FAILED)
		report->failed++;
	if (news->type == STEER_GROUPS_LEFT_OUT)
		report->left_out += news->count;
	if (report->events)
		json_array_append_new(report->events, steer_event_json(news));
	else if (report->verbose || news->type != STEER_SOCKET_JOINED)
		fprintf(report->output->file, "  %s\n", text);
}

static void warn_vlan(const struct spread *xdp)
{
	char hint[64];
	__u32 i;

	for (i = 0; i < xdp->meta.link_count; i++)
		if (xdp->loses_vlan[i])
			log_warning("%s: " STEER_XDP_LOSES_VLAN "; where packets have tags: %s",
				    xdp->meta.links[i].name,
				    spread_vlan_hint(xdp->meta.links[i].name, hint, sizeof(hint)));
}

/* NULL: no interface is spread. */
static json_t *xdp_show(const struct context *context, bool dry_run, bool as_json)
{
	struct spread xdp;

	if (dry_run || spread_read(context->bpffs, &xdp, &(struct err){ 0 }))
		return NULL;
	warn_vlan(&xdp);
	if (as_json)
		return spread_json(&xdp);
	spread_print(&context->output, &xdp);
	return NULL;
}

/* NULL: another policy, where it does not matter. */
static json_t *consumers_show(const struct context *context, const struct options *options)
{
	struct steer_consumers_known known;

	if (options->steer.dry_run || options->steer.policy != SLUICE_STEER_CPU ||
	    steer_consumers_known(context->bpffs, &known, &(struct err){ 0 }))
		return NULL;
	if (context->output.json)
		return json_pack("{s:I, s:I, s:I}", "pinned", (json_int_t)known.pinned, "seen",
				 (json_int_t)known.seen, "unknown", (json_int_t)known.unknown);
	fprintf(context->output.file,
		"  readers: %u pinned to a CPU, %u on the CPU where they ran last, %u unknown%s\n",
		known.pinned, known.seen, known.unknown,
		known.unknown ? " (not seen: load again under traffic)" : "");
	return NULL;
}

static void print(const struct context *context, const struct options *options, int groups,
		  const struct report *report)
{
	json_t *document, *readers, *xdp;
	char left_out[32] = "";

	if (!report->events) {
		consumers_show(context, options);
		xdp_show(context, options->steer.dry_run, false);
		if (report->left_out)
			snprintf(left_out, sizeof(left_out), ", %d left out", report->left_out);
		fprintf(context->output.file, "steer: policy %s, %d group%s %s%s\n",
			steer_policy_name(options->steer.policy), groups, groups == 1 ? "" : "s",
			options->steer.dry_run ? "would be steered" : "steered", left_out);
		return;
	}
	document = output_document();
	json_object_set_new(document, "policy",
			    json_string(steer_policy_name(options->steer.policy)));
	json_object_set_new(document, "dry_run", json_boolean(options->steer.dry_run));
	json_object_set_new(document, "groups", json_integer(groups));
	json_object_set_new(document, "groups_left_out", json_integer(report->left_out));
	json_object_set(document, "events", report->events);
	readers = consumers_show(context, options);
	if (readers)
		json_object_set_new(document, "consumers", readers);
	xdp = xdp_show(context, options->steer.dry_run, true);
	if (xdp)
		json_object_set_new(document, "xdp", xdp);
	output_json(&context->output, document);
}

static int classify(const struct report *report, int groups, struct err *err)
{
	if (report->failed)
		return err_set(err, EXIT_ERROR, EIO,
			       "steer load: %d of what was found could not be"
			       " taken, see above",
			       report->failed);
	if (!groups && report->foreign)
		return err_hint(err, err_set(err, EXIT_CONFLICT, EBUSY, "%s", report->foreign_text),
				"a program that the server has attached itself is never replaced");
	if (!groups)
		return err_hint(err,
				err_set(err, EXIT_ERROR, ENOENT,
					"steer load: no UDP socket with SO_REUSEPORT on these ports"
					" in this network namespace; nothing is changed"),
				"start the server with its reuseport option on, or name another"
				" --netns (or all); 'sluice run' takes sockets that come later");
	return 0;
}

/* Without it, policy cpu knows what the affinity of the processes tells. */
static void consumers_learn(const char *bpffs)
{
	struct err err = { 0 };

	if (steer_place_wait(bpffs, STEER_CONSUMERS_MS, &err))
		log_warning("%s", err.what);
}

/*
 * XDP comes first, since it is what others may stand in the way of; what the groups would refuse
 * must not have changed it by then.  To take it off comes last.
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
	result = steer_load(loader, &options->steer, on_events, report, groups, err);
	if (options->steer.dry_run ||
	    (wanted ? loaded || (!result && *groups) : result || !*groups))
		return result;
	options->xdp.ifcount = 0;
	if (spread_load(&options->xdp, &(struct err){ 0 }) > 0 && !wanted)
		log_warning("flows are no longer spread over CPUs: --xdp was not given");
	return result;
}

/* What an update changes: options that are not given go back to their defaults. */
static void print_before(const struct output *output, const struct steer_options *options,
			 const struct sluice_steer_meta *before)
{
	char text[512];
	struct ports were;

	steer_ports(before, &were);
	if (before->policy == options->policy && before->idle_ns == options->idle_s * 1000000000 &&
	    before->generations == options->generations && before->netns == options->netns &&
	    before->flows == options->flows && !memcmp(&were, &options->ports, sizeof(were)))
		return;
	if (before->flows != options->flows)
		fprintf(output->file,
			"  flow tables of %u flows, %u before, start empty: flows go on as new ones\n",
			options->flows, before->flows);
	fprintf(output->file,
		"  it was: policy %s, ports %s, flows %u, idle %llu, generation %s, netns ",
		steer_policy_name(before->policy), ports_format(&were, text, sizeof(text)),
		before->flows, before->idle_ns / 1000000000,
		steer_generations_name(before->generations));
	if (before->netns)
		fprintf(output->file, "%u\n", before->netns);
	else
		fprintf(output->file, "all\n");
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct options *options = into;
	struct report report = { .output = &context->output, .verbose = context->verbose };
	struct steer_loader loader = { .cgroup = context->cgroup };
	struct sluice_steer_meta before;
	int groups = 0, result;
	bool loaded;

	if (ports_empty(&options->steer.ports))
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "steer load needs a --port"),
				"name the servers' ports, as in --port 53, or --port any");
	result = value_netns(context->netns, &options->steer.netns, err);
	if (result)
		return result;
	result = value_spread_check("--", &options->xdp, options->steer.policy, err);
	if (result)
		return result;
	links_libbpf_log();
	options->steer.bpffs = context->bpffs;
	options->steer.must_find = true;
	loaded = !steer_read(context->bpffs, &before, err);
	report.events = context->output.json ? json_array() : NULL;
	result = load(&loader, options, &report, &groups, err);
	if (!result && !options->steer.dry_run)
		consumers_learn(context->bpffs);
	if (!result && groups)
		print(context, options, groups, &report);
	if (!result && groups && loaded && !context->output.json)
		print_before(&context->output, &options->steer, &before);
	json_decref(report.events);
	steer_loader_close(&loader);
	return result ? result : classify(&report, groups, err);
}

const struct command steer_load_command = {
	.object = "steer",
	.name = "load",
	.summary = "steer the flows of SO_REUSEPORT groups; loaded already, change it in place",
	.tables = { { steer_opts, &options.steer }, { steer_spread_opts, &options.xdp } },
	.options = &options,
	.all_netns = true,
	.run = run,
	.help = "Finds the UDP sockets that share one of the ports by SO_REUSEPORT, and chooses among\n"
		"them in the kernel's stead: a flow stays with its worker while that lives.  Loading\n"
		"flow or load moves no flow.  The servers need not know of it.\n"
		"\n"
		"A new instance of a server takes the new flows once it has as many sockets as the\n"
		"one before it, or half as many and has opened none for two seconds; the one before it\n"
		"keeps its old flows until it exits or is drained.  Sockets that come later are taken\n"
		"by 'sluice run', or by loading again.\n"
		"\n"
		"Policy cpu gives a datagram to a worker that runs on the CPU where it arrived.  Which\n"
		"that is shows in the affinity of a worker, or in where it received last: load waits\n"
		"for that, a second at most.  Where a network card has fewer queues than there are\n"
		"CPUs, --xdp spreads the flows over CPUs first.\n"
		"\n"
		"--netns all steers the groups of all network namespaces; each but the host's gets\n"
		"another one only while more are free than it has, and what is left out is told.\n"
		"\n"
		"Loaded again, options that are not given go back to their defaults, and groups that\n"
		"are not among the ports and the network namespace given are released.\n"
		"It stays until 'sluice steer unload' or 'sluice cleanup'.\n\n"
		"examples:\n"
		"  sluice steer load --port 53\n"
		"  sluice steer load --port 5060 --policy load --netns sip\n"
		"  sluice steer load --port 443 --dry-run\n"
		"  sluice steer load --port 53 --policy cpu --xdp eth0 --cpus 0-3\n",
};
