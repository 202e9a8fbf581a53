#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Servers reply with sendmsg(2) without control data, on IPv4 and on dual-stack sockets.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: servers] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" sendmsg4 "$PORT"
want_fixed "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
no_errors "$LOG"

port=$((PORT + 1))
serve "$HOST" sendmsg6 "$port"
want_fixed "$CONTAINER" "$FAR6" "$port" "$NEAR6"
want_fixed "$CONTAINER" "$FAR4" "$port" "$NEAR4"
no_errors "$LOG"
