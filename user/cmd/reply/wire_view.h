/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the wire plane is shown, by 'reply load', 'reply show' and 'status'. */
#ifndef SLUICE_CMD_REPLY_WIRE_VIEW_H
#define SLUICE_CMD_REPLY_WIRE_VIEW_H

#include "base/output.h"
#include "wire/wire.h"

/* What 'reply load --mode wire' has done. */
void wire_view_result(const struct wire_options *options, const struct wire_result *result,
		      const char *outcome, const struct output *output);
json_t *wire_view_json(const struct wire_state *state);
void wire_view_text(const struct wire_state *state, const struct output *output);
/* The programs on each hook that we are on, those of others among them. */
json_t *wire_order_json(const struct wire_state *state);
void wire_order_text(const struct wire_state *state, const struct output *output);

#endif
