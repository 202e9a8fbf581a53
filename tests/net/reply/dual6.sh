#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One dual-stack socket on the IPv6 wildcard address serves native IPv6 peers, and IPv4 peers as
# v4-mapped addresses. Its sends to v4-mapped addresses run the IPv4 hook.
#
#   container fd17::3    ── docker0 fd17::1    [host: [::]:56789] eth0 fd16::13
#             172.17.0.3            172.17.0.1                         172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" dual6 "$PORT"
want_fixed "$CONTAINER" "$FAR6" "$PORT" "$NEAR6"
want_fixed "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "both kinds of peers at the same time"
reply_load
want_right "$CONTAINER" "$FAR6" "$PORT" --from "[fd17::3]:4000"
want_right "$CONTAINER" "$FAR4" "$PORT" --from "172.17.0.3:4000"
want_right "$CONTAINER" "$NEAR6" "$PORT" --from "[fd17::3]:4000"
want_right "$CONTAINER" "$NEAR4" "$PORT" --from "172.17.0.3:4000"
no_errors "$LOG"
