// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/node/reflexive.h"

#include "meet/tcp/server_stream.h"
#include "net/stun_build.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void on_answer(void *arg, const uint8_t *data, size_t length)
{
	struct reflexive *reflexive = arg;
	struct stun_message message;

	if (stun_parse(data, length, &message) || message.method != SLUICE_STUN_BINDING ||
	    !stun_is_response(&message, reflexive->id) || stun_get_mapped(&message, &reflexive->at))
		return;
	reflexive->known(reflexive->arg);
}

static void on_changed(void *arg)
{
	struct reflexive *reflexive = arg;
	struct stun_builder builder;
	uint8_t request[SLUICE_STUN_HEADER_SIZE];

	if (!reflexive->stream->connected) {
		reflexive->ended(reflexive->arg);
		return;
	}
	if (getrandom(reflexive->id, sizeof(reflexive->id), 0) != sizeof(reflexive->id))
		return;
	stun_begin(&builder, request, sizeof(request), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST,
		   reflexive->id);
	server_stream_send(reflexive->stream, request, stun_end(&builder));
}

static void on_flush(void *arg)
{
	struct reflexive *reflexive = arg;

	reflexive->flush(reflexive->arg);
}

int reflexive_learn(struct reflexive *reflexive, in_port_t port_be,
		    const struct stun_endpoint *server)
{
	if (!reflexive->stream) {
		reflexive->stream = malloc(sizeof(*reflexive->stream));
		if (!reflexive->stream)
			return -ENOMEM;
		*reflexive->stream = (struct tcp_stream){ .loop = reflexive->loop,
							  .frame = server_stream_frame,
							  .received = on_answer,
							  .changed = on_changed,
							  .flush = on_flush,
							  .arg = reflexive,
							  .fd = -1 };
	}
	if (reflexive->stream->fd >= 0)
		return 0;
	return tcp_stream_connect(reflexive->stream, port_be, server);
}

void reflexive_close(struct reflexive *reflexive)
{
	if (reflexive->stream)
		tcp_stream_close(reflexive->stream, true);
}

void reflexive_free(struct reflexive *reflexive)
{
	reflexive_close(reflexive);
	free(reflexive->stream);
	reflexive->stream = NULL;
}
