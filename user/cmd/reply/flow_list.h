/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flows of the reply plane, of both modes, read before anything is printed: so that an error
 * leaves no half of a document, and those heard last can come first.
 */
#ifndef SLUICE_CMD_REPLY_FLOW_LIST_H
#define SLUICE_CMD_REPLY_FLOW_LIST_H

#include "reply/reply.h"
#include "wire/wire.h"

#include <stddef.h>

struct socket_flow {
	__u64 age_ns;
	struct sluice_flow flow;
};

struct wire_flow {
	__u64 age_ns;
	struct sluice_wire_flow flow;
};

struct socket_flows {
	bool loaded;
	struct sluice_reply_meta meta;
	struct socket_flow *flow;
	size_t count;
	size_t room;
	size_t older; /* past their age, and left out */
};

struct wire_flows {
	bool loaded;
	struct sluice_wire_meta meta;
	struct wire_iface *ifaces; /* that it is attached to */
	int iface_count;
	struct wire_flow *flow;
	size_t count;
	size_t room;
	size_t older;
};

struct flow_list {
	struct socket_flows socket;
	struct wire_flows wire;
};

/*
 * Reads what is loaded, the flow heard last first; those past their age only with `all`.  0, or
 * -errno with *err set.  The caller frees, also on failure.
 */
int flow_list_read(const char *bpffs, bool all, struct flow_list *list, struct err *err);
void flow_list_free(struct flow_list *list);

#endif
