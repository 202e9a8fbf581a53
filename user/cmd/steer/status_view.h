/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The object steer in a few lines, for 'sluice status'; 'steer show' prints the details. */
#ifndef SLUICE_CMD_STEER_STATUS_VIEW_H
#define SLUICE_CMD_STEER_STATUS_VIEW_H

#include "base/output.h"
#include "steer/view.h"

/*
 * Sets *loaded to false if steer is not loaded, which is not an error.  The caller frees the view
 * in any case.
 */
int steer_status_read(const char *bpffs, struct steer_view *view, bool *loaded, struct err *err);
void steer_status_text(const struct steer_view *view, const struct output *output);
json_t *steer_status_json(const struct steer_view *view);

#endif
