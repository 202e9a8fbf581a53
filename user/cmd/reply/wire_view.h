/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text and JSON of the object wire, for 'reply load', 'reply show' and 'status'. */
#ifndef SLUICE_CMD_REPLY_WIRE_VIEW_H
#define SLUICE_CMD_REPLY_WIRE_VIEW_H

#include "base/output.h"
#include "wire/wire.h"

/* Prints the result of 'reply load --mode wire'. */
void wire_view_result(const struct wire_options *options, const struct wire_result *result,
		      const char *outcome, const struct output *output);
json_t *wire_view_json(const struct wire_state *state);
void wire_view_text(const struct wire_state *state, const struct output *output);
/* Show the order of all programs on each hook that has one of sluice's. */
json_t *wire_order_json(const struct wire_state *state);
void wire_order_text(const struct wire_state *state, const struct output *output);

#endif
