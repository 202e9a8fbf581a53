#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A flood of forged requests, twelve per table slot, answered or not, does not evict the flow of a
# peer that has sent more than one request: its server replies long after the flood, from the
# requested address. Forged sources with more than one request evict only flows of their own
# interface. With all ports managed, the same number of forwarded flows does not evict the peer's
# flow either. Right servers stay right throughout.
#
#   container 172.17.0.3, forging 10.77.0.0/16 ──┐
#   container2            forging 10.78.0.0/16 ── docker0 [host] eth0, or s0 ── [behind]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

HELD_PORT=50040 SILENT_PORT=50041 TABLE=2048 FORGED=$((12 * 2048))

held()
{
	[ "$(grep -c "^$1" "$HELD_LOG")" -ge "$2" ]
}

# answered_after COMMAND…: sends a request, runs COMMAND before the answer, and prints the outcome
answered_after()
{
	local client held
	held=$(grep -c '^held' "$HELD_LOG" || true)
	spawn_in "$CONTAINER" "$TEST_TMP/client" "$CLIENT" --from 172.17.0.3:4000 \
		--to "$A4:$HELD_PORT" --timeout-ms 600000
	client=$SPAWNED
	wait_until 20 held held $((held + 1))
	"$@"
	kill -USR1 "$HELD"
	wait_until 20 held released $((held + 1))
	# an answer from another address never reaches the connected client
	wait_until "${PATIENCE:-20}" ended "$client" 2>/dev/null || kill -KILL "$client"
	wait "$client" || true
	cat "$TEST_TMP/client"
}

ended()
{
	! kill -0 "$1" 2>/dev/null
}

# flood PORT: sends the flood, half of it to each of two servers
flood()
{
	local port
	for port in "$PORT" "$SILENT_PORT"; do
		in_ns "$CONTAINER" "$BUILD/tests/udp-flows" --to "$A4:$port" --flood $((FORGED / 2)) \
			--from 10.77.0.1 --sources $((FORGED / 4)) >/dev/null
	done
}

# flood_again: sends ten requests from each of many peers on another interface, one peer per table
# slot
flood_again()
{
	in_ns "$CONTAINER2" "$BUILD/tests/udp-flows" --to "$A4:$PORT" --flood $((10 * TABLE)) \
		--from 10.78.0.1:4000 --sources "$TABLE" >/dev/null
}

# flood_forwarded: sends flows to another host, which does not answer
flood_forwarded()
{
	in_ns "$CONTAINER" "$BUILD/tests/udp-flows" --to "172.16.13.1:$SILENT_PORT" --flood "$FORGED" \
		--from 10.77.0.1 --sources $((FORGED / 4)) >/dev/null
}

# serve_silent NAME: starts a server that never reads
serve_silent()
{
	spawn_in "$1" "$TEST_TMP/silent" python3 -c "import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', $SILENT_PORT))
time.sleep(3600)"
	wait_udp "$1" "$SILENT_PORT"
}

topology_up second
behind_up
forwarding 1
in_ns "$CONTAINER" ip route add local 10.77.0.0/16 dev lo
in_ns "$CONTAINER2" ip route add local 10.78.0.0/16 dev lo
ip -n "$HOST" route add 10.77.0.0/16 via 172.17.0.3
ip -n "$HOST" route add 10.78.0.0/16 via 172.17.0.4
for subject in host behind; do
	subject "$subject"
	[ "$subject" = host ] || PROBES=("${GATEWAY_PROBES[@]}")
	servers_up "$SUBJECT"
	serve "$SUBJECT" sendto4 "$HELD_PORT" --hold
	HELD=$SPAWNED HELD_LOG=$LOG
	serve_silent "$SUBJECT"

	say "$subject: without sluice"
	want_servers kernel "$CONTAINER" "$A4=$S4"
	want_right "$CONTAINER" "$A4" "$RIGHT_PORT" --from 172.17.0.3:4001
	want_equal "$(PATIENCE=1 answered_after true)" "" "an answer"
	say "$subject: loaded"
	# the floods may take longer than the default age
	LOAD+=(--table "$TABLE" --age 3600)
	"${LOAD[@]}"
	right="sent 1 right 1 wrong 0 refused 0 lost 0 corrupt 0"
	want_right "$CONTAINER" "$A4" "$RIGHT_PORT" --from 172.17.0.3:4001
	want_equal "$(answered_after true)" "$right"
	want_equal "$(answered_after true)" "$right"
	say "$subject: under the flood"
	want_equal "$(answered_after flood)" "$right"
	want_right "$CONTAINER" "$A4" "$RIGHT_PORT" --from 172.17.0.3:4001
	want_right "$CONTAINER" "$A4" "$PORT" --from 172.17.0.3:4002
	want_servers fixed "$CONTAINER" "$A4=$S4"
	wire_unload
	say "$subject: unloaded"
	want_servers kernel "$CONTAINER" "$A4=$S4"
	want_right "$CONTAINER" "$A4" "$RIGHT_PORT" --from 172.17.0.3:4001
	[ "$subject" = host ] || continue
	say "under a flood at another interface"
	"${LOAD[@]}"
	want_equal "$(answered_after true)" "$right"
	want_equal "$(answered_after true)" "$right"
	want_equal "$(answered_after flood_again)" "$right"
	[ "$(wire_counter evicted)" -gt 0 ] || fail "the flood has filled no set of the table"
	wire_unload

	say "all ports, under a flood of forwarded flows"
	serve_silent "$LAN"
	"${LOAD[@]}" --port any
	want_equal "$(answered_after true)" "$right"
	want_equal "$(answered_after true)" "$right"
	want_right "$CONTAINER" "$A4" "$RIGHT_PORT" --from 172.17.0.3:4001
	want_equal "$(answered_after flood_forwarded)" "$right"
	want_right "$CONTAINER" "$A4" "$RIGHT_PORT" --from 172.17.0.3:4001
	want_right "$CONTAINER" "$A4" "$PORT" --from 172.17.0.3:4002
	want_servers fixed "$CONTAINER" "$A4=$S4"
	want_equal "$(wire_counter evicted)" 0 "proven records evicted"
	[ "$(wire_counter evicted_half_open)" -gt 1000 ] || fail "the flood has filled no set"
	want_equal "$(wire_counter address_search)" 0 "searches for forwarded flows"
	wire_unload
	say "unloaded"
	want_servers kernel "$CONTAINER" "$A4=$S4"
	want_right "$CONTAINER" "$A4" "$RIGHT_PORT" --from 172.17.0.3:4001
done
