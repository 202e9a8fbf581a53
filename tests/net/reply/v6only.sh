#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server has two sockets on the same port, as many servers do: one on the IPv6 wildcard address
# (IPV6_V6ONLY), and one on the IPv4 wildcard address.
#
#   container fd17::3    ── docker0 fd17::1    [host: [::]:56789    ] eth0 fd16::13
#             172.17.0.3            172.17.0.1 [      0.0.0.0:56789 ]      172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" sendto6 "$PORT"
log6=$LOG
want_fixed "$CONTAINER" "$FAR6" "$PORT" "$NEAR6"

serve "$HOST" sendto4 "$PORT"
want_fixed "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
reply_load
want_right "$CONTAINER" "$FAR6" "$PORT" --from "[fd17::3]:4000"
want_right "$CONTAINER" "$FAR4" "$PORT" --from "172.17.0.3:4000"
no_errors "$log6"
no_errors "$LOG"
