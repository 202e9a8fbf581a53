#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two clients with the same source port use two addresses of the server at the same time. A flow
# that was learned from one client must not affect the other client.
#
#   container  172.17.0.3:4000 ──┐
#                                docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
#   container2 172.17.0.4:4000 ──┘
. "$(dirname "$0")/../lib/lib.sh"

# both: sends both requests before the server answers either
both()
{
	spawn_in "$CONTAINER" "$TEST_TMP/one" "$CLIENT" --any --from 172.17.0.3:4000 --to "$1:$PORT"
	one=$SPAWNED
	wait_until 10 grep -q '^held 1$' "$LOG"
	spawn_in "$CONTAINER2" "$TEST_TMP/two" "$CLIENT" --any --from 172.17.0.4:4000 --to "$2:$PORT"
	two=$SPAWNED
	wait_until 10 grep -q '^held 2$' "$LOG"
	kill -USR1 "$server"
	wait "$one" "$two" || true
	want_line "answered $3:$PORT 1" "$(cat "$TEST_TMP/one")"
	want_line "answered $4:$PORT 1" "$(cat "$TEST_TMP/two")"
	: >"$LOG"
}

topology_up second
serve "$HOST" sendto4 "$PORT" --hold
server=$SPAWNED

say "without sluice answers both from the route's address"
both "$FAR4" "$NEAR4" "$NEAR4" "$NEAR4"
say "loaded, each answer comes from the address that its client used"
reply_load
both "$FAR4" "$NEAR4" "$FAR4" "$NEAR4"
both "$NEAR4" "$FAR4" "$NEAR4" "$FAR4"
both "$FAR4" "$FAR4" "$FAR4" "$FAR4"
say "unloaded"
sluice reply unload
both "$FAR4" "$NEAR4" "$NEAR4" "$NEAR4"
