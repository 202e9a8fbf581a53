#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Datagrams of 8 KB and 60 KB in mode wire: every fragment of a reply or a redirected request gets
# the same address as the first fragment, even if bridge netfilter reassembles and refragments them.
#
#   container ── veth3 ═ docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13
#               (MTU 1500)
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

topology_up
serve "$HOST" dual6 "$PORT"
LOAD=(wire_load --follow docker0)

for netfilter in 0 1; do
	bridge_netfilter "$netfilter"
	for size in 8192 60000; do
		say "bridge netfilter $netfilter, $size bytes"
		want_wire "$CONTAINER" "$FAR4" "$PORT" "$NEAR4" --size "$size"
		want_wire "$CONTAINER" "$FAR6" "$PORT" "$NEAR6" --size "$size"
	done
done

say "every fragment is accounted for"
wire_load --follow docker0
want_right "$CONTAINER" "$FAR4" "$PORT" --size 8192
# three datagrams of six fragments in each direction: five of the six are later fragments
want_equal "$(wire_counter fragment_followed)" 30 "later fragments"
want_equal "$(wire_counter fragment_early)" 0 "fragments before their first"
want_equal "$(wire_counter reply_rewritten)" 3 "replies"
no_errors "$LOG"

say "requests in fragments to a server that has connected back"
for pair in "$FAR4 172.17.0.3" "$FAR6 fd17::3"; do
	read -r far client <<<"$pair"
	for netfilter in 0 1; do
		bridge_netfilter "$netfilter"
		serve "$HOST" connect6 "$BACK_PORT"
		before=$(wire_counter request_rewritten)
		want_right "$CONTAINER" "$far" "$BACK_PORT" --size 8192 --from "$(target "$client" $((4000 + netfilter)))"
		[ "$(wire_counter request_rewritten)" -gt "$before" ] || fail "no request is redirected"
		stop "$SPAWNED"
	done
done
want_equal "$(wire_counter fragment_early)" 0 "fragments before their first"
