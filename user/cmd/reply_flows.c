// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice reply flows: which peer speaks to which local address. */
#include "addr.h"
#include "command.h"
#include "log.h"
#include "reply.h"
#include "reply_view.h"
#include "sockets.h"

#include <string.h>

struct options {
	bool all;
};

static int set_all(void *into, const char *value, struct err *err)
{
	((struct options *)into)->all = true;
	return 0;
}

static const struct opt opts[] = {
	{ "all", 'a', NULL, "flows past their age, too", set_all },
	{ NULL, 0, NULL, NULL, NULL },
};

static struct options options;

struct listing {
	const struct context *context;
	const struct sockets *sockets;
	__u64 age_limit_ns; /* older flows are not shown */
	json_t *flows;
	struct table *table;
};

static void flow_json(struct listing *listing, const struct sluice_flow *flow, __u64 age_ns,
		      const struct sluice_socket_record *owner)
{
	char peer[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX];
	json_t *object = json_pack("{s:I, s:I, s:s, s:i, s:s, s:i, s:f, s:b}", "socket_cookie",
				   (json_int_t)flow->cookie, "netns", (json_int_t)flow->netns,
				   "peer", addr_format(&flow->peer, peer), "peer_port",
				   ntohs(flow->peer_port_be), "local",
				   addr_format(&flow->local, local), "ifindex", flow->ifindex,
				   "age_s", (double)age_ns / 1e9, "ambiguous_scope",
				   flow->flags & SLUICE_FLOW_SCOPE_AMBIGUOUS ? 1 : 0);

	if (owner) {
		json_object_set_new(object, "process", json_string(owner->comm));
		json_object_set_new(object, "pid", json_integer(owner->pid));
		json_object_set_new(object, "port", json_integer(owner->port));
	}
	json_array_append_new(listing->flows, object);
}

static void flow_visit(const struct sluice_flow *flow, __u64 age_ns, void *arg)
{
	struct listing *listing = arg;
	const struct sluice_socket_record *owner = sockets_find(listing->sockets, flow->cookie);
	char peer[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX], age[24], port[8] = "?", pid[16] = "-";

	if (age_ns > listing->age_limit_ns)
		return;
	if (listing->flows) {
		flow_json(listing, flow, age_ns, owner);
		return;
	}
	if (owner) {
		snprintf(port, sizeof(port), "%u", owner->port);
		snprintf(pid, sizeof(pid), "%u", owner->pid);
	}
	table_row(listing->table, "%s|%s|%s|%s:%s|%s|%llu",
		  owner ? owner->comm : sockets_nobody(listing->sockets), pid,
		  addr_format_port(&flow->peer, flow->peer_port_be, peer),
		  addr_format(&flow->local, local), port, age_format(age_ns, age), flow->cookie);
}

static int list(struct listing *listing, struct reply_fill *fill, struct err *err)
{
	const struct context *context = listing->context;
	int result;

	if (context->output.json)
		listing->flows = json_array();
	else
		listing->table = table_new("process|>pid|peer|local|>age|>socket");
	result = reply_flows(context->bpffs, fill, flow_visit, listing, err);
	if (context->output.json && !result) {
		json_t *document = output_document();

		json_object_set_new(document, "size", json_integer(fill->size));
		json_object_set_new(document, "flows", listing->flows);
		output_json(&context->output, document);
	} else if (result) {
		json_decref(listing->flows);
	}
	table_print(listing->table, &context->output, 0);
	if (!result && !context->output.json && !fill->live && !fill->expired)
		fprintf(context->output.file, "no flows: nothing heard at a managed socket yet\n");
	return result;
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct listing listing = { .context = context };
	struct sockets *sockets = NULL;
	struct reply_state state;
	struct reply_fill fill = { 0 };
	struct err reason;
	int result = reply_read(context->bpffs, &state, err);

	if (result)
		return result;
	hooks_libbpf_log();
	if (sockets_read(&sockets, &reason))
		log_warning("processes are not known: %s", reason.what);
	listing.sockets = sockets;
	listing.age_limit_ns = ((struct options *)into)->all ? ~0ULL : state.meta.age_ns;
	result = list(&listing, &fill, err);
	sockets_free(sockets);
	return result;
}

const struct command reply_flows_command = {
	.object = "reply",
	.name = "flows",
	.summary = "live flows: process, peer, the local address it speaks to, age",
	.opts = opts,
	.options = &options,
	.run = run,
};
