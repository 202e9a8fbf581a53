/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A short report of the object steer, for 'sluice status'; 'steer show' prints the details. */
#ifndef SLUICE_CMD_STATUS_STEER_H
#define SLUICE_CMD_STATUS_STEER_H

#include "cli/output.h"
#include "steer/view.h"

/*
 * Sets *loaded to false if steer is not loaded, which is not an error. The caller always frees the
 * view.
 */
int status_steer_read(const char *bpffs, struct steer_view *view, bool *loaded, struct err *err);
void status_steer_text(const struct steer_view *view, const struct output *output);
json_t *status_steer_json(const struct steer_view *view);

#endif
