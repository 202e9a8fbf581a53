#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Servers that set the source of their replies with IP_PKTINFO or IPV6_PKTINFO keep this source,
# whether or not it is the requested address.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: servers] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" pktinfo4 "$PORT"
serve "$HOST" pktinfo6 $((PORT + 1))
serve "$HOST" source4 $((PORT + 2)) --source "$FAR4"
serve "$HOST" source6 $((PORT + 3)) --source "$FAR6"

ask_all()
{
	want_right "$CONTAINER" "$FAR4" "$PORT"
	want_right "$CONTAINER" "$NEAR4" "$PORT"
	want_right "$CONTAINER" "$FAR6" $((PORT + 1))
	want_right "$CONTAINER" "$FAR4" $((PORT + 1))
	want_wrong "$CONTAINER" "$NEAR4" $((PORT + 2)) "$FAR4"
	want_wrong "$CONTAINER" "$NEAR6" $((PORT + 3)) "$FAR6"
}

say "without sluice"
ask_all
say "loaded"
reply_load
ask_all
want_equal "$(counter left_source_set)" 18 "answers left alone"
want_equal "$(counter fixed)" 0 "fixed"
say "unloaded"
sluice reply unload
ask_all
