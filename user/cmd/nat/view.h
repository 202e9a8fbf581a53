/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report of a NAT probe as text and JSON. */
#ifndef SLUICE_CMD_NAT_VIEW_H
#define SLUICE_CMD_NAT_VIEW_H

#include "base/output.h"
#include "nat/probe.h"

void nat_view_text(const struct nat_probe_report *report, const struct output *output);
/* Returns the whole document. */
json_t *nat_view_json(const struct nat_probe_report *report);

#endif
