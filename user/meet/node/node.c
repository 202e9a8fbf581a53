// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/node/node.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rate.h"
#include "meet/privileges.h"
#include "meet/quic/quic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void on_random(void *buffer, size_t size, void *arg)
{
	if (getrandom(buffer, size, 0) != (ssize_t)size)
		abort(); /* fails only before Linux 3.17: up to 256 bytes cannot fail */
}

/* --- trusted peers */

/* Rate limit of log lines about refused peers: one in ten seconds, with a burst of ten. */
#define REFUSAL_NS	  10000000000ULL
#define REFUSALS_BURST_NS (10 * REFUSAL_NS)

static bool on_admit(const char *name, const uint8_t key[KEY_SIZE], bool incoming, void *arg)
{
	struct node *node = arg;
	const struct peer *peer = peers_find(&node->known, name, strlen(name));
	struct log_line line;
	const char *reason = NULL;

	/* a peer without services refuses all introductions */
	if (incoming && !node->runtime.service_count)
		reason = "this peer exposes nothing";
	else if (peer && memcmp(peer->public_key, key, KEY_SIZE))
		reason = "not the known key";
	else if (!peer && !node->identity->trust_server)
		reason = "unknown peer";
	if (!reason)
		return true;
	/* a server can send any number of introductions */
	if (!rate_take(&node->refusals_full_ns, REFUSAL_NS, REFUSALS_BURST_NS, runtime_now_ns())) {
		node->refusals_unlogged++;
		return false;
	}
	log_begin(&line, LOG_LEVEL_WARNING, "peer refused");
	log_field(&line, "peer", "%s", name);
	log_field(&line, "reason", "%s", reason);
	if (node->refusals_unlogged)
		log_field(&line, "unlogged", "%u", node->refusals_unlogged);
	log_end(&line);
	node->refusals_unlogged = 0;
	return false;
}

/* Parses --peer-key NAME=KEY like a line of the file. */
static int read_known(struct node *node, struct err *err)
{
	const struct peer_identity *identity = node->identity;
	char *text = NULL, key[KEY_TEXT];
	size_t size = 0;
	unsigned int i;
	int result = -ENOMEM, ch;
	FILE *file, *from = NULL;

	file = open_memstream(&text, &size);
	if (!file)
		return err_set(err, EXIT_ERROR, ENOMEM, "out of memory");
	if (identity->known_peers) {
		from = fopen(identity->known_peers, "re");
		if (!from) {
			result = err_set(err, EXIT_ERROR, errno, "%s: %s", identity->known_peers,
					 strerror(errno));
			fclose(file);
			goto out;
		}
		while ((ch = getc(from)) != EOF)
			putc(ch, file);
		if (ferror(from)) {
			result = err_set(err, EXIT_ERROR, errno, "%s: cannot read the peers: %s",
					 identity->known_peers, strerror(errno));
			fclose(file);
			goto out;
		}
		putc('\n', file);
	}
	for (i = 0; i < identity->peer_keys; i++)
		fprintf(file, "%s %s\n", identity->peer_key[i].name,
			key_format(identity->peer_key[i].key, key));
	fclose(file);
	file = size ? fmemopen(text, size, "r") : NULL;
	result = 0;
	if (size && !file)
		result = err_set(err, EXIT_ERROR, ENOMEM, "out of memory");
	if (file) {
		result = peers_parse(file,
				     identity->known_peers ? identity->known_peers : "--peer-key",
				     &node->known, err);
		fclose(file);
	}
out:
	if (from)
		fclose(from);
	free(text);
	return result;
}

/*
 * Returns true for a systemd credential. systemd restricts it with an ACL, whose mask appears as
 * group permissions.
 */
static bool is_credential(const char *path)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t length = dir ? strlen(dir) : 0;

	return length && !strncmp(path, dir, length) && path[length] == '/';
}

static int read_secret(struct node *node, struct err *err)
{
	const char *path = node->identity->key_file;
	struct stat st;

	if (!stat(path, &st) && S_ISREG(st.st_mode) &&
	    st.st_mode & (is_credential(path) ? S_IROTH : S_IRGRP | S_IROTH))
		return err_hint(err,
				err_set(err, EXIT_PERMISSION, EPERM,
					"%s: other users can read this private key (mode %04o)",
					path, st.st_mode & 07777U),
				"create another key, and protect it: 'umask 077; sluice peer key"
				" >%s'",
				path);
	return key_load(path, node->runtime.secret, err);
}

/* --- the servers */

static int new_client(struct node *node, struct err *err)
{
	const struct peer_identity *identity = node->identity;
	struct peer_client_options options = { .name = identity->id,
					       .servers = identity->servers,
					       .random = on_random,
					       .admit = on_admit,
					       .arg = node };
	unsigned int i, resolved = 0, weak = 0;
	int result = 0;

	for (i = 0; i < identity->servers; i++) {
		memcpy(options.server[i].key,
		       identity->server_key[identity->server_keys == 1 ? 0 : i], KEY_SIZE);
		result = node_resolve(&identity->server[i], node->runtime.socket.ip6,
				      &options.server[i].at, err);
		if (result && identity->servers > 1)
			node_server_warn(node, i, err->what);
		if (result)
			continue;
		resolved++;
		mapping_toward(node->runtime.mapping, &options.server[i].at);
	}
	/* the others get an address later, as servers that do not answer (lookup.c) */
	if (!resolved)
		return result;
	memcpy(options.secret, node->runtime.secret, sizeof(options.secret));
	result = peer_client_new(&node->runtime.client, &options, runtime_now_ns(), &weak);
	explicit_bzero(&options, sizeof(options));
	if (result == -EINVAL)
		return err_set(err, EXIT_USAGE, EINVAL,
			       "--server-key: that of %s is a key of small order",
			       identity->server[weak].host);
	return result ? err_set(err, EXIT_ERROR, -result, "out of memory") : 0;
}

static const char *server_name(const struct node *node, unsigned int server)
{
	return node->identity->server[server].host;
}

/* --- links */

static struct link *find_link(const struct node *node, const char *name)
{
	struct link *link;

	for (link = node->links; link; link = link->next)
		if (!strcmp(link->name, name))
			return link;
	return NULL;
}

static void introduced(struct node *node, const struct introduction *introduction)
{
	struct link *link = find_link(node, introduction->name);
	unsigned int slot;

	node_tcp_introduced(node, introduction);
	if (link && link->initiator == introduction->initiator) {
		link_introduce(link, introduction, runtime_now_ns());
		link_predict(link, introduction);
		return;
	}
	for (slot = 0; slot < NODE_LINKS_MAX && node->by_slot[slot]; slot++)
		;
	if (link || slot == NODE_LINKS_MAX ||
	    link_new(&link, &node->runtime, introduction, slot, runtime_now_ns()))
		return;
	link->next = node->links;
	node->links = link;
	node->by_slot[slot] = link;
	link_predict(link, introduction);
}

/* Passes a relay event to the link with the same introduction, which may already have ended. */
static void on_relay(struct node *node, const struct peer_client_event *event)
{
	struct log_line line;
	struct link *link;

	if (event->kind == PEER_CLIENT_RELAY_ENDED) {
		log_begin(&line, LOG_LEVEL_DEBUG, "relay ended");
		log_field(&line, "server", "%s", server_name(node, event->server));
		log_field(&line, "reason", "%s", peer_client_code_text(event->code));
		log_end(&line);
	}
	for (link = node->links; link; link = link->next)
		if (link_relay(link, event, runtime_now_ns()))
			return;
	peer_client_hold_relay(node->runtime.client, &event->relay, false, runtime_now_ns());
}

static void on_event(struct node *node, const struct peer_client_event *event)
{
	char text[ADDR_TEXT_MAX];
	struct log_line line;

	switch (event->kind) {
	case PEER_CLIENT_REGISTERED:
		log_begin(&line, LOG_LEVEL_INFO, "registered");
		log_field(&line, "server", "%s", server_name(node, event->server));
		log_field(&line, "public", "%s",
			  addr_format_port(&event->mapped.addr, event->mapped.port_be, text));
		log_field(&line, "nat", "%s", event->behind_nat ? "yes" : "no");
		log_end(&line);
		mapping_seen(node->runtime.mapping, event->server, &event->mapped);
		node_server_registered(node, event->server);
		node_network_offer(node);
		if (!node->registered && node->hooks.registered)
			node->hooks.registered(node->runtime.arg);
		node->registered = true;
		break;
	case PEER_CLIENT_SERVER_SILENT:
		node_server_warn(node, event->server,
				 peer_client_code_text(PEER_CLIENT_CODE_SILENT));
		node_server_silent(node, event->server);
		break;
	case PEER_CLIENT_REFUSED:
		node_server_warn(node, event->server, peer_client_code_text(event->code));
		if (node->hooks.refused)
			node->hooks.refused(node->runtime.arg, event->code);
		break;
	case PEER_CLIENT_INTRODUCED:
		introduced(node, &event->introduction);
		break;
	case PEER_CLIENT_CONNECT_FAILED:
		if (node->hooks.connect_failed)
			node->hooks.connect_failed(node->runtime.arg, event->code);
		break;
	case PEER_CLIENT_RELAYED:
	case PEER_CLIENT_RELAY_ENDED:
		on_relay(node, event);
		break;
	case PEER_CLIENT_UNREGISTERED:
		break;
	}
}

static void client_update(struct node *node)
{
	uint8_t buffer[PEER_CLIENT_DATAGRAM_SIZE];
	struct peer_client_event event;
	struct stun_endpoint to;
	uint64_t now_ns = runtime_now_ns();
	size_t size;

	if (peer_client_due_ns(node->runtime.client) <= now_ns)
		peer_client_timeout(node->runtime.client, now_ns);
	while (peer_client_next_event(node->runtime.client, &event))
		on_event(node, &event);
	explicit_bzero(&event, sizeof(event));
	while ((size = peer_client_send(node->runtime.client, buffer, &to, now_ns)))
		runtime_send(&node->runtime, &to, buffer, size, size);
}

static void links_update(struct node *node)
{
	struct link **at = &node->links, *link;

	while ((link = *at)) {
		link_update(link, runtime_now_ns());
		if (!link->end[0]) {
			at = &link->next;
			continue;
		}
		*at = link->next;
		node->by_slot[link->slot] = NULL;
		node_members_orphan(node, link);
		node->hooks.over(node->runtime.arg, link);
		link_free(link, runtime_now_ns());
	}
	/* rotate the list, so that the links share the common budget fairly */
	link = node->links;
	if (link && link->next) {
		node->links = link->next;
		link->next = NULL;
		*at = link;
	}
}

static void arm(struct node *node)
{
	uint64_t due_ns = peer_client_due_ns(node->runtime.client), now_ns = runtime_now_ns();
	const struct link *link;

	if (node_members_due_ns(node) < due_ns)
		due_ns = node_members_due_ns(node);
	if (node_pool_due_ns(node) < due_ns)
		due_ns = node_pool_due_ns(node);
	for (link = node->links; link; link = link->next)
		if (link_due_ns(link) < due_ns)
			due_ns = link_due_ns(link);
	if (due_ns == UINT64_MAX)
		loop_timer_stop(node->timer);
	else
		loop_timer_start(node->timer, due_ns > now_ns ? (due_ns - now_ns + 999) / 1000 : 0);
}

void node_update(void *arg)
{
	struct node *node = arg;

	/* called from a hook: the running call repeats its loop */
	node->again = true;
	if (node->updating)
		return;
	node->updating = true;
	while (node->again) {
		node->again = false;
		/* links send requests to the client, whose events may create links */
		links_update(node);
		node_members_update(node, runtime_now_ns());
		node->again |= node_pool_update(node, runtime_now_ns());
		client_update(node);
	}
	node->updating = false;
	arm(node);
}

bool node_is_registered(const struct node *node)
{
	unsigned int i;

	for (i = 0; i < node->identity->servers; i++)
		if (peer_client_registered(node->runtime.client, i))
			return true;
	return false;
}

/* --- life */

/* Raises RLIMIT_NOFILE, because each connection and each flow uses a descriptor. */
static void raise_files(void)
{
	struct rlimit files;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

int node_open(struct node *node, struct err *err)
{
	int result;

	raise_files();
	node->runtime.socket.fd = node->network.fd = node->lookup_fd[0] = node->lookup_fd[1] = -1;
	node->runtime.update = node_update;
	node->runtime.member_requested = node_members_requested;
	node->runtime.member_answered = node_pool_answered;
	node->runtime.interval_ns = node->identity->keepalive_s
					    ? node->identity->keepalive_s * 1000000000ULL
					    : PEER_SESSION_INTERVAL_NS;
	node->runtime.tcp_only = node->identity->transport == PEER_TRANSPORT_TCP;
	node->runtime.udp_only = node->identity->transport == PEER_TRANSPORT_UDP;
	node->runtime.relay = node->identity->relay_only    ? PEER_SESSION_RELAY_ONLY
			      : node->identity->direct_only ? PEER_SESSION_RELAY_NEVER
							    : PEER_SESSION_RELAY_LAST;
	node->runtime.update_arg = node;
	/* start the mapping process before the keys are read, because it does not need them */
	result = mapping_start(&node->runtime.mapping,
			       node->runtime.relay == PEER_SESSION_RELAY_ONLY ||
					       node->runtime.tcp_only
				       ? PEER_PORT_MAPPING_OFF
				       : node->identity->port_mapping);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "port mapping: %s", strerror(-result));
	result = privileges_hide_memory(err);
	if (!result)
		result = read_secret(node, err);
	if (!result)
		result = read_known(node, err);
	if (!result)
		result = peer_socket_open(&node->runtime.socket, err);
	if (!result)
		result = new_client(node, err);
	if (result)
		return result;
	result = loop_new(&node->runtime.loop);
	if (!result)
		result = quic_endpoint_new(&node->runtime.endpoint);
	if (!result)
		result = loop_read(node->runtime.loop, node->runtime.socket.fd, node_readable,
				   node);
	if (!result)
		node->timer = loop_timer(node->runtime.loop, false, node_update, node);
	if (!result && !node->timer)
		result = -ENOMEM;
	if (!result)
		result = node_servers_open(node);
	if (!result)
		result = node_lookups_open(node);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result));
	node_network_watch(node);
	node_update(node);
	return 0;
}

void node_close(struct node *node)
{
	uint8_t buffer[PEER_CLIENT_DATAGRAM_SIZE];
	struct stun_endpoint to;
	struct link *link;
	size_t size;

	node_pool_close(node);
	node_members_close(node);
	while ((link = node->links)) {
		node->links = link->next;
		link_free(link, runtime_now_ns());
	}
	if (node->runtime.client) {
		/*
		 * do not wait: if the request is lost, the server keeps the registration for a
		 * minute
		 */
		peer_client_stop(node->runtime.client, runtime_now_ns());
		while ((size = peer_client_send(node->runtime.client, buffer, &to,
						runtime_now_ns())))
			runtime_send(&node->runtime, &to, buffer, size, size);
	}
	node_keepalive_close(node);
	node_servers_close(node);
	node_tcp_close(node);
	peer_client_free(node->runtime.client);
	mapping_stop(node->runtime.mapping);
	loop_free(node->runtime.loop);
	quic_endpoint_free(node->runtime.endpoint);
	node_network_close(node);
	node_lookups_close(node);
	peer_socket_close(&node->runtime.socket);
	peers_free(&node->known);
	explicit_bzero(node->runtime.secret, sizeof(node->runtime.secret));
}
