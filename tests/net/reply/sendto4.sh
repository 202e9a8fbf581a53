#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server on the IPv4 wildcard address replies with sendto(2). Requests go to the host's second
# address.
#
#   container 172.17.0.3 ── docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
#                sends to 172.16.13.13, the answer comes from 172.17.0.1
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" sendto4 "$PORT"

say "a connected client receives nothing from the wrong address"
want_line "sent 2 right 0 wrong 0 refused 0 lost 2 corrupt 0" \
	"$(ask "$CONTAINER" --to "$FAR4:$PORT" --count 2 --timeout-ms 150)"

want_fixed "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "answers from the route's address, and to another client, are right with or without sluice"
want_right "$CONTAINER" "$NEAR4" "$PORT"
want_right "$LAN" "$FAR4" "$PORT"
reply_load
want_right "$CONTAINER" "$NEAR4" "$PORT"
want_right "$LAN" "$FAR4" "$PORT"

say "learned and fixed are counted"
want_right "$CONTAINER" "$FAR4" "$PORT"
[ "$(counter learned)" -gt 0 ] || fail "nothing learned"
[ "$(counter fixed)" -ge 3 ] || fail "fixed: $(counter fixed)"
no_errors "$LOG"
