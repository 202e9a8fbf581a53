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
	struct table *table, *connecting;
	__u64 right, wrong, connects;
	unsigned int count, connecting_count;
};

/* Who holds a socket, or held it: a server that connects to one client may be gone by now. */
struct owner {
	const char *process;
	__u32 pid;
	bool gone;
};

static bool owner_of(const struct listing *listing, __u64 cookie, const struct sluice_audit *audit,
		     struct owner *owner)
{
	const struct sluice_socket_record *record = sockets_find(listing->sockets, cookie);

	if (record)
		*owner = (struct owner){ record->comm, record->pid, false };
	else
		*owner = (struct owner){ audit->comm, audit->pid, true };
	return owner->pid;
}

static json_t *wrong_json(const struct sluice_audit *audit)
{
	char peer[ADDR_TEXT_MAX], asked[ADDR_TEXT_MAX], used[ADDR_TEXT_MAX];

	return json_pack("{s:s, s:i, s:s, s:s}", "peer", addr_format(&audit->peer, peer),
			 "peer_port", ntohs(audit->peer_port_be), "asked",
			 addr_format(&audit->asked, asked), "answered_from",
			 addr_format(&audit->used, used));
}

static json_t *connect_json(const struct sluice_audit *audit)
{
	char peer[ADDR_TEXT_MAX];

	return json_pack("{s:s, s:i}", "peer", addr_format(&audit->connect_peer, peer), "peer_port",
			 ntohs(audit->connect_port_be));
}

static void audit_json(struct listing *listing, __u64 cookie, const struct sluice_audit *audit)
{
	json_t *object = json_pack("{s:I, s:I, s:i, s:I, s:I, s:I, s:b}", "socket_cookie",
				   (json_int_t)cookie, "netns", (json_int_t)audit->netns, "port",
				   audit->port, "right", (json_int_t)audit->right, "wrong",
				   (json_int_t)audit->wrong, "connects",
				   (json_int_t)audit->connects, "needs_wire", audit->connects > 0);
	struct owner owner;

	if (owner_of(listing, cookie, audit, &owner)) {
		json_object_set_new(object, "process", json_string(owner.process));
		json_object_set_new(object, "pid", json_integer(owner.pid));
	}
	if (audit->wrong)
		json_object_set_new(object, "example", wrong_json(audit));
	if (audit->connects)
		json_object_set_new(object, "connect_example", connect_json(audit));
	json_array_append_new(listing->sockets_json, object);
}

static const char *pid_text(const struct owner *owner, char text[32])
{
	snprintf(text, 32, owner->gone ? "%u (gone)" : "%u", owner->pid);
	return text;
}

static void audit_row(struct listing *listing, __u64 cookie, const struct sluice_audit *audit)
{
	char peer[ADDR_TEXT_MAX], asked[ADDR_TEXT_MAX], used[ADDR_TEXT_MAX], text[32];
	const char *name = sockets_nobody(listing->sockets), *pid = "-";
	struct owner owner;

	if (owner_of(listing, cookie, audit, &owner)) {
		name = owner.process;
		pid = pid_text(&owner, text);
	}
	if (audit->connects)
		table_row(listing->connecting, "%s|%s|%u|%llu|%s", name, pid, audit->port,
			  audit->connects,
			  addr_format_port(&audit->connect_peer, audit->connect_port_be, peer));
	if (!audit->wrong && !audit->right)
		return;
	table_row(listing->table, "%s|%s|%u|%llu|%llu|%s|%s|%s", name, pid, audit->port,
		  audit->wrong, audit->right,
		  audit->wrong ? addr_format_port(&audit->peer, audit->peer_port_be, peer) : "-",
		  audit->wrong ? addr_format(&audit->asked, asked) : "-",
		  audit->wrong ? addr_format(&audit->used, used) : "-");
}

static void audit_visit(__u64 cookie, const struct sluice_audit *audit, void *arg)
{
	struct listing *listing = arg;

	listing->count += audit->wrong || audit->right;
	listing->right += audit->right;
	listing->wrong += audit->wrong;
	listing->connects += audit->connects;
	listing->connecting_count += audit->connects > 0;
	if (listing->sockets_json)
		audit_json(listing, cookie, audit);
	else
		audit_row(listing, cookie, audit);
}

static void print_connecting(const struct context *context, struct listing *listing)
{
	unsigned int count = listing->connecting_count;

	if (count)
		fprintf(context->output.file, "\n");
	table_print(listing->connecting, &context->output, 0);
	if (count)
		fprintf(context->output.file,
			"%s%u socket%s connected to %s clients: mode socket does not reach them,"
			" mode wire does%s\n",
			output_tone(&context->output, OUTPUT_WARNING), count, count > 1 ? "s" : "",
			count > 1 ? "their" : "its", output_plain(&context->output));
}

static void print(const struct context *context, struct listing *listing)
{
	json_t *document;

	if (listing->sockets_json) {
		document = output_document();
		json_object_set_new(document, "wrong", json_integer((json_int_t)listing->wrong));
		json_object_set_new(document, "right", json_integer((json_int_t)listing->right));
		json_object_set_new(document, "connects",
				    json_integer((json_int_t)listing->connects));
		json_object_set_new(document, "sockets", listing->sockets_json);
		output_json(&context->output, document);
		return;
	}
	table_print(listing->table, &context->output, 0);
	fprintf(context->output.file, "%swrong replies: %llu, right ones: %llu, sockets: %u%s\n",
		output_tone(&context->output, listing->wrong ? OUTPUT_WARNING : OUTPUT_GOOD),
		listing->wrong, listing->right, listing->count, output_plain(&context->output));
	print_connecting(context, listing);
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
	else {
		listing.table = table_new(
			"process|>pid|>port|>wrong|>right|example peer|asked|answered from");
		listing.connecting = table_new("process|>pid|>port|>connects|last to");
	}
	result = reply_audits(context->bpffs, audit_visit, &listing, err);
	if (!result)
		print(context, &listing);
	sockets_free(sockets);
	return result;
}

const struct command reply_audit_command = {
	.object = "reply",
	.name = "audit",
	.summary =
		"the servers that answer from a wrong address or connect to clients (mode audit)",
	.run = run,
	.help = "Load it first with 'sluice reply load --mode audit'; it changes no packet.\n"
		"Servers that connect to a client that they have heard (nc -ul, iperf3) are listed,\n"
		"too: their sockets have a source then, and only mode wire can mend their replies.\n",
};
