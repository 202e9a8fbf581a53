/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local address at which programs reach a service of another peer. */
#ifndef SLUICE_MEET_FORWARD_LISTENER_H
#define SLUICE_MEET_FORWARD_LISTENER_H

#include "base/loop.h"
#include "meet/peer/service.h"

struct listener_tcp {
	struct loop *loop;
	struct loop_watch *watch;
	struct loop_timer *timer; /* retries accept after a lack of descriptors */
	/*
	 * Takes ownership of an accepted connection. Returns -EAGAIN, with the connection still
	 * open, if no stream is available now.
	 */
	int (*take)(void *arg, int fd);
	loop_fn flush; /* called when take() has queued data */
	void *arg;
	bool open;    /* else connections wait */
	int fd, held; /* -1: none; held: accepted, waiting for a stream */
};

/* Opens the socket. Returns its descriptor, or -errno with *err set. */
int listener_open(const struct service_address *address, struct err *err);

/* Returns 0 or -ENOMEM. listener->loop, ->fd, ->take, ->flush and ->arg are set. */
int listener_tcp_init(struct listener_tcp *listener);
/* Accepts connections, or lets them wait. */
void listener_tcp_use(struct listener_tcp *listener, bool open);
/* Retries the held connection, because a stream has ended. */
void listener_tcp_retry(struct listener_tcp *listener);
void listener_tcp_close(struct listener_tcp *listener);

#endif
