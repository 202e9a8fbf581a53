// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice hold flows: lists the tracked flows, longest silence first. Reads all flows before
 * printing any.
 */
#include "base/addr.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/json_list.h"
#include "cmd/command.h"
#include "cmd/hold/show.h"
#include "hold/maps.h"
#include "hold/saved.h"
#include "host/cleanup.h"
#include "net/netns_names.h"
#include "process/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct options {
	bool all;
} options;

static const struct opt opts[] = {
	{ "all", 'a', NULL, opt_switch, offsetof(struct options, all),
	  "include flows whose socket is closed, or that have ended" },
	{ .name = NULL },
};

struct listed_flow {
	struct sluice_hold_flow flow;
	struct sluice_hold_kept kept;
	unsigned int state;
};

struct listing {
	struct hold_state state;
	struct listed_flow *flow;
	size_t count, room;
	size_t ended; /* not listed */
	__u64 now_ns;
	struct sockets *sockets;
	struct netns_names netns;
};

static int by_silence(const void *a, const void *b)
{
	const struct listed_flow *left = a, *right = b;

	return (left->flow.out_ns > right->flow.out_ns) - (left->flow.out_ns < right->flow.out_ns);
}

static int listing_read(const char *bpffs, bool all, struct listing *listing, struct err *err)
{
	int result = hold_view_state(bpffs, &listing->state, err);
	struct hold_maps maps;
	__u32 slot;

	if (!result)
		result = hold_maps_open(&maps, bpffs, false, err);
	if (result)
		return result;
	listing->now_ns = clock_now_ns(CLOCK_BOOTTIME);
	for (slot = 1; slot <= hold_maps_used(&maps); slot++) {
		void *flows = listing->flow;
		struct listed_flow *added;

		if (array_grow(&flows, &listing->room, listing->count, sizeof(*listing->flow))) {
			result = err_set(err, EXIT_ERROR, ENOMEM, "hold flows: out of memory");
			break;
		}
		listing->flow = flows;
		added = &listing->flow[listing->count];
		if (!hold_flow_read(&maps, slot, &added->flow))
			continue;
		added->state = hold_view_flow_state(&maps, slot, &added->flow);
		if (!all &&
		    (added->state == SLUICE_HOLD_CLOSED || added->state == SLUICE_HOLD_ENDED)) {
			listing->ended++;
			continue;
		}
		added->kept = maps.kept[slot];
		if (added->kept.serial != added->flow.serial)
			added->kept = (struct sluice_hold_kept){ 0 };
		listing->count++;
	}
	hold_maps_close(&maps);
	if (listing->count)
		qsort(listing->flow, listing->count, sizeof(*listing->flow), by_silence);
	return result;
}

/* Returns the saved keepalives of a flow; 0 if no daemon has seen the flow. */
static __s64 saved(const struct listing *listing, const struct listed_flow *listed)
{
	if (!listed->kept.serial)
		return 0;
	return hold_saved(&listed->flow, listed->kept.sent, listing->now_ns);
}

static double seconds_since(const struct listing *listing, __u64 at_ns)
{
	return at_ns < listing->now_ns ? (double)(listing->now_ns - at_ns) / 1e9 : 0;
}

/* Returns true if the flow will get a keepalive at due_ns. */
static bool has_next(const struct listing *listing, const struct listed_flow *listed)
{
	return listing->state.sending && listed->kept.due_ns &&
	       (listed->state == SLUICE_HOLD_KEPT || listed->state == SLUICE_HOLD_ACTIVE ||
		listed->state == SLUICE_HOLD_RENEWED);
}

static double seconds_until(const struct listing *listing, __u64 at_ns)
{
	return at_ns > listing->now_ns ? (double)(at_ns - listing->now_ns) / 1e9 : 0;
}

static json_t *seconds_json(bool known, double seconds)
{
	return known ? json_real(seconds) : json_null();
}

static json_t *flow_json(struct listing *listing, const struct listed_flow *listed)
{
	const struct sluice_hold_flow *flow = &listed->flow;
	const struct sluice_socket_record *owner = sockets_find(listing->sockets, flow->cookie);
	char peer[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX];

	json_t *object = json_pack(
		"{s:s, s:i, s:s, s:i, s:I, s:f, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:s,"
		" s:o, s:o}",
		"peer", addr_format(&flow->key.peer, peer), "peer_port",
		ntohs(flow->key.peer_port_be), "local", addr_format(&flow->key.local, local),
		"local_port", ntohs(flow->key.local_port_be), "socket_cookie",
		(json_int_t)flow->cookie, "silent_s", seconds_since(listing, flow->out_ns),
		"answered_s", seconds_json(flow->in, seconds_since(listing, flow->in_ns)),
		"interval_s",
		seconds_json(listing->state.sending,
			     (double)listing->state.status.interval_ns / 1e9),
		"next_s",
		seconds_json(has_next(listing, listed),
			     seconds_until(listing, listed->kept.due_ns)),
		"datagrams_out", (json_int_t)flow->out, "datagrams_in", (json_int_t)flow->in,
		"sent", (json_int_t)listed->kept.sent, "saved", (json_int_t)saved(listing, listed),
		"state", hold_state_name(listed->state), "process",
		owner ? output_name(owner->comm) : json_null(), "pid",
		owner ? json_integer(owner->pid) : json_null());

	netns_names_json(&listing->netns, flow->key.netns, object);
	return object;
}

static void flow_row(struct listing *listing, struct table *table, const struct listed_flow *listed)
{
	const struct sluice_hold_flow *flow = &listed->flow;
	const struct sluice_socket_record *owner = sockets_find(listing->sockets, flow->cookie);
	char peer[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX], netns[NETNS_TEXT_MAX], silent[24];
	char pid[16] = "-", comm[SLUICE_COMM_SIZE], interval[16] = "-", next[16] = "-";

	if (owner)
		snprintf(pid, sizeof(pid), "%u", owner->pid);
	if (listing->state.sending)
		snprintf(interval, sizeof(interval), "%.1fs",
			 (double)listing->state.status.interval_ns / 1e9);
	if (has_next(listing, listed))
		snprintf(next, sizeof(next), "%.1fs", seconds_until(listing, listed->kept.due_ns));
	table_row(table, "%s|%s|%s|%s|%s|%s|%s|%s|%u|%lld|%s",
		  owner ? text_plain_copy(comm, sizeof(comm), owner->comm)
			: sockets_no_owner(listing->sockets),
		  pid, addr_format_port(&flow->key.peer, flow->key.peer_port_be, peer),
		  addr_format_port(&flow->key.local, flow->key.local_port_be, local),
		  netns_names_text(&listing->netns, flow->key.netns, netns),
		  age_format((__u64)(seconds_since(listing, flow->out_ns) * 1e9), silent), interval,
		  next, listed->kept.sent, saved(listing, listed), hold_state_name(listed->state));
}

static void print_json(const struct output *output, struct listing *listing)
{
	json_t *document = output_document();
	struct json_list list;
	size_t i;

	json_object_set_new(document, "size", json_integer(listing->state.meta.table));
	json_object_set_new(document, "sending", json_boolean(listing->state.sending));
	json_list_begin(&list, output, document, "flows");
	for (i = 0; i < listing->count; i++)
		json_list_add(&list, flow_json(listing, &listing->flow[i]));
	json_list_end(&list);
}

static void print_text(const struct output *output, struct listing *listing)
{
	struct table *table = table_new("process|>pid|peer|local|netns|>silent|>interval|>next|"
					">sent|>saved|state");
	size_t i;

	fprintf(output->file, "hold: %zu flow%s, of %u", listing->count,
		listing->count == 1 ? "" : "s", listing->state.meta.table);
	if (listing->ended)
		fprintf(output->file, "; %zu closed or ended (see them with --all)",
			listing->ended);
	fputc('\n', output->file);
	if (!listing->state.sending)
		fprintf(output->file, "  %s\n", HOLD_NOT_SENDING);
	for (i = 0; i < listing->count; i++)
		flow_row(listing, table, &listing->flow[i]);
	table_print(table, output, 2);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *given = into;
	struct listing listing = { .flow = NULL };
	struct err reason = { 0 };
	int result;

	links_libbpf_log();
	result = listing_read(context->bpffs, given->all, &listing, err);
	if (result)
		goto out;
	if (listing.count && sockets_read(&listing.sockets, NULL, &reason))
		log_warning("process names are unknown: %s", reason.what);
	if (context->output.json)
		print_json(&context->output, &listing);
	else
		print_text(&context->output, &listing);
out:
	free(listing.flow);
	netns_names_free(&listing.netns);
	sockets_free(listing.sockets);
	return cleanup_hint_not_loaded(context->bpffs, "hold", result, err);
}

const struct command hold_flows_command = {
	.object = "hold",
	.name = "flows",
	.summary = "list the tracked flows: peer, process, silence, keepalives, state",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "columns:\n"
		"  silent   time since the socket's last datagram to the peer\n"
		"  next     time until the next keepalive\n"
		"  sent     number of keepalives\n"
		"  saved    keepalives that a fixed schedule of 15 s would have sent in addition\n"
		"\n"
		"state:\n"
		"  unanswered   the peer has not answered yet, so no keepalives are sent\n"
		"  active       the application itself sends often enough\n"
		"  kept         keepalives are sent\n"
		"  renewed      this host is the outermost NAT: it renews the entry and sends nothing\n"
		"  unreachable  the peer's host has reported port unreachable\n"
		"  remapped     the NAT of this host has changed the port, or has seen no reply\n"
		"  near         the peer is on the link, and a keepalive would reach it\n"
		"  failed       the kernel refused to send, or the namespace was not found\n"
		"  ended        the application has sent and received nothing for --max\n"
		"  closed       the socket is closed\n"
		"  new          no daemon has seen the flow yet\n",
};
