// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice reply flows: who speaks to which address, as each mode remembers it.  A flow of mode
 * socket belongs to a socket, and so to a process; one of mode wire is told by its packets alone.
 */
#include "base/addr.h"
#include "base/json_list.h"
#include "base/log.h"
#include "base/netns_names.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/reply/flow_list.h"
#include "cmd/reply/view.h"
#include "kernel/sockets.h"

#include <string.h>

static struct options {
	bool all;
} options;

static const struct opt opts[] = {
	{ "all", 'a', NULL, opt_switch, offsetof(struct options, all),
	  "flows past their age, too" },
	{ .name = NULL },
};

struct listing {
	struct flow_list flows;
	const struct sockets *sockets;
	struct netns_names netns;
};

/* --- mode socket */

static json_t *socket_json(struct listing *listing, const struct socket_flow *of)
{
	const struct sluice_flow *flow = &of->flow;
	const struct sluice_socket_record *owner = sockets_find(listing->sockets, flow->cookie);
	char peer[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX];
	json_t *object =
		json_pack("{s:s, s:I, s:I, s:o, s:s, s:i, s:s, s:I, s:f, s:b}", "mode",
			  reply_mode_name(listing->flows.socket.meta.mode), "socket_cookie",
			  (json_int_t)flow->cookie, "netns", (json_int_t)flow->netns, "netns_name",
			  netns_names_json(&listing->netns, flow->netns), "peer",
			  addr_format(&flow->peer, peer), "peer_port", ntohs(flow->peer_port_be),
			  "local", addr_format(&flow->local, local), "ifindex",
			  (json_int_t)flow->ifindex, "age_s", (double)of->age_ns / 1e9,
			  "ambiguous_scope", flow->flags & SLUICE_FLOW_SCOPE_AMBIGUOUS ? 1 : 0);

	if (owner) {
		json_object_set_new(object, "process", json_string(owner->comm));
		json_object_set_new(object, "pid", json_integer(owner->pid));
		json_object_set_new(object, "port", json_integer(owner->port));
	}
	return object;
}

static void socket_row(struct listing *listing, struct table *table, const struct socket_flow *of)
{
	const struct sluice_flow *flow = &of->flow;
	const struct sluice_socket_record *owner = sockets_find(listing->sockets, flow->cookie);
	char peer[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX], netns[NAME_MAX + 1], age[24];
	char port[8] = "?", pid[16] = "-";

	if (owner) {
		snprintf(port, sizeof(port), "%u", owner->port);
		snprintf(pid, sizeof(pid), "%u", owner->pid);
	}
	table_row(table, "%s|%s|%s|%s:%s|%s|%s|%llu",
		  owner ? owner->comm : sockets_nobody(listing->sockets), pid,
		  addr_format_port(&flow->peer, flow->peer_port_be, peer),
		  addr_format(&flow->local, local), port,
		  netns_names_text(&listing->netns, flow->netns, netns),
		  age_format(of->age_ns, age), flow->cookie);
}

/* --- mode wire */

static bool is_gateway(const struct sluice_wire_flow *flow)
{
	return flow->scope & SLUICE_WIRE_SCOPE_GATEWAY;
}

/* What becomes of the datagrams of a flow. */
static const char *state_name(const struct sluice_wire_flow *flow)
{
	if (flow->scope & SLUICE_WIRE_HOST_FIRST)
		return "host_first";
	if (flow->scope & SLUICE_WIRE_TURNED)
		return "turned";
	if (flow->scope & SLUICE_WIRE_WAITING)
		return "waiting";
	return memcmp(&flow->requested, &flow->server, sizeof(flow->requested)) ? "rewritten"
										: "right";
}

/* 0: not known. An answer may leave by any interface, but for a bridge's ports and a gateway's. */
static __u32 ifindex_of(const struct sluice_wire_flow *flow)
{
	return flow->scope & ~(SLUICE_WIRE_SCOPE_GATEWAY | SLUICE_WIRE_FLAGS);
}

/* NULL: not known, or detached since. */
static const char *iface_name(const struct listing *listing, __u32 ifindex)
{
	const struct wire_flows *wire = &listing->flows.wire;
	const struct wire_iface *iface = wire_iface_numbered(wire->ifaces, wire->iface_count,
							     ifindex);

	return ifindex && iface ? iface->entry.name : NULL;
}

static json_t *wire_json(struct listing *listing, const struct wire_flow *of)
{
	const struct sluice_wire_flow *flow = &of->flow;
	__u32 ifindex = ifindex_of(flow), netns = (__u32)listing->flows.wire.meta.netns;
	const char *iface = iface_name(listing, ifindex);
	char client[ADDR_TEXT_MAX], asked[ADDR_TEXT_MAX], server[ADDR_TEXT_MAX];

	return json_pack(
		"{s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:s, s:o, s:o, s:I, s:o, s:f}", "mode", "wire",
		"role", is_gateway(flow) ? "gateway" : "host", "client",
		addr_format(&flow->client, client), "client_port", ntohs(flow->client_port_be),
		"requested", addr_format(&flow->requested, asked), "server",
		addr_format(&flow->server, server), "server_port", ntohs(flow->server_port_be),
		"state", state_name(flow), "ifindex", ifindex ? json_integer(ifindex) : json_null(),
		"interface", iface ? output_name(iface) : json_null(), "netns", (json_int_t)netns,
		"netns_name", netns_names_json(&listing->netns, netns), "age_s",
		(double)of->age_ns / 1e9);
}

static const char *iface_text(const struct listing *listing, __u32 ifindex, char text[24])
{
	const char *name = iface_name(listing, ifindex);

	if (name)
		return text_plain_copy(text, 24, name);
	if (!ifindex)
		return "-";
	snprintf(text, 24, "#%u (gone)", ifindex);
	return text;
}

static void wire_row(struct listing *listing, struct table *table, const struct wire_flow *of)
{
	const struct sluice_wire_flow *flow = &of->flow;
	char client[ADDR_TEXT_MAX], asked[ADDR_TEXT_MAX], server[ADDR_TEXT_MAX];
	char iface[24], netns[NAME_MAX + 1], age[24];

	table_row(table, "%s|%s|%s|%s|%s|%s|%s|%s", is_gateway(flow) ? "gateway" : "host",
		  addr_format_port(&flow->client, flow->client_port_be, client),
		  addr_format_port(&flow->requested, flow->server_port_be, asked),
		  addr_format(&flow->server, server), state_name(flow),
		  iface_text(listing, ifindex_of(flow), iface),
		  netns_names_text(&listing->netns, (__u32)listing->flows.wire.meta.netns, netns),
		  age_format(of->age_ns, age));
}

/* --- both */

static json_t *size_json(bool loaded, __u32 sets)
{
	return loaded ? json_integer((json_int_t)sets * SLUICE_FLOW_WAYS) : json_null();
}

static void print_json(const struct output *output, struct listing *listing)
{
	const struct socket_flows *socket = &listing->flows.socket;
	const struct wire_flows *wire = &listing->flows.wire;
	json_t *document = output_document();
	struct json_list list;
	size_t i;

	json_object_set_new(document, "size", size_json(socket->loaded, socket->meta.sets));
	json_object_set_new(document, "wire_size", size_json(wire->loaded, wire->meta.sets));
	json_list_begin(&list, output, document, "flows");
	for (i = 0; i < socket->count; i++)
		json_list_add(&list, socket_json(listing, &socket->flow[i]));
	json_list_next(&list, "wire_flows");
	for (i = 0; i < wire->count; i++)
		json_list_add(&list, wire_json(listing, &wire->flow[i]));
	json_list_end(&list);
}

static void print_head(const struct output *output, const char *mode, size_t count, size_t older,
		       __u32 sets, __u64 age_ns)
{
	fprintf(output->file, "reply: mode %s: %zu flow%s, of %u", mode, count,
		count == 1 ? "" : "s", sets * SLUICE_FLOW_WAYS);
	if (older)
		fprintf(output->file, "; %zu older than %llus (see them with --all)", older,
			age_ns / 1000000000ULL);
	fprintf(output->file, "%s\n", count || older ? "" : "; nothing heard yet");
}

static void print_socket(const struct output *output, struct listing *listing)
{
	const struct socket_flows *flows = &listing->flows.socket;
	struct table *table = table_new("process|>pid|peer|local|netns|>age|>socket");
	size_t i;

	print_head(output, reply_mode_name(flows->meta.mode), flows->count, flows->older,
		   flows->meta.sets, flows->meta.age_ns);
	for (i = 0; i < flows->count; i++)
		socket_row(listing, table, &flows->flow[i]);
	table_print(table, output, 2);
}

static void print_wire(const struct output *output, struct listing *listing)
{
	const struct wire_flows *flows = &listing->flows.wire;
	struct table *table =
		table_new("role|client|requested|reply source|state|interface|netns|>age");
	size_t i;

	print_head(output, "wire", flows->count, flows->older, flows->meta.sets,
		   flows->meta.age_ns);
	for (i = 0; i < flows->count; i++)
		wire_row(listing, table, &flows->flow[i]);
	table_print(table, output, 2);
}

static void print(const struct output *output, struct listing *listing)
{
	if (output->json) {
		print_json(output, listing);
		return;
	}
	if (listing->flows.socket.loaded)
		print_socket(output, listing);
	if (listing->flows.wire.loaded)
		print_wire(output, listing);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct listing listing = { 0 };
	struct sockets *sockets = NULL;
	struct err reason;
	int result;

	links_libbpf_log();
	result = flow_list_read(context->bpffs, ((struct options *)into)->all, &listing.flows, err);
	if (!result) {
		if (listing.flows.socket.count && sockets_read(&sockets, &reason))
			log_warning("processes are not known: %s", reason.what);
		listing.sockets = sockets;
		print(&context->output, &listing);
	}
	flow_list_free(&listing.flows);
	netns_names_free(&listing.netns);
	sockets_free(sockets);
	return result;
}

const struct command reply_flows_command = {
	.object = "reply",
	.name = "flows",
	.summary = "live flows: who speaks to which address, in each mode that is loaded",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "Mode socket: the process, its peer, and the local address that the peer has asked,\n"
		"which answers leave from.\n"
		"Mode wire: the client, the address that it has asked, the one that the server\n"
		"answers from, and the state of the flow:\n"
		"  rewritten   the two differ: requests and answers are rewritten\n"
		"  right       they are the same: nothing is to be done\n"
		"  host_first  this host spoke first, from an address of its own choice\n"
		"  waiting     gateway: a request was sent on, and has no answer yet\n"
		"  turned      gateway: the client has asked two addresses of the server; requests\n"
		"              go where they were sent, and the former address stands beside the\n"
		"              one asked as long as it owes an answer\n"
		"The interface is known for ports of a bridge and for gateways; elsewhere answers\n"
		"may leave by any.  Those heard last come first.\n",
};
