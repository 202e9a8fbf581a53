// SPDX-License-Identifier: GPL-2.0-or-later
/* Predicts the ports of the own NAT for each introduction of a link (meet/peer/predict.h). */
#include "base/addr.h"
#include "meet/node/link.h"
#include "nat/client.h"

#include <string.h>

/* Before the first checks, so that these get the next ports. */
#define EARLY_NS 2000000ULL

static void on_predicted(const struct sluice_rendezvous_predicted *predicted, void *arg)
{
	const struct link *link = arg;

	peer_session_set_predicted(link->session, link->predicting, predicted, runtime_now_ns());
	link->runtime->update(link->runtime->update_arg);
}

/*
 * Returns true if a prediction may help: only the relay carries it, and without a NAT, or with
 * IPv6, no port changes.
 */
static bool is_useful(const struct link *link, const struct introduction *introduction,
		      const struct stun_endpoint *server)
{
	const struct peer_session_remote *path = peer_session_path(link->session);
	const struct runtime *runtime = link->runtime;
	const struct tcp_stream *stream = runtime->stream[introduction->server];
	struct in6_addr own;

	return runtime->relay == PEER_SESSION_RELAY_LAST && !runtime->tcp_only &&
	       !(stream && stream->connected) &&
	       (!path || path->kind == PEER_SESSION_REMOTE_RELAYED) &&
	       addr_is_ip4(&introduction->mapped.addr) && !nat_local_addr(&server->addr, &own) &&
	       !IN6_ARE_ADDR_EQUAL(&own, &introduction->mapped.addr);
}

void link_predict(struct link *link, const struct introduction *introduction)
{
	const struct stun_endpoint *server = peer_client_server_at(link->runtime->client,
								   introduction->server);
	uint64_t now_ns = runtime_now_ns(), at_ns = introduction->start_ns - EARLY_NS;

	prediction_free(link->prediction);
	link->prediction = NULL;
	if (!is_useful(link, introduction, server))
		return;
	memcpy(link->predicting, introduction->id, sizeof(link->predicting));
	link->prediction = prediction_new(link->runtime->loop, server,
					  at_ns > now_ns ? (at_ns - now_ns) / 1000 : 0,
					  on_predicted, link);
}
