/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status socket of a peer: one JSON document to each client, in the event loop. A slow client
 * has some seconds to read the document.
 */
#ifndef SLUICE_MEET_REPORT_STATUS_H
#define SLUICE_MEET_REPORT_STATUS_H

#include "base/loop.h"

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#define PEER_STATUS_CLIENTS 8

struct peer_status;

struct peer_status_client {
	struct peer_status *status;
	struct loop_watch *watch;
	struct loop_timer *timer;
	int fd; /* -1: free */
	char *text;
	size_t length, sent;
};

struct peer_status {
	struct loop *loop;
	json_t *(*document)(void *arg); /* returns a new reference */
	void *arg;
	int fd; /* -1: closed */
	uid_t owner;
	struct sockaddr_un address;
	struct peer_status_client client[PEER_STATUS_CLIENTS];
};

/* Listens on the status socket of the peer @id. A failure is only logged. */
void peer_status_open(struct peer_status *status, struct loop *loop, const char *id,
		      json_t *(*document)(void *arg), void *arg);
/* Must be called before the loop is freed. */
void peer_status_close(struct peer_status *status);

#endif
