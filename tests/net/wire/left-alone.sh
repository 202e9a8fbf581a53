#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What wire mode leaves alone, or must not break: sockets bound to one address, servers that set the
# source themselves, ports that are not named, addresses that no interface has (AnyIP), the host as a
# client, and forwarded datagrams.
#
#   container, container2 ═ docker0 172.17.0.1 [host] eth0 172.16.13.13 ── lan
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

ANY4=10.50.0.7 ANY6=fd50::7

topology_up second
forwarding 1
ip -n "$HOST" route add local 10.50.0.0/24 dev lo
ip -n "$HOST" -6 route add local fd50::/64 dev lo
serve "$HOST" dual6 "$PORT"
serve "$HOST" pktinfo6 50001
serve "$HOST" sendto4 50002 --bind "$FAR4"
serve "$HOST" sendto4 50003
serve "$CONTAINER2" sendto4 "$PORT"
serve "$LAN" sendto4 "$PORT"

say "the kernel alone"
want_right "$CONTAINER" "$ANY4" 50001
want_wrong "$CONTAINER" "$ANY4" "$PORT" "$NEAR4"
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
say "the host as a client, from each of its addresses"
want_right "$HOST" 172.17.0.4 "$PORT"
want_right "$HOST" 172.17.0.4 "$PORT" --from "$FAR4"
want_right "$HOST" 172.17.0.4 "$PORT" --from "$FAR4:$((PORT + 1))"

say "an address of the host by a route alone"
want_right "$CONTAINER" "$ANY4" 50001
want_wrong "$CONTAINER" "$ANY4" "$PORT" "$NEAR4"
want_wrong "$CONTAINER" "$ANY6" "$PORT" "$NEAR6"
say "two clients with the same port"
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4002
want_right "$CONTAINER2" "$FAR4" "$PORT" --from 172.17.0.4:4002
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4002

say "a removed address: requests follow the route, and no longer reach a local socket"
ip -n "$HOST" route add default via 172.17.0.4
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4003
addr_del "$HOST" eth0 "$FAR4/24"
want_line "sent 1 right 0 wrong 0 refused 0 lost 1 corrupt 0" \
	"$(ask "$CONTAINER" --to "$FAR4:$PORT" --timeout-ms 300 --from 172.17.0.3:4004)"
say "a new address is known without another load"
addr_add "$HOST" eth0 192.0.2.1/24
want_right "$CONTAINER" 192.0.2.1 "$PORT"
