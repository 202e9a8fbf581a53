/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether mode wire sees to the answers that a server of this host gives a client. */
#ifndef SLUICE_WIRE_COVERAGE_H
#define SLUICE_WIRE_COVERAGE_H

#include "wire/wire.h"

/* A client, as its server has heard it. */
struct wire_client {
	struct sluice_addr addr;
	struct sluice_addr requested; /* of the addresses of this host */
	__be16 port_be;
	__u16 server_port;
	__u32 netns;   /* of the server */
	__u32 ifindex; /* by which the client was heard; 0: not known */
};

enum wire_covers {
	WIRE_COVERS_NOT, /* as far as can be told */
	/* The client is behind an interface that it is attached to, or was seen at one. */
	WIRE_COVERS_CLIENT,
	WIRE_COVERS_BY_REWRITING, /* the same, and its flow needs a change, and gets it */
};

struct wire_cover {
	struct wire_state state;
	int flows_fd; /* negative: no flows are known */
};

/* 0, or -errno with *err set, also if it is not loaded. */
int wire_cover_open(const char *bpffs, struct wire_cover *cover, struct err *err);
void wire_cover_close(struct wire_cover *cover);
enum wire_covers wire_cover_of(const struct wire_cover *cover, const struct wire_client *client);

#endif
