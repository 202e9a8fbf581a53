// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Handles Binding requests (RFC 8489), with the attributes of RFC 5780, and requests of RFC 3489
 * clients. A bare request gets XOR-MAPPED-ADDRESS alone: each further attribute would help an
 * attacker who forges its source. With a second address, the server has to name its addresses (RFC
 * 5780, section 6.1).
 */
#include "meet/rendezvous/request.h"

#include <errno.h>

/*
 * Attributes that a client may send to any server, among them those of checks between peers (RFC
 * 8445). PADDING is not: the answer would have to be as long as the MTU.
 */
static const uint16_t known[] = {
	SLUICE_STUN_MAPPED_ADDRESS, SLUICE_STUN_USERNAME,      SLUICE_STUN_ERROR_CODE,
	SLUICE_STUN_REALM,	    SLUICE_STUN_NONCE,	       SLUICE_STUN_UNKNOWN_ATTRIBUTES,
	SLUICE_STUN_USERHASH,	    SLUICE_STUN_PRIORITY,      SLUICE_STUN_PASSWORD_ALGORITHM,
	SLUICE_STUN_USE_CANDIDATE,  SLUICE_STUN_RESPONSE_PORT, SLUICE_STUN_XOR_MAPPED_ADDRESS,
	SLUICE_STUN_CHANGE_REQUEST,
};
#define KNOWN (sizeof(known) / sizeof(*known))

/*
 * Applies CHANGE-REQUEST and RESPONSE-PORT to the path of the response. Returns 0, -EBADMSG, or
 * -EOPNOTSUPP with the attribute that this server, or this transport, does not support.
 */
static int choose_path(const struct request *request, const struct listener *listener,
		       struct path *path, uint16_t *refused)
{
	uint32_t change = 0;
	uint16_t port = 0;
	int result;

	*path = *request->path;
	result = stun_get_u32(request->message, SLUICE_STUN_CHANGE_REQUEST, &change);
	if (result == -EBADMSG)
		return result;
	change &= SLUICE_STUN_CHANGE_IP | SLUICE_STUN_CHANGE_PORT;
	*refused = SLUICE_STUN_CHANGE_REQUEST;
	if (change && (path->stream || !listener->has_alternate))
		return -EOPNOTSUPP;
	if (change & SLUICE_STUN_CHANGE_IP)
		path->role ^= SOCKET_OTHER_ADDR;
	if (change & SLUICE_STUN_CHANGE_PORT)
		path->role ^= SOCKET_OTHER_PORT;
	if (change)
		path->local = listener_address(listener, path->role);
	result = stun_get_u16(request->message, SLUICE_STUN_RESPONSE_PORT, &port);
	if (result == -ENOENT)
		return 0;
	*refused = SLUICE_STUN_RESPONSE_PORT;
	if (result || !port)
		return -EBADMSG;
	if (path->stream)
		return -EOPNOTSUPP;
	path->client.port_be = htons(port);
	return 0;
}

static void put_addresses(struct stun_builder *builder, const struct request *request,
			  const struct listener *listener, const struct path *path)
{
	const struct stun_endpoint other = listener_address(
		listener, request->path->role ^ (SOCKET_OTHER_ADDR | SOCKET_OTHER_PORT));

	if (request->message->classic) {
		stun_put_address(builder, SLUICE_STUN_MAPPED_ADDRESS, &request->path->client);
		if (!listener->has_alternate)
			return;
		stun_put_address(builder, SLUICE_STUN_SOURCE_ADDRESS, &path->local);
		stun_put_address(builder, SLUICE_STUN_CHANGED_ADDRESS, &other);
		return;
	}
	stun_put_xor_address(builder, SLUICE_STUN_XOR_MAPPED_ADDRESS, &request->path->client);
	if (!listener->has_alternate)
		return;
	stun_put_address(builder, SLUICE_STUN_RESPONSE_ORIGIN, &path->local);
	stun_put_address(builder, SLUICE_STUN_OTHER_ADDRESS, &other);
}

void binding_request(const struct request *request)
{
	struct server *server = request->server;
	const struct listener *listener = &server->config.listener[request->path->listener];
	struct path path;
	struct reply reply;
	uint16_t refused;
	int result;

	if (reply_unknown(request, known, KNOWN))
		return;
	result = choose_path(request, listener, &path, &refused);
	if (result == -EBADMSG) {
		reply_error(request, 400, COUNT_bad_request);
		return;
	}
	if (result) {
		reply_begin(&reply, request, SLUICE_STUN_ERROR);
		stun_put_error(&reply.builder, 420);
		stun_put_unknown(&reply.builder, &refused, 1);
		if (reply_send(&reply, request, request->path))
			count(server, COUNT_bad_request);
		return;
	}
	reply_begin(&reply, request, SLUICE_STUN_SUCCESS);
	put_addresses(&reply.builder, request, listener, &path);
	if (!reply_send(&reply, request, &path))
		return;
	count(server, COUNT_binding);
	if (request->message->classic)
		count(server, COUNT_binding_classic);
	if (path.role != request->path->role ||
	    path.client.port_be != request->path->client.port_be)
		count(server, COUNT_binding_elsewhere);
}
