/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Content negotiation by the header Accept (RFC 9110, section 12.5.1). */
#ifndef SLUICE_METRICS_ACCEPT_H
#define SLUICE_METRICS_ACCEPT_H

#include "metrics/metrics.h"

/*
 * Returns OpenMetrics if the client prefers it to plain text; otherwise, and for a client that
 * accepts neither, Prometheus text. @accept is any text, or NULL.
 */
enum metrics_format accept_format(const char *accept);

#endif
