/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steering plane in a few lines, for 'sluice status'; 'steer show' has the rest. */
#ifndef SLUICE_STEER_STATUS_H
#define SLUICE_STEER_STATUS_H

#include "output.h"
#include "steer_view.h"

/* -ENOENT is no error here: *loaded is false then. Free the view in either case. */
int steer_status_read(const char *bpffs, struct steer_view *view, bool *loaded, struct err *err);
void steer_status_text(const struct steer_view *view, const struct output *output);
json_t *steer_status_json(const struct steer_view *view);

#endif
