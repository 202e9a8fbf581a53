// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice reply audit: which servers answer from another address than the one asked. */
#include "addr.h"
#include "command.h"
#include "log.h"
#include "reply.h"
#include "reply_view.h"
#include "sockets.h"

#include <errno.h>

struct listing {
	const struct sockets *sockets;
	json_t *sockets_json;
	struct table *table;
	__u64 right, wrong;
	unsigned int count;
};

static void audit_json(struct listing *listing, __u64 cookie, const struct sluice_audit *audit,
		       const struct sluice_socket_record *owner)
{
	char peer[ADDR_TEXT_MAX], asked[ADDR_TEXT_MAX], used[ADDR_TEXT_MAX];
	json_t *object = json_pack("{s:I, s:I, s:i, s:I, s:I}", "socket_cookie", (json_int_t)cookie,
				   "netns", (json_int_t)audit->netns, "port", audit->port, "right",
				   (json_int_t)audit->right, "wrong", (json_int_t)audit->wrong);

	if (owner) {
		json_object_set_new(object, "process", json_string(owner->comm));
		json_object_set_new(object, "pid", json_integer(owner->pid));
	}
	if (audit->wrong)
		json_object_set_new(object, "example",
				    json_pack("{s:s, s:i, s:s, s:s}", "peer",
					      addr_format(&audit->peer, peer), "peer_port",
					      ntohs(audit->peer_port_be), "asked",
					      addr_format(&audit->asked, asked), "answered_from",
					      addr_format(&audit->used, used)));
	json_array_append_new(listing->sockets_json, object);
}

static void audit_row(struct listing *listing, const struct sluice_audit *audit,
		      const struct sluice_socket_record *owner)
{
	char peer[ADDR_TEXT_MAX], asked[ADDR_TEXT_MAX], used[ADDR_TEXT_MAX], pid[16] = "-";

	if (owner)
		snprintf(pid, sizeof(pid), "%u", owner->pid);
	table_row(listing->table, "%s|%s|%u|%llu|%llu|%s|%s|%s",
		  owner ? owner->comm : sockets_nobody(listing->sockets), pid, audit->port,
		  audit->wrong, audit->right,
		  audit->wrong ? addr_format_port(&audit->peer, audit->peer_port_be, peer) : "-",
		  audit->wrong ? addr_format(&audit->asked, asked) : "-",
		  audit->wrong ? addr_format(&audit->used, used) : "-");
}

static void audit_visit(__u64 cookie, const struct sluice_audit *audit, void *arg)
{
	struct listing *listing = arg;
	const struct sluice_socket_record *owner = sockets_find(listing->sockets, cookie);

	listing->count++;
	listing->right += audit->right;
	listing->wrong += audit->wrong;
	if (listing->sockets_json)
		audit_json(listing, cookie, audit, owner);
	else
		audit_row(listing, audit, owner);
}

static void print(const struct context *context, struct listing *listing)
{
	json_t *document;

	if (listing->sockets_json) {
		document = output_document();
		json_object_set_new(document, "wrong", json_integer((json_int_t)listing->wrong));
		json_object_set_new(document, "right", json_integer((json_int_t)listing->right));
		json_object_set_new(document, "sockets", listing->sockets_json);
		output_json(&context->output, document);
		return;
	}
	table_print(listing->table, &context->output, 0);
	fprintf(context->output.file, "%swrong replies: %llu, right ones: %llu, sockets: %u%s\n",
		output_tone(&context->output, listing->wrong ? OUTPUT_WARNING : OUTPUT_GOOD),
		listing->wrong, listing->right, listing->count, output_plain(&context->output));
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct listing listing = { 0 };
	struct sockets *sockets = NULL;
	struct reply_state state;
	struct err reason;
	int result = reply_read(context->bpffs, &state, err);

	if (result)
		return result;
	if (state.meta.mode != SLUICE_REPLY_AUDIT)
		return err_mend(
			err,
			err_set(err, EXIT_ERROR, EINVAL, "reply is loaded in mode %s",
				reply_mode_name(state.meta.mode)),
			"wrong replies are counted in mode audit only: 'sluice reply load"
			" --mode audit', with the other options as they were (it stops the fixing)");
	hooks_libbpf_log();
	if (sockets_read(&sockets, &reason))
		log_warning("processes are not known: %s", reason.what);
	listing.sockets = sockets;
	if (context->output.json)
		listing.sockets_json = json_array();
	else
		listing.table = table_new(
			"process|>pid|>port|>wrong|>right|example peer|asked|answered from");
	result = reply_audits(context->bpffs, audit_visit, &listing, err);
	if (!result)
		print(context, &listing);
	sockets_free(sockets);
	return result;
}

const struct command reply_audit_command = {
	.object = "reply",
	.name = "audit",
	.summary = "the servers that answer from a wrong address, counted by mode audit",
	.run = run,
	.help = "Load it first with 'sluice reply load --mode audit'; it changes no packet.\n",
};
