// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/report/view.h"

#include "base/addr.h"
#include "cli/output.h"
#include "meet/peer/relay.h"
#include "meet/quic/quic.h"
#include "net/sockaddr.h"

#include <string.h>
#include <unistd.h>

#define SECOND_NS 1000000000.0
#define MS_NS	  1000000.0

static json_t *address_json(const struct stun_endpoint *at)
{
	char text[ADDR_TEXT_MAX];

	if (!at->port_be)
		return json_null();
	return json_string(addr_format_port(&at->addr, at->port_be, text));
}

/* Returns a JSON number of milliseconds, or null for 0. */
static json_t *ms_json(uint64_t ns)
{
	return ns ? json_real((double)ns / MS_NS) : json_null();
}

static json_t *since_json(uint64_t at_ns)
{
	return at_ns ? json_real((double)(runtime_now_ns() - at_ns) / SECOND_NS) : json_null();
}

/* --- transport of a path */

/* Returns the TCP connection to a server, or NULL if it is reached by UDP. */
static const struct tcp_stream *connection_to(const struct runtime *runtime, unsigned int server)
{
	const struct tcp_stream *stream = runtime->stream[server];

	return stream && stream->connected ? stream : NULL;
}

static const struct tcp_stream *stream_of(const struct link *link,
					  const struct peer_session_remote *remote)
{
	return relay_is_endpoint(&remote->at)
		       ? connection_to(link->runtime, relay_server(&remote->at))
		       : NULL;
}

static const char *transport_of(const struct link *link, const struct peer_session_remote *remote)
{
	return remote->at.tcp || stream_of(link, remote) ? "tcp" : "udp";
}

const char *view_transport(const struct link *link)
{
	const struct peer_session_remote *path = peer_session_path(link->session);

	return path ? transport_of(link, path) : NULL;
}

const struct stun_endpoint *view_remote(const struct link *link,
					const struct peer_session_remote *remote)
{
	if (!relay_is_endpoint(&remote->at))
		return &remote->at;
	return peer_client_server_at(link->runtime->client, relay_server(&remote->at));
}

struct stun_endpoint view_local(const struct link *link)
{
	const struct peer_session_remote *path = peer_session_path(link->session);
	struct stun_endpoint local = { .port_be = 0 };
	const struct tcp_stream *stream = path ? stream_of(link, path) : NULL;
	union any_sockaddr addr;
	socklen_t size = sizeof(addr);

	if (stream && !getsockname(stream->fd, &addr.sa, &size)) {
		endpoint_from_sockaddr(&local, &addr);
	} else if (path && !stream) {
		local.addr = node_source_toward(view_remote(link, path));
		local.port_be = path->at.tcp ? tcp_paths_port(link->runtime->tcp)
					     : peer_socket_port(&link->runtime->socket);
	}
	return local;
}

bool view_is_known(const struct node *node, const struct link *link)
{
	const struct peer *peer = peers_find(&node->known, link->name, strlen(link->name));

	return peer && !memcmp(peer->public_key, peer_session_introduction(link->session)->peer_key,
			       KEY_SIZE);
}

/* --- the NATs: RFC 4787, section 4.1, as far as the addresses show it */

#define NAT_NONE	"none"
#define NAT_INDEPENDENT "endpoint-independent"
#define NAT_DEPENDENT	"endpoint-dependent"

static bool is_same_addr(const struct stun_endpoint *a, const struct stun_endpoint *b)
{
	return IN6_ARE_ADDR_EQUAL(&a->addr, &b->addr);
}

/* Returns the behaviour of this peer's NAT, or NULL if it is unknown. */
static const char *own_nat(const struct node *node, const struct link *link)
{
	const struct introduction *introduction = peer_session_introduction(link->session);
	const struct peer_session_remote *remote;
	struct peer_client_registration registration;
	bool tcp = connection_to(&node->runtime, introduction->server);
	unsigned int i, count;
	const char *nat = NULL;

	registration = peer_client_registration(node->runtime.client, introduction->server);
	if (registration.registered && !registration.behind_nat)
		return NAT_NONE;
	remote = peer_session_remotes(link->session, &count);
	for (i = 0; i < count; i++) {
		/* a different address belongs to another NAT, or to none */
		if (!remote[i].mapped.port_be || relay_is_endpoint(&remote[i].at) ||
		    remote[i].at.tcp != tcp ||
		    !is_same_addr(&remote[i].mapped, &introduction->mapped))
			continue;
		if (remote[i].mapped.port_be != introduction->mapped.port_be)
			return NAT_DEPENDENT;
		nat = NAT_INDEPENDENT;
	}
	for (i = 0; i < node->identity->servers; i++) {
		registration = peer_client_registration(node->runtime.client, i);
		if (i == introduction->server || !registration.registered ||
		    (connection_to(&node->runtime, i) != NULL) != tcp ||
		    !is_same_addr(&registration.mapped, &introduction->mapped))
			continue;
		if (registration.mapped.port_be != introduction->mapped.port_be)
			return NAT_DEPENDENT;
		nat = NAT_INDEPENDENT;
	}
	return nat;
}

static const char *peer_nat(const struct link *link)
{
	const struct introduction *introduction = peer_session_introduction(link->session);
	const struct candidate *reflexive = NULL, *candidate = introduction->candidate;
	const struct peer_session_remote *remote;
	unsigned int i, count;
	const char *nat = NULL;

	for (i = 0; i < introduction->candidates && !reflexive; i++)
		if (candidate[i].kind == CANDIDATE_REFLEXIVE)
			reflexive = &candidate[i];
	if (!reflexive)
		return NULL;
	for (i = 0; i < introduction->candidates; i++)
		if (candidate[i].kind == CANDIDATE_HOST &&
		    candidate[i].transport == reflexive->transport &&
		    stun_endpoint_is_same(&candidate[i].at, &reflexive->at))
			return NAT_NONE;
	remote = peer_session_remotes(link->session, &count);
	for (i = 0; i < count; i++) {
		if (!remote[i].heard || !is_same_addr(&remote[i].at, &reflexive->at) ||
		    remote[i].at.tcp != (reflexive->transport == CANDIDATE_TCP) ||
		    remote[i].kind == PEER_SESSION_REMOTE_MAPPED)
			continue;
		if (remote[i].at.port_be != reflexive->at.port_be)
			return NAT_DEPENDENT;
		nat = NAT_INDEPENDENT;
	}
	return nat;
}

/* --- the addresses of the other peer */

static const char *state_of(const struct peer_session_remote *remote)
{
	if (remote->selected)
		return "used";
	if (remote->reason)
		return "failed";
	return remote->answered ? "answered" : "checked";
}

static json_t *candidates_json(const struct link *link)
{
	const struct peer_session_remote *remote;
	json_t *list = json_array();
	unsigned int i, count;

	remote = peer_session_remotes(link->session, &count);
	for (i = 0; i < count; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:o, s:s, s:s?, s:o, s:I, s:I}", "kind",
				  peer_session_remote_kinds[remote[i].kind], "transport",
				  transport_of(link, &remote[i]), "address",
				  address_json(view_remote(link, &remote[i])), "state",
				  state_of(&remote[i]), "reason",
				  remote[i].reason ? peer_session_reasons[remote[i].reason] : NULL,
				  "rtt_ms", ms_json(remote[i].rtt_ns), "checks",
				  (json_int_t)remote[i].checks, "answers",
				  (json_int_t)remote[i].answers));
	return list;
}

/* Returns the reason why the path is relayed, or NULL if it is not. */
static const char *why_relayed(const struct node *node, const struct link *link)
{
	const struct peer_session_remote *path = peer_session_path(link->session), *remote;
	unsigned int i, count, checked = 0, silent = 0, big = 0, lost = 0;

	if (!path || path->kind != PEER_SESSION_REMOTE_RELAYED)
		return NULL;
	if (node->identity->relay_only)
		return "by --relay-only";
	remote = peer_session_remotes(link->session, &count);
	for (i = 0; i < count; i++) {
		if (relay_is_endpoint(&remote[i].at))
			continue;
		checked += remote[i].reason == PEER_SESSION_REASON_NONE;
		silent += remote[i].reason == PEER_SESSION_REASON_SILENT;
		big += remote[i].reason == PEER_SESSION_REASON_TOO_BIG;
		lost += remote[i].reason == PEER_SESSION_REASON_LOST;
	}
	if (checked)
		return "a direct path is being searched for";
	if (big)
		return "a direct path loses datagrams of full size";
	if (lost)
		return "the direct path is lost";
	if (silent)
		return "no other address answers";
	return "the other peer has no other address";
}

/* --- links */

static const char *const states[] = { "waiting", "punching", "up", "failed" };

static json_t *keepalive_json(const struct node *node, const struct peer_session_stats *stats)
{
	return json_pack("{s:f, s:s, s:I, s:I}", "interval_s",
			 (double)node->runtime.interval_ns / SECOND_NS, "source",
			 node_keepalive_source(node), "sent", (json_int_t)stats->keepalives_sent,
			 "saved", (json_int_t)stats->keepalives_saved);
}

json_t *view_link(const struct node *node, const struct link *link)
{
	const struct peer_session_remote *path = peer_session_path(link->session);
	const struct peer_session_stats *stats = peer_session_stats(link->session);
	struct stun_endpoint local = view_local(link);

	return json_pack(
		"{s:s, s:s, s:b, s:s, s:s?, s:s?, s:o, s:o, s:o, s:o, s:o, s:s, s:s?, s:s?, s:s?,"
		" s:o, s:I, s:I, s:I, s:I, s:s?, s:i, s:o}",
		"peer", link->name, "state", states[peer_session_state(link->session)], "ready",
		link->ready, "role", link->initiator ? "connects" : "accepts", "kind",
		path ? peer_session_remote_kinds[path->kind] : NULL, "transport",
		view_transport(link), "local", address_json(&local), "remote",
		path ? address_json(view_remote(link, path)) : json_null(), "rtt_ms",
		path ? ms_json(path->rtt_ns) : json_null(), "mtu",
		path && path->full ? json_integer((json_int_t)peer_session_mtu(link->session))
				   : json_null(),
		"consent_for_s", path ? since_json(path->consent_ns) : json_null(), "trust",
		view_is_known(node, link) ? "key" : "server", "own_nat", own_nat(node, link),
		"peer_nat", peer_nat(link), "relayed_because", why_relayed(node, link), "keepalive",
		keepalive_json(node, stats), "repunches", (json_int_t)stats->repunches,
		"path_changes", (json_int_t)stats->path_changes, "bytes_in",
		(json_int_t)link->bytes_in, "bytes_out", (json_int_t)link->bytes_out, "end",
		*link->end ? link->end : NULL, "members", node_members_count(node, link),
		"candidates", candidates_json(link));
}

/* --- the process */

static json_t *servers_json(const struct node *node)
{
	const struct peer_client *client = node->runtime.client;
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < node->identity->servers; i++) {
		const struct peer_client_registration of = peer_client_registration(client, i);

		json_array_append_new(
			list, json_pack("{s:o, s:o, s:s, s:b, s:o, s:o, s:o}", "server",
					output_name(node->identity->server[i].host), "address",
					address_json(peer_client_server_at(client, i)), "transport",
					connection_to(&node->runtime, i) ? "tcp" : "udp",
					"registered", of.registered, "public",
					of.registered ? address_json(&of.mapped) : json_null(),
					"behind_nat",
					of.registered ? json_boolean(of.behind_nat) : json_null(),
					"rtt_ms", ms_json(of.rtt_ns)));
	}
	return list;
}

static json_t *services_json(const struct runtime *runtime)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < runtime->service_count; i++) {
		const struct service *service = &runtime->services[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:o}", "name", service->name,
						"protocol", service_kinds[service->address.kind],
						"address", address_json(&service->address.at)));
	}
	return list;
}

/* Returns the pool, or null if there is none. */
static json_t *pool_json(const struct node *node)
{
	struct pool_view view;

	if (!node->pool.pool)
		return json_null();
	view = pool_view(node->pool.pool);
	return json_pack("{s:b, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "in_use", node_pool_is_used(node), "idle", view.idle, "testing",
			 view.testing, "lent", view.borrowed, "connecting", view.creating,
			 "waiting", view.waiters, "connected", (json_int_t)view.created, "failed",
			 (json_int_t)view.failed, "lost", (json_int_t)view.lost, "tests_failed",
			 (json_int_t)view.tests_failed, "closed_idle",
			 (json_int_t)view.evicted_idle, "closed_old", (json_int_t)view.evicted_old,
			 "given", (json_int_t)view.given, "refused", (json_int_t)view.refused);
}

json_t *view_process(const struct view *view)
{
	const struct node *node = view->node;
	json_t *document = output_document(), *paths = json_array();
	struct candidate mapped = { .kind = 0 };
	const struct link *link;

	for (link = node->links; link; link = link->next)
		json_array_append_new(paths, view_link(node, link));
	mapping_candidate(node->runtime.mapping, &mapped);
	json_object_update_new(
		document,
		json_pack("{s:s, s:s, s:i, s:s, s:o, s:o, s:s?, s:o, s:o, s:o, s:o, s:O}", "id",
			  node->identity->id, "command", view->target ? "connect" : "run", "pid",
			  getpid(), "version", SLUICE_VERSION, "running_for_s",
			  since_json(view->started_ns), "servers", servers_json(node), "to",
			  view->target ? view->target->to : NULL, "services",
			  services_json(&node->runtime), "mapped", address_json(&mapped.at), "pool",
			  pool_json(node), "paths", paths, "ended", view->ended));
	return document;
}

void view_unready(const struct view *view, FILE *reasons)
{
	const struct node *node = view->node;

	if (!node_is_registered(node))
		fprintf(reasons, "not registered with a server\n");
	if (view->target &&
	    (!node->links || !node->links->ready || !peer_session_path(node->links->session)))
		fprintf(reasons, "no path to %s\n", view->target->to);
}
