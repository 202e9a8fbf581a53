#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Wire mode on the ports of a bridge: a server on the wildcard address answers from the address that
# was asked, over IPv4 and IPv6, with one ASSURED entry in conntrack; with and without bridge
# netfilter, with the kernel's own route look-up (forwarding on) and with the routes of user space.
#
#   container 172.17.0.3 ── veth3 ═ docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

topology_up
serve "$HOST" dual6 "$PORT"
LOAD=(wire_load --follow docker0)

for forwarding in 1 0; do
	for netfilter in 0 1; do
		say "forwarding $forwarding, bridge netfilter $netfilter"
		forwarding "$forwarding"
		bridge_netfilter "$netfilter"
		want_wire "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
		want_wire "$CONTAINER" "$FAR6" "$PORT" "$NEAR6"
	done
done

say "what was decided by which routes"
forwarding 1
wire_load --follow docker0
want_right "$CONTAINER" "$FAR4" "$PORT"
want_assured "$FAR4"
want_equal "$(wire_counter routes_by_table)" 0 "look-ups in the routes of user space"
want_equal "$(wire_counter request_rewritten)" "$(wire_counter reply_rewritten)" "answers"
forwarding 0
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4001
want_right "$CONTAINER" "$FAR6" "$PORT"
[ "$(wire_counter routes_by_table)" -ge 2 ] || fail "the routes of user space were not asked"

say "the near address is right as it is, and left alone"
before=$(wire_counter request_rewritten)
want_right "$CONTAINER" "$NEAR4" "$PORT"
want_right "$CONTAINER" "$NEAR6" "$PORT"
want_equal "$(wire_counter request_rewritten)" "$before" "requests rewritten"
[ "$(wire_counter request_right)" -ge 6 ] || fail "right requests are not counted"

sluice --netns "$HOST" reply unload
want_verified
no_errors "$LOG"
