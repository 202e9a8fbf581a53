/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Determines whether mode wire handles the answers of a local server to a client. */
#ifndef SLUICE_WIRE_COVERAGE_H
#define SLUICE_WIRE_COVERAGE_H

#include "wire/wire.h"

/* A client, identified by the data that its server has. */
struct wire_client {
	struct sluice_addr addr;
	__be16 port_be;
	__u16 server_port;
	__u32 netns;   /* of the server */
	__u32 ifindex; /* interface on which the requests arrived; 0: unknown */
};

enum wire_covers {
	WIRE_COVERS_NOT, /* not covered, or unknown */
	/* The client is behind an attached interface, or a record shows its datagrams there. */
	WIRE_COVERS_CLIENT,
	WIRE_COVERS_BY_REWRITING, /* and its requests are being redirected */
};

struct wire_cover {
	struct wire_state state;
	int flows_fd; /* negative: the flow table is not readable */
	struct flow_table_clock clock;
};

/* Returns 0, or -errno with *err set: -ENOENT if mode wire is not loaded. */
int wire_cover_open(const char *bpffs, struct wire_cover *cover, struct err *err);
void wire_cover_close(struct wire_cover *cover);
/* Returns the best coverage over all interfaces. */
enum wire_covers wire_cover_of(const struct wire_cover *cover, const struct wire_client *client);

#endif
