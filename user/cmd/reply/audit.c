// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice reply audit: lists the servers that reply from an address other than the requested one,
 * and the mode that fixes each server. Mode socket records only the servers that it cannot fix:
 * servers that connect to their clients.
 */
#include "base/addr.h"
#include "base/log.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/reply/audit_verdict.h"
#include "cmd/reply/view.h"
#include "host/cleanup.h"
#include "net/netns_names.h"
#include "process/cgroup_names.h"

#include <errno.h>

static struct options {
	bool exit_code;
} options;

static const struct opt opts[] = {
	{ "exit-code", 0, NULL, opt_switch, offsetof(struct options, exit_code),
	  "exit with status 6 if a socket has the verdict wrong" },
	{ .name = NULL },
};

/* The process that owns a socket. It may have exited if the socket serves a single client. */
struct owner {
	char process[SLUICE_COMM_SIZE];
	__u32 pid;
	bool gone;
};

/* Returns false if the process is unknown. */
static bool owner_of(const struct audit_row *row, struct owner *owner)
{
	const struct sluice_audit *audit = &row->audit;

	*owner = (struct owner){ .pid = row->owner ? row->owner->pid : audit->pid,
				 .gone = !row->owner };
	text_plain_copy(owner->process, sizeof(owner->process),
			row->owner ? row->owner->comm : audit->comm);
	return owner->pid;
}

static bool has_replied(const struct audit_row *row)
{
	return row->replies != AUDIT_UNKNOWN;
}

/* --- sums */

struct sums {
	__u64 right, wrong;		    /* unconnected */
	__u64 connect_right, connect_wrong; /* connected */
	__u64 connects;
	unsigned int sockets;	 /* sockets that replied while unconnected */
	unsigned int connecting; /* sockets that connected to a peer */
	unsigned int replies[AUDIT_VERDICTS];
	unsigned int connected[AUDIT_VERDICTS];
	unsigned int fixes[AUDIT_FIXES];
	unsigned long long other_port;
};

static struct sums sums_of(const struct audit_rows *rows)
{
	struct sums sums = { 0 };
	size_t i;

	for (i = 0; i < rows->count; i++) {
		const struct audit_row *row = &rows->row[i];

		sums.right += row->audit.right;
		sums.wrong += row->audit.wrong;
		sums.connect_right += row->audit.connect_right;
		sums.connect_wrong += row->audit.connect_wrong;
		sums.connects += row->audit.connects;
		sums.sockets += has_replied(row);
		sums.replies[row->replies] += has_replied(row);
		sums.connecting += row->audit.connects > 0;
		sums.connected[row->connected] += row->audit.connects > 0;
		sums.fixes[row->fix]++;
		sums.other_port += row->audit.other_port;
	}
	return sums;
}

/* --- JSON */

static json_t *example_json(const struct sluice_addr *peer, __be16 peer_port_be,
			    const struct sluice_addr *requested, const struct sluice_addr *source)
{
	char peer_text[ADDR_TEXT_MAX], requested_text[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX];

	return json_pack("{s:s, s:i, s:s, s:s?}", "peer", addr_format(peer, peer_text), "peer_port",
			 ntohs(peer_port_be), "requested", addr_format(requested, requested_text),
			 "reply_source", source ? addr_format(source, text) : NULL);
}

static json_t *row_json(const struct audit_row *row, struct cgroup_names *cgroups)
{
	const struct sluice_audit *audit = &row->audit;
	struct owner owner;
	bool known = owner_of(row, &owner);
	json_t *object = json_pack(
		"{s:I, s:i, s:I, s:I, s:s, s:I, s:I, s:b, s:s?, s:I, s:s*, s:o*, s:o*, s:o*}",
		"socket_cookie", (json_int_t)row->cookie, "port", audit->port, "right",
		(json_int_t)audit->right, "wrong", (json_int_t)audit->wrong, "verdict",
		audit_verdict_name(row->replies), "connects", (json_int_t)audit->connects,
		"siblings", (json_int_t)audit->siblings, "needs_wire", row->fix == AUDIT_FIX_WIRE,
		"fixed_by", audit_fix_name(row->fix), "other_port", (json_int_t)audit->other_port,
		"process", known ? owner.process : NULL, "pid",
		known ? json_integer(owner.pid) : NULL, "example",
		audit->wrong ? example_json(&audit->peer, audit->peer_port_be, &audit->asked,
					    &audit->used)
			     : NULL,
		"other_port_example",
		audit->other_port ? example_json(&audit->other_peer, audit->other_port_be,
						 &audit->other_asked, &audit->other_used)
				  : NULL);

	netns_names_json(NULL, audit->netns, object);
	/* the process of a closed socket has exited, and its PID may have been reused */
	cgroup_names_json(cgroups, row->owner ? (pid_t)owner.pid : 0, object);
	if (audit->connects)
		json_object_update_new(
			object, json_pack("{s:I, s:I, s:s, s:o}", "connect_right",
					  (json_int_t)audit->connect_right, "connect_wrong",
					  (json_int_t)audit->connect_wrong, "connect_verdict",
					  audit_verdict_name(row->connected), "connect_example",
					  example_json(&audit->connect_peer, audit->connect_port_be,
						       &audit->connect_asked, row->source)));
	return object;
}

static void print_json(const struct output *output, const struct audit_rows *rows, __u32 mode)
{
	const struct sums sums = sums_of(rows);
	json_t *document = output_document(), *sockets = json_array();
	struct cgroup_names cgroups = { 0 };
	size_t i;

	for (i = 0; i < rows->count; i++)
		json_array_append_new(sockets, row_json(&rows->row[i], &cgroups));
	cgroup_names_free(&cgroups);
	json_object_update_new(
		document, json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "mode", reply_mode_name(mode),
				    "wrong", (json_int_t)(sums.wrong + sums.connect_wrong), "right",
				    (json_int_t)(sums.right + sums.connect_right), "connects",
				    (json_int_t)sums.connects, "other_port",
				    (json_int_t)sums.other_port, "sockets", sockets));
	output_json(output, document);
}

/* --- text */

static const char *fix_text(const struct audit_row *row)
{
	const char *name = audit_fix_name(row->fix);

	return name ? name : "-";
}

struct tables {
	struct table *unconnected, *connected, *other_port;
};

/* Adds a row to each table for which the socket has results. */
static void row_text(const struct audit_row *row, const struct sockets *sockets,
		     struct cgroup_names *cgroups, const struct tables *tables)
{
	char peer[ADDR_TEXT_MAX] = "-", requested[ADDR_TEXT_MAX] = "-", source[ADDR_TEXT_MAX] = "-";
	const char *name = sockets_no_owner(sockets);
	const struct sluice_audit *audit = &row->audit;
	const char *cgroup = "-";
	struct owner owner;
	char pid[32] = "-";

	if (owner_of(row, &owner)) {
		if (!owner.gone)
			cgroup = cgroup_names_text(cgroups, (pid_t)owner.pid);
		name = owner.process;
		snprintf(pid, sizeof(pid), owner.gone ? "%u (gone)" : "%u", owner.pid);
	}
	if (audit->wrong) {
		addr_format_port(&audit->peer, audit->peer_port_be, peer);
		addr_format(&audit->asked, requested);
		addr_format(&audit->used, source);
	}
	if (has_replied(row))
		table_row(tables->unconnected, "%s|%s|%s|%u|%llu|%llu|%s|%s|%s|%s|%s", name, pid,
			  cgroup, audit->port, audit->wrong, audit->right, peer, requested, source,
			  audit_verdict_name(row->replies), fix_text(row));
	if (audit->other_port)
		table_row(tables->other_port, "%s|%s|%s|%u|%llu|%s|%s|%s", name, pid, cgroup,
			  audit->port, audit->other_port,
			  addr_format_port(&audit->other_peer, audit->other_port_be, peer),
			  addr_format(&audit->other_asked, requested),
			  addr_format(&audit->other_used, source));
	if (audit->connects)
		table_row(tables->connected, "%s|%s|%s|%u|%llu|%s|%llu|%llu|%s|%s|%s|%s|%s", name,
			  pid, cgroup, audit->port, audit->connects,
			  audit->siblings ? "per client" : "same", audit->connect_wrong,
			  audit->connect_right,
			  addr_format_port(&audit->connect_peer, audit->connect_port_be, peer),
			  addr_format(&audit->connect_asked, requested),
			  row->source ? addr_format(row->source, source) : "-",
			  audit_verdict_name(row->connected), fix_text(row));
}

/* Ends a line with the count of each verdict that occurs, such as ": 2 wrong, 1 covered". */
static void print_verdicts(const struct output *output, const unsigned int count[AUDIT_VERDICTS])
{
	static const enum audit_verdict order[] = { AUDIT_WRONG, AUDIT_COVERED, AUDIT_RIGHT,
						    AUDIT_UNKNOWN };
	const char *before = ": ";
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(*order); i++) {
		if (!count[order[i]])
			continue;
		fprintf(output->file, "%s%u %s", before, count[order[i]],
			audit_verdict_name(order[i]));
		before = ", ";
	}
	fprintf(output->file, "%s\n", output_plain(output));
}

static void print_connected(const struct output *output, const struct sums *sums,
			    struct table *connected)
{
	table_print(connected, output, 0);
	fprintf(output->file, "%s%u socket%s connected to %s clients",
		output_tone(output, sums->connected[AUDIT_WRONG] ? OUTPUT_WARNING : OUTPUT_GOOD),
		sums->connecting, sums->connecting > 1 ? "s" : "",
		sums->connecting > 1 ? "their" : "its");
	print_verdicts(output, sums->connected);
	if (sums->fixes[AUDIT_FIX_WIRE])
		fprintf(output->file, "mode wire fixes %u of the wrong ones; mode socket cannot\n",
			sums->fixes[AUDIT_FIX_WIRE]);
	if (sums->fixes[AUDIT_FIX_NONE])
		fprintf(output->file,
			"no mode fixes %u that open a socket for each client: mode wire sets the"
			" source of its\nreplies, but the client's further requests do not reach"
			" it\n",
			sums->fixes[AUDIT_FIX_NONE]);
}

static void print_text(const struct output *output, const struct audit_rows *rows,
		       const struct sockets *sockets, __u32 mode)
{
	const struct sums sums = sums_of(rows);
	struct tables tables = {
		table_new(
			"process|>pid|cgroup|>port|>wrong|>right|example peer|requested|reply source"
			"|verdict|fixed by"),
		table_new(
			"process|>pid|cgroup|>port|>connects|socket|>wrong|>right|last to|requested"
			"|reply source|verdict|fixed by"),
		table_new("process|>pid|cgroup|>port|>datagrams|last to|requested|source"),
	};
	struct cgroup_names cgroups = { 0 };
	size_t i;

	for (i = 0; i < rows->count; i++)
		row_text(&rows->row[i], sockets, &cgroups, &tables);
	cgroup_names_free(&cgroups);
	table_print(tables.unconnected, output, 0);
	if (mode == SLUICE_REPLY_AUDIT) {
		fprintf(output->file, "%swrong replies: %llu, right replies: %llu, sockets: %u",
			output_tone(output,
				    sums.replies[AUDIT_WRONG] ? OUTPUT_WARNING : OUTPUT_GOOD),
			sums.wrong, sums.right, sums.sockets);
		print_verdicts(output, sums.replies);
	} else if (!sums.connecting) {
		fprintf(output->file, "no server seen that mode socket cannot fix\n");
	}
	if (sums.fixes[AUDIT_FIX_SOCKET])
		fprintf(output->file,
			"mode socket fixes %u of the wrong ones; run 'sluice reply audit' again with"
			" it, for servers\nthat connect after their first reply\n",
			sums.fixes[AUDIT_FIX_SOCKET]);
	if (!rows->count && mode == SLUICE_REPLY_AUDIT)
		fprintf(output->file,
			"no reply seen yet; 'sluice reply flows' lists the clients\n");
	if (sums.other_port)
		fprintf(output->file, "\n");
	table_print(tables.other_port, output, 0);
	if (sums.other_port)
		fprintf(output->file,
			"%llu datagrams went to a port that the peer had not sent from: if they are"
			" replies, mode socket\nfixes them with --any-peer-port\n",
			sums.other_port);
	if (sums.connecting)
		fprintf(output->file, "\n");
	if (sums.connecting)
		print_connected(output, &sums, tables.connected);
	else
		table_print(tables.connected, output, 0);
}

/* Sets *err for --exit-code if a server replies from a wrong address. */
static int conclude(const struct audit_rows *rows, struct err *err)
{
	const struct sums sums = sums_of(rows);
	unsigned int unconnected = sums.replies[AUDIT_WRONG];
	unsigned int connected = sums.connected[AUDIT_WRONG];

	if (!unconnected && !connected)
		return 0;
	err_set(err, EXIT_FOUND, EUCLEAN,
		"reply audit: %u unconnected and %u connected sockets reply from a wrong address",
		unconnected, connected);
	return err_hint(err, -EUCLEAN,
			"mode socket fixes unconnected sockets, mode wire connected ones");
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *given = into;
	struct audit_rows rows;
	struct sockets *sockets = NULL;
	struct reply_state state;
	struct err reason;
	int result = reply_read(context->bpffs, &state, err);

	if (result == -ENOENT)
		err_hint(err, result,
			 "'sluice reply load --mode audit' starts the count; it changes no packet");
	if (result)
		return cleanup_hint_not_loaded(context->bpffs, "reply", result, err);
	links_libbpf_log();
	if (sockets_read(&sockets, NULL, &reason))
		log_warning("process names are unknown: %s", reason.what);
	result = audit_rows_read(context->bpffs, sockets, &rows, err);
	if (!result && context->output.json)
		print_json(&context->output, &rows, state.meta.mode);
	else if (!result)
		print_text(&context->output, &rows, sockets, state.meta.mode);
	if (!result && given->exit_code)
		result = conclude(&rows, err);
	audit_rows_free(&rows);
	sockets_free(sockets);
	return result;
}

const struct command reply_audit_command = {
	.object = "reply",
	.name = "audit",
	.summary = "list the servers that reply from a wrong address, and the mode that fixes them",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "Needs 'sluice reply load --mode audit', which changes no packet.  With mode socket\n"
		"loaded, only the servers that it does not fix are listed.\n"
		"\n"
		"The first table lists servers that reply from an unconnected socket, as most do;\n"
		"mode socket fixes these.  The last table lists servers that connect to a client\n"
		"after its first request: either the socket that received it (nc -ul, iperf3), or a\n"
		"new socket for each client.  A connected socket keeps one source address.  If that\n"
		"is not the requested address, mode wire fixes the first kind of server.  No mode\n"
		"fixes the second kind: the client's further requests do not reach the new socket.\n"
		"The second table lists datagrams to a port that the peer had not sent from.  These\n"
		"may be replies (SIP, DHCP through a relay), which --any-peer-port fixes.\n"
		"\n"
		"verdict:\n"
		"  wrong    replies left from an address other than the requested one, or the socket\n"
		"           has connected from another address, and its client cannot reach it\n"
		"  right    neither a reply nor the source address of the socket was wrong\n"
		"  covered  would be wrong, but mode wire now covers the client\n"
		"  unknown  the socket sent nothing after it connected, and is closed\n"
		"\n"
		"fixed by: socket, wire, or none\n",
};
