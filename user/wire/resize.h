/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From one flow table of wire mode to another. */
#ifndef SLUICE_WIRE_RESIZE_H
#define SLUICE_WIRE_RESIZE_H

#include <sluice/wire.h>

/* Copies the flows of a table into another, which *meta describes. 0 or -errno. */
int wire_move_flows(int from_fd, int to_fd, const struct sluice_wire_meta *meta);

#endif
