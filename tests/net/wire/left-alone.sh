#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What wire mode leaves alone, or must not break: sockets bound to one address, servers that set the
# source themselves, ports that are not named, the host as a client, forwarded datagrams; and one
# client port that uses two addresses in turn, with a right answer from each.
#
#   container, container2 ═ docker0 172.17.0.1 [host] eth0 172.16.13.13 ── lan
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

topology_up second
forwarding 1
serve "$HOST" dual6 "$PORT"
serve "$HOST" pktinfo6 50001
serve "$HOST" sendto4 50002 --bind "$FAR4"
serve "$HOST" sendto4 50003
serve "$CONTAINER2" sendto4 "$PORT"
serve "$LAN" sendto4 "$PORT"

say "the kernel alone"
want_right "$CONTAINER" "$FAR4" 50001
want_right "$CONTAINER" "$FAR4" 50002
want_wrong "$CONTAINER" "$FAR4" 50003 "$NEAR4"

wire_load --follow docker0 --port "$PORT,50001-50002"
say "a server with PKTINFO, and one bound to a single address"
want_right "$CONTAINER" "$FAR4" 50001
want_right "$CONTAINER" "$FAR6" 50001
want_right "$CONTAINER" "$FAR4" 50002
say "a port that is not named"
want_wrong "$CONTAINER" "$FAR4" 50003 "$NEAR4"
say "the same port of another host: beside this one, and behind it"
before=$(wire_counter request_rewritten)
want_right "$CONTAINER" 172.17.0.4 "$PORT"
want_right "$CONTAINER" 172.16.13.1 "$PORT"
want_equal "$(wire_counter request_rewritten)" "$before" "requests rewritten"
[ "$(wire_counter request_not_local)" -ge 3 ] || fail "forwarded requests are not counted"
say "the host as a client, from each of its addresses"
want_right "$HOST" 172.17.0.4 "$PORT"
want_right "$HOST" 172.17.0.4 "$PORT" --from "$FAR4"
want_right "$HOST" 172.17.0.4 "$PORT" --from "$FAR4:$((PORT + 1))"

say "one client port, two addresses"
for addr in "$FAR4" "$NEAR4" "$FAR4" "$NEAR4"; do
	want_right "$CONTAINER" "$addr" "$PORT" --from 172.17.0.3:4000
done
want_line "sent 4 right 4 wrong 0 refused 0 lost 0 corrupt 0" \
	"$(ask "$CONTAINER" --any --to "$FAR4:$PORT,$NEAR4:$PORT" --count 2 --from 172.17.0.3:4001)"
say "two clients with the same port"
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4002
want_right "$CONTAINER2" "$FAR4" "$PORT" --from 172.17.0.4:4002
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4002

say "a removed address: requests follow the route, and no longer reach a local socket"
ip -n "$HOST" route add default via 172.17.0.4
wire_load --follow docker0 --port "$PORT" >/dev/null
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4003
addr_del "$HOST" eth0 "$FAR4/24"
rewritten=$(wire_counter request_rewritten)
want_line "sent 1 right 0 wrong 0 refused 0 lost 1 corrupt 0" \
	"$(ask "$CONTAINER" --to "$FAR4:$PORT" --timeout-ms 300 --from 172.17.0.3:4004)"
want_equal "$(wire_counter request_rewritten)" "$rewritten" "requests rewritten"
say "a new address is known without another load, if a route covers it"
addr_add "$HOST" eth0 192.0.2.1/24
want_right "$CONTAINER" 192.0.2.1 "$PORT"
