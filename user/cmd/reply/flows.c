// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice reply flows: lists the flows of all loaded modes, latest first. A flow of mode socket has
 * a socket, and so a process. A flow of mode wire is known only from its packets. Reads all flows
 * before printing any, so an error leaves no partial document.
 */
#include "base/addr.h"
#include "base/array.h"
#include "base/log.h"
#include "base/ports.h"
#include "base/text.h"
#include "cli/json_list.h"
#include "cmd/reply/view.h"
#include "kernel/pins.h"
#include "net/netns_names.h"
#include "process/cgroup_names.h"
#include "process/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct options {
	bool all;
	struct ports ports; /* ports of the servers */
	struct opt_addr peer;
	const char *netns; /* NULL: any */
	__u32 limit;	   /* 0: none */
} options;

#define FLOWS_FIELD(field) offsetof(struct options, field)

static const struct opt opts[] = {
	{ "all", 'a', NULL, opt_switch, FLOWS_FIELD(all), "include expired flows" },
	{ "port", 0, "LIST", opt_ports, FLOWS_FIELD(ports),
	  "select the flows of servers on these ports", .preset = "any" },
	{ "peer", 0, "ADDR", opt_addr, FLOWS_FIELD(peer), "select the flows of this peer" },
	{ "in-netns", 0, "NAME|INODE", opt_text, FLOWS_FIELD(netns),
	  "select the flows of servers in this network namespace" },
	{ "limit", 0, "N", opt_u32, FLOWS_FIELD(limit),
	  "print the N most recently seen flows of each mode", .min = 1, .max = FLOW_TABLE_MAX },
	{ .name = NULL },
};

/* The flows to list. */
struct selection {
	const struct options *options;
	bool by_netns;
	__u32 netns;
};

/* A flow of either mode. */
struct listed_flow {
	__u64 age_ns; /* must be the first member, for by_age() */
	union {
		struct sluice_flow socket;
		struct sluice_wire_flow wire;
	};
};

/* The flows of one mode. */
struct flow_list {
	const struct selection *selection;
	bool loaded;
	bool no_memory;
	__u32 sets;
	__u64 age_ns; /* the age at which a flow expires */
	struct listed_flow *flow;
	size_t count, room;
	size_t all;   /* number of flows in the table, except the `older` ones */
	size_t older; /* number of expired flows, which are not listed */
	size_t shown; /* number of flows to print, from the first */
};

struct listing {
	struct flow_list socket, wire;
	__u32 mode;		   /* mode of the object reply */
	__u32 wire_netns;	   /* the namespace of mode wire */
	struct wire_iface *ifaces; /* attached by mode wire */
	int iface_count;
	struct sockets *sockets;
	struct netns_names netns;
	struct cgroup_names cgroups;
};

/* --- reading */

/*
 * Returns a new flow to fill in. Returns NULL if the flow is not selected, has expired, or memory
 * is exhausted.
 */
static struct listed_flow *flow_add(struct flow_list *list, __u64 age_ns,
				    const struct sluice_addr *peer, __u32 netns, __u16 port)
{
	const struct selection *selection = list->selection;
	const struct options *given = selection->options;
	void *flows = list->flow;

	if (!given->all && age_ns > list->age_ns) {
		list->older++;
		return NULL;
	}
	list->all++;
	if ((given->peer.given && memcmp(peer, &given->peer.addr, sizeof(*peer))) ||
	    (selection->by_netns && netns != selection->netns) ||
	    !ports_contain(&given->ports, port))
		return NULL;
	if (array_grow(&flows, &list->room, list->count, sizeof(*list->flow))) {
		list->no_memory = true;
		return NULL;
	}
	list->flow = flows;
	list->flow[list->count].age_ns = age_ns;
	return &list->flow[list->count++];
}

static void on_socket_flow(const struct sluice_flow *flow, __u64 age_ns, void *arg)
{
	struct listed_flow *added = flow_add(arg, age_ns, &flow->peer, flow->netns, flow->port);

	if (added)
		added->socket = *flow;
}

static void on_wire_flow(const struct sluice_wire_flow *flow, __u64 age_ns, void *arg)
{
	struct listing *listing = arg;
	struct flow_list *list = &listing->wire;
	struct listed_flow *added = flow_add(list, age_ns, &flow->peer, listing->wire_netns,
					     ntohs(flow->port_be));

	if (added)
		added->wire = *flow;
}

static int by_age(const void *a, const void *b)
{
	const __u64 *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static int socket_read(const char *bpffs, struct listing *listing, struct err *err)
{
	struct flow_table_usage usage = { 0 };
	struct reply_state state;
	int result = reply_read(bpffs, &state, err);

	if (result)
		return result;
	listing->mode = state.meta.mode;
	listing->socket.sets = state.meta.sets;
	listing->socket.age_ns = state.meta.age_ns;
	return reply_flows(bpffs, &usage, on_socket_flow, &listing->socket, err);
}

static int wire_flows_read(const char *bpffs, struct listing *listing, struct err *err)
{
	struct sluice_wire_meta meta;
	int result = wire_meta(bpffs, &meta, err);

	if (result)
		return result;
	listing->wire_netns = (__u32)meta.netns;
	listing->wire.sets = meta.sets;
	listing->wire.age_ns = meta.age_ns;
	result = wire_ifaces(bpffs, &listing->ifaces, &listing->iface_count, err);
	if (result)
		return result;
	return wire_flows(bpffs, on_wire_flow, listing, err);
}

/* Reads the flows of all loaded modes. Returns 0, or -errno with *err set. */
static int listing_read(const char *bpffs, struct listing *listing, struct err *err)
{
	struct flow_list *socket = &listing->socket, *wire = &listing->wire;
	int has_reply = pins_exist(bpffs, "reply", err);
	int has_wire = has_reply < 0 ? has_reply : pins_exist(bpffs, "wire", err);
	int result = 0;

	if (has_wire < 0)
		return has_wire;
	if (!has_reply && !has_wire)
		return reply_loaded_none(bpffs, REPLY_LOAD_HINT, err);
	socket->loaded = has_reply;
	wire->loaded = has_wire;
	if (has_reply)
		result = socket_read(bpffs, listing, err);
	if (!result && has_wire)
		result = wire_flows_read(bpffs, listing, err);
	if (result)
		return result;
	if (socket->no_memory || wire->no_memory)
		return err_set(err, EXIT_ERROR, ENOMEM, "flows: out of memory");
	return 0;
}

/* Sorts the flows, latest first, and applies the limit. */
static void list_order(struct flow_list *list)
{
	__u32 limit = list->selection->options->limit;

	if (list->count)
		qsort(list->flow, list->count, sizeof(*list->flow), by_age);
	list->shown = limit && limit < list->count ? limit : list->count;
}

/* --- mode socket */

static json_t *socket_json(struct listing *listing, const struct listed_flow *listed)
{
	const struct sluice_flow *flow = &listed->socket;
	const struct sluice_socket_record *owner = sockets_find(listing->sockets, flow->cookie);
	char peer[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX];
	json_t *object = json_pack(
		"{s:s, s:I, s:s, s:i, s:s, s:I, s:f, s:s*, s:o*, s:i}", "mode",
		reply_mode_name(listing->mode), "socket_cookie", (json_int_t)flow->cookie, "peer",
		addr_format(&flow->peer, peer), "peer_port", ntohs(flow->peer_port_be), "local",
		addr_format(&flow->local, local), "ifindex", (json_int_t)flow->ifindex, "age_s",
		(double)listed->age_ns / 1e9, "process", owner ? owner->comm : NULL, "pid",
		owner ? json_integer(owner->pid) : NULL, "port", flow->port);

	netns_names_json(&listing->netns, flow->netns, object);
	cgroup_names_json(&listing->cgroups, owner ? (pid_t)owner->pid : 0, object);
	return object;
}

static void socket_row(struct listing *listing, struct table *table,
		       const struct listed_flow *listed)
{
	const struct sluice_flow *flow = &listed->socket;
	const struct sluice_socket_record *owner = sockets_find(listing->sockets, flow->cookie);
	char peer[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX], netns[NETNS_TEXT_MAX], age[24];
	char pid[16] = "-";

	if (flow->peer_port_be)
		addr_format_port(&flow->peer, flow->peer_port_be, peer);
	else
		snprintf(peer, sizeof(peer), "%s, any port", addr_format(&flow->peer, local));
	if (owner)
		snprintf(pid, sizeof(pid), "%u", owner->pid);
	table_row(table, "%s|%s|%s|%s|%s|%s|%s|%llu",
		  owner ? owner->comm : sockets_no_owner(listing->sockets), pid,
		  cgroup_names_text(&listing->cgroups, owner ? (pid_t)owner->pid : 0), peer,
		  addr_format_port(&flow->local, htons(flow->port), local),
		  netns_names_text(&listing->netns, flow->netns, netns),
		  age_format(listed->age_ns, age), flow->cookie);
}

/* --- mode wire */

static bool is_gateway(const struct sluice_wire_flow *flow)
{
	return flow->scope & SLUICE_WIRE_SCOPE_GATEWAY;
}

/* Returns the index of the address of the last request. */
static int last_of(const struct sluice_wire_flow *flow)
{
	return !!(flow->flags & SLUICE_WIRE_LAST);
}

/* Returns the source of the replies to the last request; NULL if no reply was seen. */
static const struct sluice_addr *source_of(const struct sluice_wire_flow *flow)
{
	const struct sluice_addr *server = &flow->server[last_of(flow)];

	if (flow->flags & SLUICE_WIRE_RIGHT)
		return &flow->requested[last_of(flow)];
	return server->half[0] || server->half[1] ? server : NULL;
}

/* Returns the action of mode wire on the datagrams of a flow. */
static const char *state_name(const struct sluice_wire_flow *flow)
{
	if (flow->flags & SLUICE_WIRE_MIXED)
		return "mixed";
	if (flow->flags & SLUICE_WIRE_RIGHT)
		return "right";
	if (flow->flags & SLUICE_WIRE_REDIRECT)
		return "redirected";
	return source_of(flow) ? "rewritten" : "half_open";
}

static __u32 ifindex_of(const struct sluice_wire_flow *flow)
{
	return flow->scope & ~SLUICE_WIRE_SCOPE_GATEWAY;
}

/* Returns NULL if the interface is no longer attached. */
static const char *iface_name(const struct listing *listing, __u32 ifindex)
{
	const struct wire_iface *iface = wire_iface_numbered(listing->ifaces, listing->iface_count,
							     ifindex);

	return iface ? iface->entry.name : NULL;
}

static json_t *wire_json(struct listing *listing, const struct listed_flow *listed)
{
	const struct sluice_wire_flow *flow = &listed->wire;
	const struct sluice_addr *source = source_of(flow);
	__u32 ifindex = ifindex_of(flow);
	const char *iface = iface_name(listing, ifindex);
	char peer[ADDR_TEXT_MAX], requested[ADDR_TEXT_MAX], other[ADDR_TEXT_MAX];
	char server[ADDR_TEXT_MAX];
	json_t *object;

	object = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s?, s:s?, s:i, s:s, s:i, s:o, s:f}", "mode",
			   "wire", "role", is_gateway(flow) ? "gateway" : "host", "client",
			   addr_format(&flow->peer, peer), "client_port", ntohs(flow->peer_port_be),
			   "requested", addr_format(&flow->requested[last_of(flow)], requested),
			   "requested_too",
			   flow->flags & SLUICE_WIRE_SECOND
				   ? addr_format(&flow->requested[!last_of(flow)], other)
				   : NULL,
			   "server", source ? addr_format(source, server) : NULL, "server_port",
			   ntohs(flow->port_be), "state", state_name(flow), "ifindex", ifindex,
			   "interface", iface ? output_name(iface) : json_null(), "age_s",
			   (double)listed->age_ns / 1e9);
	netns_names_json(&listing->netns, listing->wire_netns, object);
	return object;
}

static const char *iface_text(const struct listing *listing, __u32 ifindex, char text[24])
{
	const char *name = iface_name(listing, ifindex);

	if (name)
		return text_plain_copy(text, 24, name);
	snprintf(text, 24, "#%u (gone)", ifindex);
	return text;
}

static void wire_row(struct listing *listing, struct table *table, const struct listed_flow *listed)
{
	const struct sluice_wire_flow *flow = &listed->wire;
	const struct sluice_addr *source = source_of(flow);
	char peer[ADDR_TEXT_MAX], requested[ADDR_TEXT_MAX], server[ADDR_TEXT_MAX];
	char iface[24], netns[NETNS_TEXT_MAX], age[24];

	table_row(table, "%s|%s|%s|%s|%s|%s|%s|%s", is_gateway(flow) ? "gateway" : "host",
		  addr_format_port(&flow->peer, flow->peer_port_be, peer),
		  addr_format_port(&flow->requested[last_of(flow)], flow->port_be, requested),
		  source ? addr_format(source, server) : "-", state_name(flow),
		  iface_text(listing, ifindex_of(flow), iface),
		  netns_names_text(&listing->netns, listing->wire_netns, netns),
		  age_format(listed->age_ns, age));
}

/* --- both */

static void print_json(const struct output *output, struct listing *listing)
{
	const struct flow_list *socket = &listing->socket, *wire = &listing->wire;
	json_t *document = output_document();
	struct json_list list;
	size_t i;

	json_object_set_new(document, "size",
			    socket->loaded
				    ? json_integer((json_int_t)socket->sets * SLUICE_FLOW_WAYS)
				    : json_null());
	json_object_set_new(document, "wire_size",
			    wire->loaded ? json_integer((json_int_t)wire->sets * SLUICE_FLOW_WAYS)
					 : json_null());
	json_object_set_new(document, "selected", json_integer((json_int_t)socket->count));
	json_object_set_new(document, "wire_selected", json_integer((json_int_t)wire->count));
	json_list_begin(&list, output, document, "flows");
	for (i = 0; i < socket->shown; i++)
		json_list_add(&list, socket_json(listing, &socket->flow[i]));
	json_list_next(&list, "wire_flows");
	for (i = 0; i < wire->shown; i++)
		json_list_add(&list, wire_json(listing, &wire->flow[i]));
	json_list_end(&list);
}

static void print_list(const struct output *output, struct listing *listing,
		       const struct flow_list *list, const char *mode, const char *columns,
		       void (*add_row)(struct listing *listing, struct table *table,
				       const struct listed_flow *listed))
{
	struct table *table = table_new(columns);
	size_t i;

	fprintf(output->file, "reply: mode %s: %zu flow%s, of %u", mode, list->all,
		list->all == 1 ? "" : "s", list->sets * SLUICE_FLOW_WAYS);
	if (list->older)
		fprintf(output->file, "; %zu older than %llus (see them with --all)", list->older,
			list->age_ns / 1000000000ULL);
	if (list->count != list->all)
		fprintf(output->file, "; %zu selected", list->count);
	if (list->shown != list->count)
		fprintf(output->file, "; the latest %zu shown", list->shown);
	fprintf(output->file, "%s\n", list->all || list->older ? "" : "; no requests yet");
	for (i = 0; i < list->shown; i++)
		add_row(listing, table, &list->flow[i]);
	table_print(table, output, 2);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *given = into;
	struct err reason = { 0 };
	struct selection selection = { .options = given, .by_netns = given->netns };
	struct listing listing = { .socket.selection = &selection, .wire.selection = &selection };
	int result = 0;

	links_libbpf_log();
	if (given->netns)
		result = netns_inode(given->netns, &selection.netns, err);
	if (!result)
		result = listing_read(context->bpffs, &listing, err);
	if (result)
		goto out;
	if (listing.socket.count && sockets_read(&listing.sockets, NULL, &reason))
		log_warning("process names are unknown: %s", reason.what);
	list_order(&listing.socket);
	list_order(&listing.wire);
	if (context->output.json) {
		print_json(&context->output, &listing);
		goto out;
	}
	if (listing.socket.loaded)
		print_list(&context->output, &listing, &listing.socket,
			   reply_mode_name(listing.mode),
			   "process|>pid|cgroup|peer|local|netns|>age|>socket", socket_row);
	if (listing.wire.loaded)
		print_list(&context->output, &listing, &listing.wire, "wire",
			   "role|client|requested|reply source|state|interface|netns|>age",
			   wire_row);
out:
	free(listing.socket.flow);
	free(listing.wire.flow);
	free(listing.ifaces);
	netns_names_free(&listing.netns);
	cgroup_names_free(&listing.cgroups);
	sockets_free(listing.sockets);
	return result;
}

const struct command reply_flows_command = {
	.object = "reply",
	.name = "flows",
	.summary = "list the live flows of each loaded mode: clients and the addresses they use",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "A flow of mode socket has the process with its cgroup or container, its peer, and the\n"
		"local address: the destination of the last request and the source of the replies.\n"
		"A flow of mode wire has the client, the requested address, the source of the server's\n"
		"replies, and its state:\n"
		"  half_open   no reply yet: nothing is changed\n"
		"  right       a reply came from the requested address: nothing is changed\n"
		"  mixed       the client uses a group or several addresses: nothing is changed\n"
		"  rewritten   replies come from another address; their source is rewritten\n"
		"  redirected  as rewritten; requests are redirected to the server's connected socket\n"
		"The latest flows come first.\n\n"
		"examples:\n"
		"  sluice reply flows --port 53 --limit 20\n"
		"  sluice reply flows --peer 172.17.0.3 --in-netns web\n",
};
