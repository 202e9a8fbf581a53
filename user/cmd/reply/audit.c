// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice reply audit: which servers answer from another address than the one asked, and which of
 * them mode wire sees to by now.
 */
#include "base/addr.h"
#include "base/log.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/reply/audit_rows.h"
#include "cmd/reply/view.h"

#include <errno.h>

/* Who holds a socket, or held it: a server that connects to one client may be gone by now. */
struct owner {
	char process[SLUICE_COMM_SIZE];
	__u32 pid;
	bool gone;
};

static bool owner_of(const struct audit_row *row, struct owner *owner)
{
	const struct sluice_audit *audit = &row->audit;

	*owner = (struct owner){ .pid = row->owner ? row->owner->pid : audit->pid,
				 .gone = !row->owner };
	text_plain_copy(owner->process, sizeof(owner->process),
			row->owner ? row->owner->comm : audit->comm);
	return owner->pid;
}

static bool has_answered(const struct audit_row *row)
{
	return row->answers != AUDIT_UNKNOWN;
}

/* --- sums */

struct sums {
	__u64 right, wrong;		    /* unconnected */
	__u64 connect_right, connect_wrong; /* connected */
	__u64 connects;
	unsigned int sockets;	 /* that have answered unconnected */
	unsigned int connecting; /* that have connected to a peer */
	unsigned int answers[AUDIT_VERDICTS];
	unsigned int connected[AUDIT_VERDICTS];
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
		sums.sockets += has_answered(row);
		sums.answers[row->answers] += has_answered(row);
		sums.connecting += row->audit.connects > 0;
		sums.connected[row->connected] += row->audit.connects > 0;
	}
	return sums;
}

/* --- JSON */

static json_t *wrong_json(const struct sluice_audit *audit)
{
	char peer[ADDR_TEXT_MAX], asked[ADDR_TEXT_MAX], used[ADDR_TEXT_MAX];

	return json_pack("{s:s, s:i, s:s, s:s}", "peer", addr_format(&audit->peer, peer),
			 "peer_port", ntohs(audit->peer_port_be), "requested",
			 addr_format(&audit->asked, asked), "reply_source",
			 addr_format(&audit->used, used));
}

static json_t *connect_json(const struct audit_row *row)
{
	const struct sluice_audit *audit = &row->audit;
	char peer[ADDR_TEXT_MAX], asked[ADDR_TEXT_MAX], source[ADDR_TEXT_MAX];

	return json_pack("{s:s, s:i, s:s, s:o}", "peer", addr_format(&audit->connect_peer, peer),
			 "peer_port", ntohs(audit->connect_port_be), "requested",
			 addr_format(&audit->connect_asked, asked), "reply_source",
			 row->source ? json_string(addr_format(row->source, source)) : json_null());
}

static void connected_json(const struct audit_row *row, json_t *object)
{
	const struct sluice_audit *audit = &row->audit;

	json_object_set_new(object, "connect_right",
			    json_integer((json_int_t)audit->connect_right));
	json_object_set_new(object, "connect_wrong",
			    json_integer((json_int_t)audit->connect_wrong));
	json_object_set_new(object, "connect_verdict",
			    json_string(audit_verdict_name(row->connected)));
	json_object_set_new(object, "connect_example", connect_json(row));
}

static json_t *row_json(const struct audit_row *row)
{
	const struct sluice_audit *audit = &row->audit;
	json_t *object = json_pack(
		"{s:I, s:I, s:i, s:I, s:I, s:s, s:I, s:b}", "socket_cookie",
		(json_int_t)row->cookie, "netns", (json_int_t)audit->netns, "port", audit->port,
		"right", (json_int_t)audit->right, "wrong", (json_int_t)audit->wrong, "verdict",
		audit_verdict_name(row->answers), "connects", (json_int_t)audit->connects,
		"needs_wire", row->connected == AUDIT_WRONG);
	struct owner owner;

	if (owner_of(row, &owner)) {
		json_object_set_new(object, "process", json_string(owner.process));
		json_object_set_new(object, "pid", json_integer(owner.pid));
	}
	if (audit->wrong)
		json_object_set_new(object, "example", wrong_json(audit));
	if (audit->connects)
		connected_json(row, object);
	return object;
}

static void print_json(const struct output *output, const struct audit_rows *rows)
{
	const struct sums sums = sums_of(rows);
	json_t *document = output_document(), *sockets = json_array();
	size_t i;

	for (i = 0; i < rows->count; i++)
		json_array_append_new(sockets, row_json(&rows->row[i]));
	json_object_set_new(document, "wrong",
			    json_integer((json_int_t)(sums.wrong + sums.connect_wrong)));
	json_object_set_new(document, "right",
			    json_integer((json_int_t)(sums.right + sums.connect_right)));
	json_object_set_new(document, "connects", json_integer((json_int_t)sums.connects));
	json_object_set_new(document, "sockets", sockets);
	output_json(output, document);
}

/* --- text */

struct tables {
	const struct sockets *sockets;
	struct table *answering, *connecting;
};

static const char *pid_text(const struct owner *owner, char text[32])
{
	snprintf(text, 32, owner->gone ? "%u (gone)" : "%u", owner->pid);
	return text;
}

static void row_text(const struct tables *tables, const struct audit_row *row)
{
	char peer[ADDR_TEXT_MAX] = "-", asked[ADDR_TEXT_MAX] = "-", used[ADDR_TEXT_MAX] = "-";
	const char *name = sockets_no_owner(tables->sockets), *pid = "-";
	const struct sluice_audit *audit = &row->audit;
	struct owner owner;
	char text[32];

	if (owner_of(row, &owner)) {
		name = owner.process;
		pid = pid_text(&owner, text);
	}
	if (audit->wrong) {
		addr_format_port(&audit->peer, audit->peer_port_be, peer);
		addr_format(&audit->asked, asked);
		addr_format(&audit->used, used);
	}
	if (has_answered(row))
		table_row(tables->answering, "%s|%s|%u|%llu|%llu|%s|%s|%s|%s", name, pid,
			  audit->port, audit->wrong, audit->right, peer, asked, used,
			  audit_verdict_name(row->answers));
	if (audit->connects)
		table_row(tables->connecting, "%s|%s|%u|%llu|%llu|%llu|%s|%s|%s|%s", name, pid,
			  audit->port, audit->connects, audit->connect_wrong, audit->connect_right,
			  addr_format_port(&audit->connect_peer, audit->connect_port_be, peer),
			  addr_format(&audit->connect_asked, asked),
			  row->source ? addr_format(row->source, used) : "-",
			  audit_verdict_name(row->connected));
}

/* ": 2 wrong, 1 covered", of the verdicts that there are. */
static void print_verdicts(FILE *file, const unsigned int count[AUDIT_VERDICTS])
{
	static const enum audit_verdict order[] = { AUDIT_WRONG, AUDIT_COVERED, AUDIT_RIGHT,
						    AUDIT_UNKNOWN };
	const char *before = ": ";
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(*order); i++) {
		if (!count[order[i]])
			continue;
		fprintf(file, "%s%u %s", before, count[order[i]], audit_verdict_name(order[i]));
		before = ", ";
	}
}

static void print_connecting(const struct output *output, const struct sums *sums)
{
	FILE *file = output->file;

	fprintf(file, "%s%u socket%s connected to %s clients",
		output_tone(output, sums->connected[AUDIT_WRONG] ? OUTPUT_WARNING : OUTPUT_GOOD),
		sums->connecting, sums->connecting > 1 ? "s" : "",
		sums->connecting > 1 ? "their" : "its");
	print_verdicts(file, sums->connected);
	fprintf(file, "%s\n", output_plain(output));
	if (sums->connected[AUDIT_WRONG])
		fprintf(file,
			"mode wire mends those that are wrong; mode socket does not reach them\n");
}

static void print_text(const struct output *output, const struct audit_rows *rows,
		       const struct sockets *sockets)
{
	const struct sums sums = sums_of(rows);
	struct tables tables = {
		sockets,
		table_new(
			"process|>pid|>port|>wrong|>right|example peer|requested|reply source|verdict"),
		table_new(
			"process|>pid|>port|>connects|>wrong|>right|last to|requested|reply source|verdict"),
	};
	size_t i;

	for (i = 0; i < rows->count; i++)
		row_text(&tables, &rows->row[i]);
	table_print(tables.answering, output, 0);
	fprintf(output->file, "%swrong replies: %llu, right ones: %llu, sockets: %u",
		output_tone(output, sums.answers[AUDIT_WRONG] ? OUTPUT_WARNING : OUTPUT_GOOD),
		sums.wrong, sums.right, sums.sockets);
	print_verdicts(output->file, sums.answers);
	fprintf(output->file, "%s\n", output_plain(output));
	if (sums.answers[AUDIT_WRONG])
		fprintf(output->file, "mode socket mends those that are wrong\n");
	if (!rows->count)
		fprintf(output->file, "no answer was seen yet; 'sluice reply flows' shows who was"
				      " heard\n");
	if (sums.connecting)
		fprintf(output->file, "\n");
	table_print(tables.connecting, output, 0);
	if (sums.connecting)
		print_connecting(output, &sums);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct audit_rows rows;
	struct sockets *sockets = NULL;
	struct reply_state state;
	struct err reason;
	int result = reply_read(context->bpffs, &state, err);

	if (result == -ENOENT)
		return err_hint(err, result,
				"'sluice reply load --mode audit' begins to count, and changes no"
				" packet");
	if (result)
		return result;
	if (state.meta.mode != SLUICE_REPLY_AUDIT)
		return err_hint(
			err,
			err_set(err, EXIT_ERROR, EINVAL, "reply is loaded in mode %s",
				reply_mode_name(state.meta.mode)),
			"wrong replies are counted in mode audit only: 'sluice reply load"
			" --mode audit', with the other options as they were (it stops the fixing)");
	links_libbpf_log();
	if (sockets_read(&sockets, &reason))
		log_warning("processes are not known: %s", reason.what);
	result = audit_rows_read(context->bpffs, sockets, &rows, err);
	if (!result && context->output.json)
		print_json(&context->output, &rows);
	else if (!result)
		print_text(&context->output, &rows, sockets);
	audit_rows_free(&rows);
	sockets_free(sockets);
	return result;
}

const struct command reply_audit_command = {
	.object = "reply",
	.name = "audit",
	.summary = "the servers that answer from a wrong address, as mode audit has seen them",
	.run = run,
	.help = "Load it first with 'sluice reply load --mode audit'; it changes no packet.\n"
		"\n"
		"The first table has the servers that answer from an unconnected socket, as most do;\n"
		"mode socket mends those.  The second one has servers that connect to a client which\n"
		"they have heard (nc -ul, iperf3): their socket has one source from then on, and\n"
		"where that is not the address asked, only mode wire mends it.\n"
		"\n"
		"verdict:\n"
		"  wrong    answers left from another address than the one asked; or the socket has\n"
		"           another one since it connected, and its client does not reach it\n"
		"  right    none of that\n"
		"  covered  was wrong, or would be, but mode wire is where the client is now\n"
		"  unknown  sent nothing since it connected, and is gone\n",
};
