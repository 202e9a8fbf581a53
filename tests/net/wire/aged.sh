#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server replies late. Within --age, the reply leaves from the requested address, unless that
# address has left the host. Later the flow has expired, and the reply is left alone.
#
#   container ── veth3 ═ docker0 172.17.0.1 [host: 0.0.0.0:56789, slow to answer] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

ADDR=192.0.2.1

none_live()
{
	[ "$(json "d['wire']['flows']['live']" sluice -j --netns "$HOST" reply show)" = 0 ]
}

# answered_when ADDR COMMAND…: sends a request; the server answers once COMMAND succeeds
answered_when()
{
	local addr=$1 client
	shift
	: >"$LOG"
	spawn_in "$CONTAINER" "$TEST_TMP/client" "$CLIENT" --any --from 172.17.0.3:4000 \
		--to "$addr:$PORT" --timeout-ms 30000
	client=$SPAWNED
	wait_until 10 grep -q '^held 1$' "$LOG"
	"$@"
	kill -USR1 "$server"
	wait "$client" || true
	cat "$TEST_TMP/client"
}

topology_up
addr_add "$HOST" eth0 "$ADDR/24"
# without a route to a removed address, the kernel's lookup returns the same as for a local address
ip -n "$HOST" route add default via 172.16.13.1
serve "$HOST" sendto4 "$PORT" --hold
server=$SPAWNED

say "without sluice"
want_line "answered $NEAR4:$PORT 1" "$(answered_when "$ADDR" true)"
say "an answer after the address has left the host"
wire_load --follow docker0
want_line "answered $ADDR:$PORT 1" "$(answered_when "$ADDR" true)"
want_line "answered $NEAR4:$PORT 1" \
	"$(answered_when "$ADDR" addr_del "$HOST" eth0 "$ADDR/24")"

say "an answer after the age"
wire_load --follow docker0 --age 1
want_line "answered $NEAR4:$PORT 1" "$(answered_when "$FAR4" wait_until 20 none_live)"
say "an answer in time"
wire_load --follow docker0 --age 3600
want_line "answered $FAR4:$PORT 1" "$(answered_when "$FAR4" sleep 1.5)"
say "unloaded"
wire_unload
want_line "answered $NEAR4:$PORT 1" "$(answered_when "$FAR4" true)"
no_errors "$LOG"
