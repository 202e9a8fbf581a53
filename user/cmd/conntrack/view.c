// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/conntrack/view.h"

#include "base/addr.h"
#include "base/text.h"
#include "conntrack/audit.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <stdio.h>

/* --- text */

const char *conntrack_state_name(const struct ct_entry *entry)
{
	if (entry->status & (IPS_OFFLOAD | IPS_HW_OFFLOAD))
		return "OFFLOAD";
	if (!(entry->status & IPS_SEEN_REPLY))
		return "UNREPLIED";
	return entry->status & IPS_ASSURED ? "ASSURED" : "SEEN_REPLY";
}

/* A local end of an entry: the tuple of the datagrams it sends, and its socket. */
struct end {
	const char *role;
	const struct ct_tuple *tuple;
	const struct inet_socket *socket; /* NULL: none */
};

/* Fills in the local ends (at most two). Returns their number. */
static int local_ends(const struct ct_entry *entry, const struct inet *inet, struct end end[2])
{
	const struct end ends[] = { { "originator", &entry->original, NULL },
				    { "responder", &entry->reply, NULL } };
	int i, count = 0;

	for (i = 0; i < 2; i++) {
		if (!inet_is_local(inet, &ends[i].tuple->src))
			continue;
		end[count] = ends[i];
		end[count++].socket = audit_sender(ends[i].tuple, inet);
	}
	return count;
}

static const char *process_name(const struct inet_socket *socket, char name[INET_PROCESS_SIZE])
{
	return text_plain_copy(name, INET_PROCESS_SIZE, socket->process);
}

static void process_text(const struct ct_entry *entry, const struct inet *inet,
			 struct cgroup_names *cgroups, char *text, size_t size)
{
	char name[INET_PROCESS_SIZE];
	struct end end[2];
	int i, count = local_ends(entry, inet, end);
	size_t used = 0;

	snprintf(text, size, "-");
	for (i = 0; i < count && used < size; i++)
		if (end[i].socket && end[i].socket->pid)
			used += (size_t)snprintf(
				text + used, size - used, "%s%s %d %s", used ? ", " : "",
				process_name(end[i].socket, name), end[i].socket->pid,
				cgroup_names_text(cgroups, end[i].socket->pid));
}

void conntrack_row(struct table *rows, const struct ct_entry *entry, const struct inet *inet,
		   struct cgroup_names *cgroups)
{
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX], process[256];
	char nat[2 * ADDR_TEXT_MAX + 16] = "-", zone[16] = "-";
	bool dnat = conntrack_is_dnat(entry), snat = conntrack_is_snat(entry);
	const struct ct_tuple *original = &entry->original;

	addr_format_port(&entry->reply.src, entry->reply.src_port_be, src);
	addr_format_port(&entry->reply.dst, entry->reply.dst_port_be, dst);
	if (dnat || snat)
		snprintf(nat, sizeof(nat), "%s%s%s%s%s", dnat ? "to " : "", dnat ? src : "",
			 dnat && snat ? ", " : "", snat ? "from " : "", snat ? dst : "");
	if (entry->original_zone != entry->reply_zone)
		snprintf(zone, sizeof(zone), "%u/%u", entry->original_zone, entry->reply_zone);
	else if (entry->original_zone)
		snprintf(zone, sizeof(zone), "%u", entry->original_zone);
	process_text(entry, inet, cgroups, process, sizeof(process));
	table_row(rows, "%s|%us|%s|%s|%s|%s|%#x|%s", conntrack_state_name(entry), entry->timeout_s,
		  addr_format_port(&original->src, original->src_port_be, src),
		  addr_format_port(&original->dst, original->dst_port_be, dst), nat, zone,
		  entry->mark, process);
}

/* --- JSON */

json_t *conntrack_tuple_json(const struct ct_tuple *tuple)
{
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];

	return json_pack("{s:s, s:i, s:s, s:i}", "source", addr_format(&tuple->src, src),
			 "source_port", ntohs(tuple->src_port_be), "destination",
			 addr_format(&tuple->dst, dst), "destination_port",
			 ntohs(tuple->dst_port_be));
}

static json_t *counters_json(const struct ct_counters *counters)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)counters->packets, "bytes",
			 (json_int_t)counters->bytes);
}

static json_t *local_json(const struct ct_entry *entry, const struct inet *inet,
			  struct cgroup_names *cgroups)
{
	char addr[ADDR_TEXT_MAX], name[INET_PROCESS_SIZE];
	json_t *array = json_array(), *process;
	struct end end[2];
	int i, count = local_ends(entry, inet, end);

	for (i = 0; i < count; i++) {
		const struct inet_socket *socket = end[i].socket;

		process = json_null();
		if (socket && socket->pid) {
			process = json_pack("{s:i, s:s}", "pid", (int)socket->pid, "name",
					    process_name(socket, name));
			cgroup_names_json(cgroups, socket->pid, process);
		}
		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:i, s:b, s:o}", "end", end[i].role,
						"address", addr_format(&end[i].tuple->src, addr),
						"port", ntohs(end[i].tuple->src_port_be), "socket",
						socket != NULL, "process", process));
	}
	return array;
}

json_t *conntrack_entry_json(const struct ct_entry *entry, const struct inet *inet,
			     struct cgroup_names *cgroups)
{
	json_t *object = json_pack(
		"{s:s, s:I, s:i, s:I, s:o, s:o, s:b, s:b, s:{s:i, s:i}, s:o}", "state",
		conntrack_state_name(entry), "id", (json_int_t)entry->id, "timeout_s",
		(int)entry->timeout_s, "mark", (json_int_t)entry->mark, "original",
		conntrack_tuple_json(&entry->original), "reply",
		conntrack_tuple_json(&entry->reply), "dnat", conntrack_is_dnat(entry), "snat",
		conntrack_is_snat(entry), "zone", "original", entry->original_zone, "reply",
		entry->reply_zone, "local", local_json(entry, inet, cgroups));

	if (entry->counted)
		json_object_set_new(object, "counters",
				    json_pack("{s:o, s:o}", "original",
					      counters_json(&entry->original_count), "reply",
					      counters_json(&entry->reply_count)));
	return object;
}
