// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice hold show: prints the settings, the interval, the flows by state, and the counters. */
#include "cmd/hold/show.h"

#include "base/clock.h"
#include "base/ports.h"
#include "base/text.h"
#include "cli/counters.h"
#include "cli/opt.h"
#include "cmd/command.h"
#include "hold/maps.h"
#include "hold/saved.h"
#include "hold/send_options.h"
#include "host/cleanup.h"
#include "host/daemon_lock.h"
#include "kernel/mounts.h"
#include "net/netns.h"
#include "net/netns_names.h"

#include <errno.h>
#include <sluice/meta.h>
#include <string.h>

static const struct counter tracked[] = { SLUICE_HOLD_COUNTERS(COUNTER) };
static const struct counter sent[] = { SLUICE_HOLD_SEND_COUNTERS(COUNTER) };

unsigned int hold_view_flow_state(const struct hold_maps *maps, __u32 slot,
				  const struct sluice_hold_flow *flow)
{
	const struct sluice_hold_kept *kept = &maps->kept[slot];

	if (!hold_socket_open(maps, flow))
		return SLUICE_HOLD_CLOSED;
	return kept->serial == flow->serial ? kept->state : SLUICE_HOLD_NEW;
}

int hold_view_state(const char *bpffs, struct hold_state *state, struct err *err)
{
	int result = hold_read(bpffs, state, err);

	if (!result)
		state->sending = state->sending && daemon_lock_holder(bpffs);
	return result;
}

int hold_view_read(const char *bpffs, struct hold_view *view, struct err *err)
{
	int result = hold_view_state(bpffs, &view->state, err);
	struct sluice_hold_flow flow;
	struct hold_maps maps;
	__u64 now;
	__u32 slot;

	if (result)
		return result;
	result = hold_maps_open(&maps, bpffs, false, err);
	if (result)
		return result;
	now = clock_now_ns(CLOCK_BOOTTIME);
	memset(view->flows, 0, sizeof(view->flows));
	view->used = 0;
	view->saved = view->state.status.saved_ended;
	for (slot = 1; slot <= hold_maps_used(&maps); slot++) {
		unsigned int state;

		if (!hold_flow_read(&maps, slot, &flow))
			continue;
		state = hold_view_flow_state(&maps, slot, &flow);
		view->used++;
		view->flows[state]++;
		if (state != SLUICE_HOLD_CLOSED && state != SLUICE_HOLD_ENDED &&
		    state != SLUICE_HOLD_NEW)
			view->saved += hold_saved(&flow, maps.kept[slot].sent, now);
	}
	hold_maps_close(&maps);
	result = mounts_cgroup2_path(view->state.meta.cgroup_id, view->cgroup);
	view->cgroup_gone = result && view->state.detached;
	if (view->cgroup_gone)
		snprintf(view->cgroup, sizeof(view->cgroup), "(gone)");
	else if (result)
		snprintf(view->cgroup, sizeof(view->cgroup), "(id %llu, not visible here)",
			 view->state.meta.cgroup_id);
	return 0;
}

static const char *ports_text(const struct sluice_hold_meta *meta, char *text, size_t size)
{
	struct ports ports;

	hold_ports(meta, &ports);
	return ports_format(&ports, text, size);
}

static json_t *sender_json(const struct hold_view *view)
{
	const struct sluice_hold_status *status = &view->state.status;

	return json_pack("{s:i, s:f, s:s, s:o, s:b, s:o, s:s, s:i}", "pid", status->pid,
			 "interval_s", (double)status->interval_ns / 1e9, "interval_source",
			 hold_source_name(status->source), "proven_s",
			 status->proven_ns ? json_real((double)status->proven_ns / 1e9)
					   : json_null(),
			 "outermost", status->outermost, "ttl",
			 status->ttl ? json_integer(status->ttl) : json_null(), "payload",
			 opt_word_name(hold_payloads, status->payload), "rate", status->rate);
}

json_t *hold_view_json(const struct hold_view *view)
{
	const struct sluice_hold_meta *meta = &view->state.meta;
	json_t *hooks = json_array(), *flows = json_object(), *object;
	static char ports[PORTS_TEXT_MAX];
	unsigned int state;
	int i;

	for (i = 0; i < view->state.hook_count; i++) {
		const struct hook_state *hook = &view->state.hooks[i];

		json_array_append_new(hooks, json_pack("{s:s, s:s, s:i, s:i, s:b}", "hook",
						       hook_type_name(hook->attach_type), "program",
						       hook->prog_name, "program_id", hook->prog_id,
						       "link_id", hook->link_id, "attached",
						       hook->cgroup_id != 0));
	}
	for (state = 0; state < SLUICE_HOLD_STATES; state++)
		json_object_set_new(flows, hold_state_name(state),
				    json_integer(view->flows[state]));
	json_object_set_new(flows, "size", json_integer(meta->table));
	json_object_set_new(flows, "bytes", json_integer(hold_table_bytes(meta->table)));
	ports_text(meta, ports, sizeof(ports));
	object = json_pack(
		"{s:s, s:b, s:o, s:I, s:b, s:b, s:f, s:I, s:b, s:o, s:o, s:I, s:o, s:o, s:o}",
		"ports", ports, "complete", meta->state == SLUICE_LOADED, "cgroup",
		output_name(view->cgroup), "cgroup_id", (json_int_t)meta->cgroup_id, "detached",
		view->state.detached, "cgroup_gone", view->cgroup_gone, "loaded_for_s",
		(double)clock_since_ns(CLOCK_BOOTTIME, meta->loaded_ns) / 1e9, "max_s",
		(json_int_t)(meta->max_ns / 1000000000ULL), "sending", view->state.sending,
		"sender", view->state.sending ? sender_json(view) : json_null(), "flows", flows,
		"saved", (json_int_t)view->saved, "hooks", hooks, "counters",
		counters_json(tracked, view->state.counters.value, SLUICE_HOLD_COUNTERS_MAX),
		"send_counters",
		counters_json(sent, view->state.status.counters.value,
			      SLUICE_HOLD_SEND_COUNTERS_MAX));
	netns_names_json(NULL, meta->netns, object);
	return object;
}

static void sender_text(const struct hold_view *view, const struct output *output)
{
	const struct sluice_hold_status *status = &view->state.status;
	char ttl[32] = "full TTL";

	if (!view->state.sending) {
		fprintf(output->file, "  %s%s%s\n", output_tone(output, OUTPUT_WARNING),
			HOLD_NOT_SENDING, output_plain(output));
		return;
	}
	if (status->ttl)
		snprintf(ttl, sizeof(ttl), "TTL %u", status->ttl);
	fprintf(output->file, "  sending: by process %u, interval %.1fs (%s), payload %s, %s\n",
		status->pid, (double)status->interval_ns / 1e9, hold_source_name(status->source),
		opt_word_name(hold_payloads, status->payload), ttl);
	if (status->proven_ns)
		fprintf(output->file, "  probe: a mapping lives for at least %llus\n",
			status->proven_ns / 1000000000ULL);
	if (status->outermost)
		fprintf(output->file,
			"  this host is the outermost NAT: the conntrack entries of the flows that it"
			" translates are renewed, and nothing is sent for them\n");
}

void hold_view_text(const struct hold_view *view, const struct output *output)
{
	const struct sluice_hold_meta *meta = &view->state.meta;
	char text[256], age[24], bytes[24], cgroup[PATH_MAX], netns[NETNS_TEXT_MAX];
	unsigned int state;

	fprintf(output->file, "hold: ports %s, network namespace %s, loaded %s ago\n  cgroup %s\n",
		ports_text(meta, text, sizeof(text)), netns_setting_text(meta->netns, netns),
		age_format(clock_since_ns(CLOCK_BOOTTIME, meta->loaded_ns), age),
		text_plain_copy(cgroup, sizeof(cgroup), view->cgroup));
	if (view->state.detached)
		fprintf(output->file, "  %sdetached: %s%s\n", output_tone(output, OUTPUT_BAD),
			view->cgroup_gone
				? "the cgroup is gone; load it on another one, or unload it"
				: "by another process; load it again",
			output_plain(output));
	if (meta->state != SLUICE_LOADED)
		fprintf(output->file,
			"  %sa load was interrupted: run it again, or 'sluice cleanup'%s\n",
			output_tone(output, OUTPUT_BAD), output_plain(output));
	sender_text(view, output);
	fprintf(output->file, "  flows  %u, of %u (%s)", view->used, meta->table,
		bytes_format(hold_table_bytes(meta->table), bytes));
	for (state = 0; state < SLUICE_HOLD_STATES; state++)
		if (view->flows[state])
			fprintf(output->file, ", %u %s", view->flows[state],
				hold_state_name(state));
	fprintf(output->file, "; %lld keepalives saved\n", view->saved);
	if (view->flows[SLUICE_HOLD_UNANSWERED] &&
	    view->flows[SLUICE_HOLD_UNANSWERED] == view->used - view->flows[SLUICE_HOLD_CLOSED])
		fprintf(output->file,
			"  %swarning%s: no peer has answered, so no keepalives are sent\n",
			output_tone(output, OUTPUT_WARNING), output_plain(output));
	counters_text(tracked, view->state.counters.value, SLUICE_HOLD_COUNTERS_MAX, output);
	counters_text(sent, view->state.status.counters.value, SLUICE_HOLD_SEND_COUNTERS_MAX,
		      output);
}

/* --- the command */

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct hold_view view;
	json_t *document;
	int result = hold_view_read(context->bpffs, &view, err);

	if (result)
		return cleanup_hint_not_loaded(context->bpffs, "hold", result, err);
	if (context->output.json) {
		document = output_document();
		json_object_set_new(document, "hold", hold_view_json(&view));
		output_json(&context->output, document);
	} else {
		hold_view_text(&view, &context->output);
	}
	return 0;
}

const struct command hold_show_command = {
	.object = "hold",
	.name = "show",
	.summary = "show whether keepalives are sent, the interval and its source, and counters",
	.run = run,
	.help = "saved is the number of keepalives that a fixed schedule of 15 s would have sent in\n"
		"addition, since it ignores the traffic of the application.  The text omits counters\n"
		"that are 0; -j prints all of them.\n",
};
