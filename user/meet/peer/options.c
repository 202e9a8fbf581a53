// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/options.h"

#include "base/addr.h"

#include <errno.h>
#include <string.h>

/* Parses HOST:PORT; HOST is a name, an IPv4 address, or an IPv6 address in brackets. */
static int parse_server(const struct opt_value *v, struct err *err)
{
	struct peer_identity *identity = v->field;
	const char *host = v->text, *colon = strrchr(v->text, ':'), *end = colon;
	struct peer_server *server;
	uint64_t port;

	if (identity->servers == PEER_CLIENT_SERVERS_MAX)
		return err_set(err, EXIT_USAGE, E2BIG, "%s%sat most %d servers are possible",
			       OPT_WHAT(v->what), PEER_CLIENT_SERVERS_MAX);
	if (colon && host[0] == '[' && colon[-1] == ']') {
		host++;
		end--;
	} else if (colon && memchr(host, ':', (size_t)(colon - host))) {
		colon = NULL; /* an IPv6 address without brackets */
	}
	server = &identity->server[identity->servers];
	if (!colon || end <= host || (size_t)(end - host) >= sizeof(server->host) ||
	    strlen(colon + 1) >= sizeof(server->port) ||
	    opt_number(NULL, colon + 1, 1, 65535, &port, err))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"%s%s'%s' is not a host and a port", OPT_WHAT(v->what),
					v->text),
				"give HOST:PORT, as in rendezvous.example.net:3478,"
				" 192.0.2.1:3478 or [2001:db8::1]:3478");
	snprintf(server->host, sizeof(server->host), "%.*s", (int)(end - host), host);
	snprintf(server->port, sizeof(server->port), "%s", colon + 1);
	identity->servers++;
	return 0;
}

static int bad_key(const char *what, const char *text, struct err *err)
{
	return err_hint(err,
			err_set(err, EXIT_USAGE, EINVAL, "%s%s'%s' is not a public key",
				OPT_WHAT(what), text),
			"give the 44 characters that 'sluice peer key --public' prints");
}

static int parse_server_key(const struct opt_value *v, struct err *err)
{
	struct peer_identity *identity = v->field;

	if (identity->server_keys == PEER_CLIENT_SERVERS_MAX)
		return err_set(err, EXIT_USAGE, E2BIG, "%s%sat most %d are possible",
			       OPT_WHAT(v->what), PEER_CLIENT_SERVERS_MAX);
	if (key_parse(v->text, identity->server_key[identity->server_keys]))
		return bad_key(v->what, v->text, err);
	identity->server_keys++;
	return 0;
}

static int parse_peer_key(const struct opt_value *v, struct err *err)
{
	struct peer_identity *identity = v->field;
	const char *equals = strchr(v->text, '=');
	struct peer_key *key;
	unsigned int i;

	if (identity->peer_keys == PEER_KEYS_MAX)
		return err_hint(err,
				err_set(err, EXIT_USAGE, E2BIG, "%s%sat most %d are possible",
					OPT_WHAT(v->what), PEER_KEYS_MAX),
				"put the keys into a file, and give it with --known-peers");
	key = &identity->peer_key[identity->peer_keys];
	snprintf(key->name, sizeof(key->name), "%.*s", equals ? (int)(equals - v->text) : 0,
		 v->text);
	if (!equals || (size_t)(equals - v->text) > PEER_NAME_MAX || !service_is_name(key->name))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "%s%s'%s' is not a name and a key",
					OPT_WHAT(v->what), v->text),
				"give NAME=KEY");
	if (key_parse(equals + 1, key->key))
		return bad_key(v->what, equals + 1, err);
	for (i = 0; i < identity->peer_keys; i++)
		if (!strcmp(identity->peer_key[i].name, key->name))
			return err_set(err, EXIT_USAGE, EINVAL, "%s%s%s is given more than once",
				       OPT_WHAT(v->what), key->name);
	identity->peer_keys++;
	return 0;
}

static int parse_expose(const struct opt_value *v, struct err *err)
{
	struct peer_exposed *exposed = v->field;
	struct service *service = &exposed->service[exposed->count];
	unsigned int i;
	int result;

	if (exposed->count == SERVICES_MAX)
		return err_set(err, EXIT_USAGE, E2BIG, "%s%sat most %d are possible",
			       OPT_WHAT(v->what), SERVICES_MAX);
	result = service_parse(v->what, v->text, service, err);
	if (result)
		return result;
	for (i = 0; i < exposed->count; i++)
		if (exposed->service[i].address.kind == service->address.kind &&
		    !strcmp(exposed->service[i].name, service->name))
			return err_hint(err,
					err_set(err, EXIT_USAGE, EINVAL,
						"%s%sanother %s service has the name '%s'",
						OPT_WHAT(v->what),
						service_kinds[service->address.kind],
						service->name),
					"give each a name, as in ssh=tcp:127.0.0.1:22");
	exposed->count++;
	return 0;
}

static int parse_listen(const struct opt_value *v, struct err *err)
{
	struct peer_target *target = v->field;

	int result = service_parse_address(v->what, v->text, &target->listen, err);

	/* the kernel could select a different source address for a reply */
	if (!result && target->listen.kind == SERVICE_UDP &&
	    (IN6_IS_ADDR_UNSPECIFIED(&target->listen.at.addr) ||
	     (addr_is_ip4(&target->listen.at.addr) && !target->listen.at.addr.s6_addr32[3])))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"%s%s'%s': UDP needs an address of this host instead of"
					" the wildcard",
					OPT_WHAT(v->what), v->text),
				"answers must leave from the address that was asked; run a"
				" 'peer connect' for each address");
	return result;
}

static int parse_name(const struct opt_value *v, struct err *err)
{
	if (service_is_name(v->text))
		return opt_text(v, err);
	return err_hint(err,
			err_set(err, EXIT_USAGE, EINVAL, "%s%s'%s' is not a name",
				OPT_WHAT(v->what), v->text),
			"give up to %d letters, digits, '.', '_' and '-', the first one a letter or"
			" digit",
			PEER_NAME_MAX);
}

static const char *const port_mappings[] = { "auto", "nat-pmp", "upnp", "off", NULL };
static const char *const transports[] = { "auto", "udp", "tcp", NULL };

#define IDENTITY(field) offsetof(struct peer_identity, field)
#define TARGET(field)	offsetof(struct peer_target, field)

const struct opt peer_identity_opts[] = {
	{ "server", 0, "HOST:PORT", parse_server, 0,
	  "a rendezvous server; repeat the option to register with several servers", .list = true },
	{ "server-key", 0, "KEY", parse_server_key, 0,
	  "the public key of the server; one key for all servers, or one for each in the same order",
	  .list = true },
	{ "id", 0, "NAME", parse_name, IDENTITY(id),
	  "the name of this peer in the peers file of the server; each process needs its own" },
	{ "key-file", 0, "FILE", opt_path, IDENTITY(key_file),
	  "the private key of this peer, from 'sluice peer key'" },
	{ "peer-key", 0, "NAME=KEY", parse_peer_key, 0,
	  "a peer, and its public key; may be given several times", .list = true },
	{ "known-peers", 0, "FILE", opt_path, IDENTITY(known_peers),
	  "file of peers, one per line: NAME PUBLIC-KEY" },
	{ "port-mapping", 0, "auto|nat-pmp|upnp|off", opt_word, IDENTITY(port_mapping),
	  "ask the gateway to forward the port of this peer: by NAT-PMP, by UPnP, or by UPnP if NAT-PMP"
	  " gets no answer",
	  .words = port_mappings, .noun = "port mapping", .preset = "auto" },
	{ "direct-only", 0, NULL, opt_switch, IDENTITY(direct_only),
	  "never use the relay of the server: without a direct path, the peers cannot communicate" },
	{ "relay-only", 0, NULL, opt_switch, IDENTITY(relay_only),
	  "send only through the relay of the server, and offer no addresses of this host" },
	{ "transport", 0, "auto|udp|tcp", opt_word, IDENTITY(transport),
	  "transport to servers and other peers: UDP, and TCP if UDP gets no answer, or only one of them",
	  .words = transports, .noun = "transport", .preset = "auto" },
	{ "keepalive", 0, "SECONDS", opt_u32, IDENTITY(keepalive_s),
	  "maximum time between datagrams to another peer; must be shorter than the mapping timeout of"
	  " the NAT of this host; by default 18, or 10 if a measurement with the server shows that the"
	  " NAT keeps it for less than 20",
	  .min = 15, .max = 600 },
	{ "on-change", 0, "COMMAND", opt_text, IDENTITY(on_change),
	  "shell command to run when a path comes up, moves or goes down; SLUICE_EVENT and other"
	  " variables describe the change" },
	{ "metrics", 0, METRICS_OPT_ARG, metrics_opt, IDENTITY(metrics), METRICS_OPT_HELP },
	{ "user", 0, "USER", opt_text, IDENTITY(user),
	  "switch to this user, without capabilities, once all sockets are open" },
	{ "trust-server", 0, NULL, opt_switch, IDENTITY(trust_server),
	  "accept the key that the server reports for an unknown peer; the operator of the server could"
	  " then pose as that peer" },
	{ .name = NULL },
};

#define UNTIL_EOF_HELP \
	"exit at EOF on the standard input: for a parent that may not send signals to --user"

const struct opt peer_run_opts[] = {
	{ "expose", 0, "[NAME=]udp|tcp:ADDR:PORT", parse_expose, 0,
	  "a local service that the known peers may use; may be given several times",
	  .list = true },
	{ "until-eof", 0, NULL, opt_switch, offsetof(struct peer_exposed, until_eof),
	  UNTIL_EOF_HELP, .side = OPT_LINE },
	{ .name = NULL },
};

static const char *const orders[] = { "lifo", "fifo", NULL };

const struct opt peer_connect_opts[] = {
	{ "to", 0, "NAME", parse_name, TARGET(to), "the peer to connect to" },
	{ "service", 0, "NAME", parse_name, TARGET(service),
	  "the service of that peer; by default the service without a name, or the only service" },
	{ "listen", 0, "udp|tcp:ADDR:PORT", parse_listen, 0,
	  "the local address at which programs reach the service" },
	{ "stdio", 0, NULL, opt_switch, TARGET(stdio),
	  "connect a TCP service to the standard input and output, as for ProxyCommand of ssh",
	  .side = OPT_LINE },
	{ "until-eof", 0, NULL, opt_switch, TARGET(until_eof), UNTIL_EOF_HELP, .side = OPT_LINE },
	{ "pool-max", 0, "NUMBER", opt_u32, TARGET(pool.max),
	  "while the path is TCP, lend each program's connection a TCP connection of its own, of at"
	  " most this many; if it is lost, the program's connection ends; by default they share that of"
	  " the path",
	  .min = 1, .max = PEER_POOL_MAX },
	{ "pool-min-idle", 0, "NUMBER", opt_u32, TARGET(pool.min_idle),
	  "connections to keep ready; by default " OPT_TEXT(PEER_POOL_MIN_IDLE), .min = 1,
	  .max = PEER_POOL_MAX },
	{ "pool-queue", 0, "NUMBER", opt_u32, TARGET(pool.queue),
	  "programs' connections that may wait for one of the pool; further ones share that of the"
	  " path; by default " OPT_TEXT(PEER_POOL_QUEUE),
	  .min = 1, .max = 1024 },
	{ "pool-acquire-timeout", 0, "MS", opt_u32, TARGET(pool.acquire_ms),
	  "milliseconds to wait for a connection of the pool, before that of the path is shared; by"
	  " default " OPT_TEXT(PEER_POOL_ACQUIRE_MS),
	  .min = 1, .max = 60000 },
	{ "pool-idle-timeout", 0, "SECONDS", opt_u32, TARGET(pool.idle_s),
	  "close connections that were idle for this time, except those to keep ready; by"
	  " default " OPT_TEXT(PEER_POOL_IDLE_S),
	  .min = 1, .max = 86400 },
	{ "pool-max-life", 0, "SECONDS", opt_u32, TARGET(pool.life_s),
	  "replace connections of this age, less a random tenth, when they are idle; by"
	  " default " OPT_TEXT(PEER_POOL_LIFE_S),
	  .min = 1, .max = 604800 },
	{ "pool-order", 0, "lifo|fifo", opt_word, TARGET(pool.order),
	  "use the connection that was used last, so that the others become idle, or the one that was"
	  " idle longest; by default lifo",
	  .words = orders, .noun = "order", .min = PEER_POOL_LIFO },
	{ .name = NULL },
};

const struct opt peer_list_opts[] = {
	{ "id", 0, "NAME", parse_name, offsetof(struct peer_list_options, id),
	  "show only this peer", .side = OPT_LINE },
	{ .name = NULL },
};

int peer_identity_check(const struct peer_identity *identity, struct err *err)
{
	const char *missing = !identity->servers       ? "server HOST:PORT"
			      : !identity->server_keys ? "server-key KEY"
			      : !identity->id	       ? "id NAME"
			      : !identity->key_file    ? "key-file FILE"
						       : NULL;

	if (missing)
		return err_set(err, EXIT_USAGE, EINVAL, "a --%s is needed", missing);
	if (identity->server_keys != 1 && identity->server_keys != identity->servers)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "%u servers have %u keys",
					identity->servers, identity->server_keys),
				"give one --server-key for all servers, or one for each");
	if (identity->direct_only && identity->relay_only)
		return err_set(err, EXIT_USAGE, EINVAL,
			       "--direct-only and --relay-only exclude each other");
	if (!identity->peer_keys && !identity->known_peers && !identity->trust_server)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"no other peer is known: a --peer-key is needed"),
				"give --peer-key NAME=KEY or --known-peers FILE; --trust-server"
				" accepts the keys that the server reports");
	return 0;
}

int peer_exposed_check(const struct peer_exposed *exposed, struct err *err)
{
	if (exposed->count)
		return 0;
	return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "an --expose is needed"),
			"give a local service, as in --expose ssh=tcp:127.0.0.1:22");
}

static int check_pool(const struct peer_target *target, const struct peer_identity *identity,
		      struct err *err)
{
	const struct peer_pool *pool = &target->pool;
	const char *other = pool->min_idle     ? "pool-min-idle"
			    : pool->queue      ? "pool-queue"
			    : pool->acquire_ms ? "pool-acquire-timeout"
			    : pool->idle_s     ? "pool-idle-timeout"
			    : pool->life_s     ? "pool-max-life"
			    : pool->order      ? "pool-order"
					       : NULL;

	if (other && !pool->max)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "--%s without --pool-max", other),
				"--pool-max sets how many connections the pool may have");
	if (pool->min_idle > pool->max)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"--pool-min-idle %u is more than --pool-max %u",
					pool->min_idle, pool->max),
				"idle connections count for --pool-max");
	if (pool->max && target->listen.kind != SERVICE_TCP)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"--pool-max needs a --listen tcp:ADDR:PORT"),
				"the pool is for the connections of several programs");
	if (pool->max && (identity->relay_only || identity->transport == PEER_TRANSPORT_UDP))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"--pool-max and --%s exclude each other",
					identity->relay_only ? "relay-only" : "transport udp"),
				"the pool has direct TCP connections only");
	return 0;
}

int peer_target_check(const struct peer_target *target, const struct peer_identity *identity,
		      struct err *err)
{
	if (!target->to)
		return err_set(err, EXIT_USAGE, EINVAL, "a --to NAME is needed");
	if (identity->id && !strcmp(target->to, identity->id))
		return err_set(err, EXIT_USAGE, EINVAL, "--to %s is this peer itself", target->to);
	if (!target->listen.kind == !target->stdio)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					target->stdio ? "--listen and --stdio exclude each other"
						      : "a --listen or --stdio is needed"),
				"--listen tcp:127.0.0.1:2222 lets programs of this host connect to"
				" the service");
	if (target->stdio && target->until_eof)
		return err_set(err, EXIT_USAGE, EINVAL,
			       "--stdio and --until-eof exclude each other");
	return check_pool(target, identity, err);
}
