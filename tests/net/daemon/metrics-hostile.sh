#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Slow, partial, oversized and hostile HTTP clients, and too many of them: the daemon still answers
# other clients, closes these connections, and leaks neither descriptors nor memory.
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
