#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An address that leaves the host is no longer used as a source, and is used again after its return.
# Other addresses and namespaces are not affected, nor is an address that the host has twice.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: [::]:56789] eth0 172.16.13.13, fd16::13
#   container2 ┘ 172.17.0.4, and a server of its own on 10.9.9.9
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

# answered_after COMMAND… ADDR: sends a request to ADDR, runs COMMAND while the server holds the
# request, and prints the client's output
answered_after()
{
	local addr=${!#} client
	set -- "${@:1:$#-1}"
	: >"$held_log"
	spawn_in "$CONTAINER" "$TEST_TMP/client" "$CLIENT" --any --to "$(target "$addr" "$HELD")"
	client=$SPAWNED
	wait_until 10 grep -q '^held 1$' "$held_log"
	"$@"
	kill -USR1 "$holder"
	wait "$client" || true
	no_errors "$held_log"
	cat "$TEST_TMP/client"
}

topology_up second
HELD=$((PORT + 1))
addr_add "$HOST" lo 10.9.9.9/32
addr_add "$CONTAINER2" eth0 10.8.8.8/32
ip -n "$CONTAINER" route add 10.8.8.8 via 172.17.0.4
serve "$CONTAINER2" dual6 "$PORT"
serve "$HOST" dual6 "$HELD" --hold
holder=$SPAWNED
held_log=$LOG
serve "$HOST" dual6 "$PORT"
configure '[reply]' 'mode = socket' "port = $PORT,$HELD"
daemon_start

for addr in "$FAR4" "$FAR6" 10.9.9.9 10.8.8.8; do
	want_right "$CONTAINER" "$addr" "$PORT"
done

say "IPv4"
want_line "answered $FAR4:$HELD 1" "$(answered_after true "$FAR4")"
want_line "answered $NEAR4:$HELD 1" "$(answered_after addr_del "$HOST" eth0 "$FAR4/24" "$FAR4")"

say "IPv6"
want_line "answered [$NEAR6]:$HELD 1" "$(answered_after addr_del "$HOST" eth0 "$FAR6/64" "$FAR6")"

say "an address that exists on a second interface"
addr_add "$HOST" eth0 10.9.9.9/32
want_line "answered 10.9.9.9:$HELD 1" \
	"$(answered_after addr_del "$HOST" lo 10.9.9.9/32 10.9.9.9)"

say "an address of another namespace affects that namespace only"
addr_add "$HOST" lo 10.8.8.8/32
addr_del "$HOST" lo 10.8.8.8/32
want_right "$CONTAINER" 10.8.8.8 "$PORT"

say "the address returns; it is learned and used again"
addr_add "$HOST" eth0 "$FAR4/24"
addr_add "$HOST" eth0 "$FAR6/64"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$PORT"
want_line "answered $FAR4:$HELD 1" "$(answered_after true "$FAR4")"

say "addresses come and go under traffic to others: no other flow is lost"
spawn_in "$CONTAINER" "$TEST_TMP/client" "$CLIENT" --any --until-signal --to "10.9.9.9:$PORT"
client=$SPAWNED
for round in $(seq 40); do
	addr_del "$HOST" eth0 "$FAR4/24"
	addr_add "$HOST" eth0 "$FAR4/24"
	[ $((round % 10)) != 0 ] || want_right "$CONTAINER" "$FAR4" "$PORT"
done
kill -TERM "$client"
wait "$client" || true
read -r _ sent _ right _ <"$TEST_TMP/client"
want_equal "$right" "$sent" "answers: $(cat "$TEST_TMP/client")"

want_equal "$(grep -E 'level=(warning|error)' "$DAEMON_LOG" || true)" "" "warnings and errors of the daemon"
daemon_stop
sluice cleanup
want_verified
