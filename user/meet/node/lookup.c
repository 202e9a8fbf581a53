// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Resolves the addresses of the servers. If a server does not answer, its name is looked up again:
 * the server may have moved, or another of its addresses may work. getaddrinfo() blocks for many
 * seconds if no name server answers, so each later lookup runs in its own thread, which sends its
 * result to the loop and shares no other state.
 */
#include "base/addr.h"
#include "meet/node/node.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPEAT_US 15000000

struct lookup {
	int fd;
	unsigned int index;
	struct peer_server server;
	bool ip6;
	struct stun_endpoint before;
};

struct result {
	unsigned int index;
	bool found;
	struct stun_endpoint at;
};

static struct stun_endpoint endpoint_of(const struct addrinfo *info)
{
	struct stun_endpoint at = { .port_be = 0 };
	union any_sockaddr addr;

	memcpy(&addr, info->ai_addr, info->ai_addrlen);
	endpoint_from_sockaddr(&at, &addr);
	return at;
}

static int look_up(const struct peer_server *server, bool ip6, struct addrinfo **found)
{
	const struct addrinfo want = { .ai_family = ip6 ? AF_UNSPEC : AF_INET,
				       .ai_socktype = SOCK_DGRAM,
				       .ai_flags = AI_ADDRCONFIG };

	return getaddrinfo(server->host, server->port, &want, found);
}

int node_resolve(const struct peer_server *server, bool ip6, struct stun_endpoint *at,
		 struct err *err)
{
	struct addrinfo *found = NULL;
	int result = look_up(server, ip6, &found);

	if (result)
		return err_set(err, EXIT_ERROR, EHOSTUNREACH, "--server %s: %s", server->host,
			       result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
	*at = endpoint_of(found);
	freeaddrinfo(found);
	return 0;
}

/* Returns the address after @before, which does not answer, or the first address. */
static struct stun_endpoint choose(const struct addrinfo *found, const struct stun_endpoint *before)
{
	const struct addrinfo *info;
	struct stun_endpoint at;

	for (info = found; info->ai_next; info = info->ai_next) {
		at = endpoint_of(info);
		if (stun_endpoint_is_same(&at, before))
			return endpoint_of(info->ai_next);
	}
	return endpoint_of(found);
}

static void *run(void *arg)
{
	struct lookup *lookup = arg;
	struct result result = { .index = lookup->index };
	struct addrinfo *found = NULL;

	if (!look_up(&lookup->server, lookup->ip6, &found)) {
		result.found = true;
		result.at = choose(found, &lookup->before);
		freeaddrinfo(found);
	}
	send(lookup->fd, &result, sizeof(result), MSG_NOSIGNAL);
	close(lookup->fd);
	free(lookup);
	return NULL;
}

/* Starts a thread with all signals blocked: the loop handles the signals. */
static int start_thread(struct lookup *lookup)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int result;

	if (pthread_attr_init(&attr))
		return -ENOMEM;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&thread, &attr, run, lookup);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -result;
}

static void start(void *arg)
{
	struct node_server *server = arg;
	struct node *node = server->node;
	struct lookup *lookup;

	loop_timer_start(server->lookup, REPEAT_US);
	if (server->looking_up)
		return;
	lookup = malloc(sizeof(*lookup));
	if (!lookup)
		return;
	*lookup = (struct lookup){ .fd = dup(node->lookup_fd[1]),
				   .index = server->index,
				   .server = node->identity->server[server->index],
				   .ip6 = node->runtime.socket.ip6,
				   .before = *peer_client_server_at(node->runtime.client,
								    server->index) };
	if (lookup->fd >= 0 && !start_thread(lookup)) {
		server->looking_up = true;
		return;
	}
	if (lookup->fd >= 0)
		close(lookup->fd);
	free(lookup);
}

static void on_result(void *arg)
{
	struct node *node = arg;
	struct node_server *server;
	struct result result;

	while (recv(node->lookup_fd[0], &result, sizeof(result), MSG_DONTWAIT) == sizeof(result)) {
		server = &node->server[result.index];
		server->looking_up = false;
		/* otherwise the server has answered meanwhile */
		if (result.found && loop_timer_runs(server->lookup))
			node_server_found(node, result.index, &result.at);
	}
	node_update(node);
}

void node_lookup_start(struct node *node, unsigned int server)
{
	struct in6_addr addr;

	/* nothing to look up for a literal address */
	if (addr_parse(node->identity->server[server].host, &addr))
		return;
	if (!loop_timer_runs(node->server[server].lookup))
		start(&node->server[server]);
}

void node_lookup_stop(struct node *node, unsigned int server)
{
	loop_timer_stop(node->server[server].lookup);
}

int node_lookups_open(struct node *node)
{
	unsigned int i;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, node->lookup_fd))
		return -errno;
	for (i = 0; i < node->identity->servers; i++) {
		node->server[i].lookup = loop_timer(node->runtime.loop, false, start,
						    &node->server[i]);
		if (!node->server[i].lookup)
			return -ENOMEM;
	}
	return loop_read(node->runtime.loop, node->lookup_fd[0], on_result, node);
}

void node_lookups_close(struct node *node)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (node->lookup_fd[i] >= 0)
			close(node->lookup_fd[i]);
		node->lookup_fd[i] = -1;
	}
}
