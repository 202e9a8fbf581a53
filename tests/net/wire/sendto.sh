#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Wire mode on the ports of a bridge: a server on the wildcard address answers from the requested
# address, over IPv4 and IPv6, with one ASSURED conntrack entry. Runs with and without bridge
# netfilter, with the kernel's route lookup (forwarding on) and with the table of routes.
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

say "which routes were used"
forwarding 1
wire_load --follow docker0
want_right "$CONTAINER" "$FAR4" "$PORT"
want_assured "$FAR4"
want_equal "$(wire_counter routes_by_table)" 0 "lookups in the table of routes"
want_equal "$(wire_counter request_rewritten)" "$(wire_counter reply_rewritten)" "answers"
forwarding 0
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4001
want_right "$CONTAINER" "$FAR6" "$PORT"
[ "$(wire_counter routes_by_table)" -ge 2 ] || fail "the table of routes was not used"

say "the near address is right without rewriting, and left alone"
before=$(wire_counter request_rewritten)
want_right "$CONTAINER" "$NEAR4" "$PORT"
want_right "$CONTAINER" "$NEAR6" "$PORT"
want_equal "$(wire_counter request_rewritten)" "$before" "requests rewritten"
[ "$(wire_counter request_right)" -ge 6 ] || fail "right requests are not counted"

sluice --netns "$HOST" reply unload
want_verified
no_errors "$LOG"
