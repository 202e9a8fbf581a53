// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/report/status.h"

#include "base/local_socket.h"
#include "base/log.h"
#include "cli/output.h"
#include "meet/peer/status_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRITE_US 10000000 /* time limit for a client to read the document */

static void end_client(void *arg)
{
	struct peer_status_client *client = arg;

	loop_watch_free(client->status->loop, client->watch);
	loop_timer_free(client->status->loop, client->timer);
	close(client->fd);
	free(client->text);
	*client = (struct peer_status_client){ .status = client->status, .fd = -1 };
}

static void on_writable(void *arg)
{
	struct peer_status_client *client = arg;
	ssize_t sent = send(client->fd, client->text + client->sent, client->length - client->sent,
			    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && errno == EAGAIN)
		return;
	if (sent > 0)
		client->sent += (size_t)sent;
	if (sent <= 0 || client->sent == client->length)
		end_client(client);
}

static void start_client(struct peer_status_client *client, int fd)
{
	struct peer_status *status = client->status;
	json_t *document = status->document(status->arg);

	client->fd = fd;
	client->text = json_dumps(document, JSON_COMPACT | OUTPUT_JSON_FLAGS);
	json_decref(document);
	client->length = client->text ? strlen(client->text) : 0;
	client->watch = loop_watch(status->loop, fd, on_writable, client);
	client->timer = loop_timer(status->loop, false, end_client, client);
	if (!client->length || !client->watch || !client->timer ||
	    loop_timer_start(client->timer, WRITE_US) ||
	    loop_watch_want(client->watch, false, true))
		end_client(client);
}

static void on_client(void *arg)
{
	struct peer_status *status = arg;
	int fd = local_socket_accept(status->fd, status->owner);
	unsigned int i;

	for (i = 0; fd >= 0 && i < PEER_STATUS_CLIENTS; i++)
		if (status->client[i].fd < 0) {
			start_client(&status->client[i], fd);
			return;
		}
	if (fd >= 0)
		close(fd);
}

void peer_status_open(struct peer_status *status, struct loop *loop, const char *id,
		      json_t *(*document)(void *arg), void *arg)
{
	struct err err = { 0 };
	unsigned int i;
	int result;

	*status = (struct peer_status){
		.loop = loop, .document = document, .arg = arg, .fd = -1, .owner = geteuid()
	};
	for (i = 0; i < PEER_STATUS_CLIENTS; i++)
		status->client[i] = (struct peer_status_client){ .status = status, .fd = -1 };
	/*
	 * no directory for sockets, for example in an ssh login without a session: only peer list
	 * is affected
	 */
	if (!peer_status_address(id, &status->address))
		return;
	status->fd = local_socket_listen(&status->address, &err);
	if (status->fd < 0) {
		log_err(&err);
		return;
	}
	result = loop_read(loop, status->fd, on_client, status);
	if (!result)
		return;
	log_warning("status socket: %s", strerror(-result));
	peer_status_close(status);
}

void peer_status_close(struct peer_status *status)
{
	unsigned int i;

	for (i = 0; i < PEER_STATUS_CLIENTS; i++)
		if (status->client[i].status && status->client[i].fd >= 0)
			end_client(&status->client[i]);
	if (status->fd < 0)
		return;
	loop_remove(status->loop, status->fd);
	close(status->fd);
	status->fd = -1;
	unlink(status->address.sun_path);
}
