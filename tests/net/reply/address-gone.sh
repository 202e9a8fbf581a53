#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An address leaves the host between a request and its reply. Without sluice, the reply leaves from
# the route's address; with sluice, the send must not fail either. After its return, the address is
# used again.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: [::]:56789] eth0 172.16.13.13, fd16::13
#                                                                    └ removed and added again
. "$(dirname "$0")/../lib/lib.sh"

topology_up second
# so that CONTAINER2 can lose the requested address too
addr_add "$CONTAINER2" eth0 10.9.9.9/32
addr_add "$CONTAINER2" eth0 fd99::9/128
ip -n "$CONTAINER" route add 10.9.9.9 via 172.17.0.4
ip -n "$CONTAINER" route add fd99::9 via fd17::4

# answered_after COMMAND… ADDR: sends a request to ADDR, runs COMMAND while the server holds the
# request, and prints the client's output
answered_after()
{
	local addr=${!#} client
	set -- "${@:1:$#-1}"
	: >"$LOG"
	spawn_in "$CONTAINER" "$TEST_TMP/client" "$CLIENT" --any --to "$(target "$addr" "$PORT")"
	client=$SPAWNED
	wait_until 10 grep -q '^held 1$' "$LOG"
	"$@"
	kill -USR1 "$server"
	wait "$client" || true
	no_errors "$LOG"
	cat "$TEST_TMP/client"
}

# leaves NAME DEV ADDR/LEN ROUTE_ADDR: while ADDR is away, answers come from ROUTE_ADDR
leaves()
{
	local name=$1 dev=$2 addr=${3%/*} prefix=$3 other=$4
	want_line "answered $(target "$other" "$PORT") 1" \
		"$(answered_after addr_del "$name" "$dev" "$prefix" "$addr")"
	addr_add "$name" "$dev" "$prefix"
}

returns()
{
	local addr=$1
	want_line "answered $(target "$addr" "$PORT") 1" "$(answered_after true "$addr")"
}

serve "$HOST" dual6 "$PORT" --hold
server=$SPAWNED
say "without sluice"
leaves "$HOST" eth0 "$FAR4/24" "$NEAR4"
leaves "$HOST" eth0 "$FAR6/64" "$NEAR6"

say "loaded"
reply_load
for round in 1 2; do
	leaves "$HOST" eth0 "$FAR4/24" "$NEAR4"
	returns "$FAR4"
	leaves "$HOST" eth0 "$FAR6/64" "$NEAR6"
	returns "$FAR6"
done

say "other addresses that come and go have no effect"
want_line "answered $(target "$FAR4" "$PORT") 1" \
	"$(answered_after addr_add "$HOST" lo 10.9.9.7/32 "$FAR4")"
want_line "answered $(target "$FAR4" "$PORT") 1" \
	"$(answered_after addr_del "$HOST" lo 10.9.9.7/32 "$FAR4")"
want_line "answered $(target "$FAR6" "$PORT") 1" \
	"$(answered_after addr_add "$HOST" lo fd99::7/128 "$FAR6")"
want_line "answered $(target "$FAR6" "$PORT") 1" \
	"$(answered_after addr_del "$HOST" lo fd99::7/128 "$FAR6")"

say "an address that only a route makes local is left to the kernel: a send from it could fail"
ip -n "$CONTAINER" route add 10.88.0.0/24 via "$NEAR4"
ip -n "$HOST" route add local 10.88.0.0/24 dev lo table 100
ip -n "$HOST" rule add iif docker0 lookup 100
want_line "answered $NEAR4:$PORT 1" "$(answered_after true 10.88.0.5)"
ip -n "$HOST" rule del iif docker0 lookup 100
ip -n "$HOST" route add local 10.88.0.0/24 dev lo
want_line "answered $NEAR4:$PORT 1" \
	"$(answered_after ip -n "$HOST" route del local 10.88.0.0/24 dev lo 10.88.0.5)"

say "another network namespace, with its own addresses"
stop "$server"
serve "$CONTAINER2" dual6 "$PORT" --hold
server=$SPAWNED
leaves "$CONTAINER2" eth0 10.9.9.9/32 172.17.0.4
returns 10.9.9.9
leaves "$CONTAINER2" eth0 fd99::9/128 fd17::4
returns fd99::9

say "an address that leaves one namespace stays valid in another"
addr_add "$HOST" lo 10.9.9.9/32
want_line "answered 10.9.9.9:$PORT 1" \
	"$(answered_after addr_del "$HOST" lo 10.9.9.9/32 10.9.9.9)"

say "the entire interface is deleted"
stop "$server"
serve "$HOST" dual6 "$PORT" --hold
server=$SPAWNED
want_line "answered $NEAR4:$PORT 1" \
	"$(answered_after ip -n "$HOST" link del eth0 "$FAR4")"

say "unloaded"
sluice reply unload
addr_add "$HOST" lo "$FAR4/32"
want_line "answered $NEAR4:$PORT 1" "$(answered_after true "$FAR4")"
leaves "$HOST" lo "$FAR4/32" "$NEAR4"
