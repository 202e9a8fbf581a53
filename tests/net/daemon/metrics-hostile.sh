#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# HTTP clients that are slow, partial, oversized or hostile, and too many of them: the daemon
# answers others meanwhile, closes them, and keeps neither descriptors nor memory.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/metrics.sh"

HOST=host
netns_add "$HOST"
configure "metrics = $METRICS_PORT" '[reply]' 'mode = socket' "port = $PORT"
daemon_start
in_ns "$HOST" python3 "$ROOT/tests/net/lib/metrics_hostile.py" "$METRICS_PORT" "$DAEMON"
want_status 0 sluice status
want_text "[reply] loaded"
no_errors "$DAEMON_LOG"
daemon_stop
sluice reply unload
