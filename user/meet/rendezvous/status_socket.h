/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends the status of the server as one JSON document to each client of its socket. A child process
 * writes it, so that neither a long list nor a slow client delays the server.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_STATUS_SOCKET_H
#define SLUICE_MEET_RENDEZVOUS_STATUS_SOCKET_H

#include "base/loop.h"
#include "meet/rendezvous/rendezvous.h"
#include "meet/rendezvous/tcp.h"

#include <sys/types.h>
#include <sys/un.h>

struct status {
	const struct rendezvous_options *options;
	const struct server_config *config;
	const struct server *server;
	const struct tcp *tcp;
	const struct meet_xdp *xdp; /* NULL: none */
	const char *refused;	    /* why the last reload was refused, or "" */
	bool draining;
	char public_key[KEY_TEXT];
	uint64_t started_ns;
	/* of the socket */
	struct loop *loop;
	struct sockaddr_un address;
	int fd;	     /* -1: none */
	uid_t owner; /* the user who may connect, besides root */
};

/* Sets the socket address of the server @name. */
void status_address(const char *name, struct sockaddr_un *address);
/*
 * Listens, before the privileges are dropped. Returns 0, or -errno with *err set: EXIT_CONFLICT if
 * another server has the name.
 */
int status_open(struct status *status, struct err *err);
/* Answers in the loop. Returns 0 or -errno. */
int status_start(struct status *status, struct loop *loop);
void status_close(struct status *status);

#endif
