#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two servers share a port with SO_REUSEPORT. The kernel distributes the peers over both, and each
# server replies to its own peers.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: two servers on [::]:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" dual6 "$PORT" --reuseport
first=$SPAWNED
spawn_in "$HOST" "$TEST_TMP/second.log" "$SERVER" --kind dual6 --port "$PORT" --reuseport
both_bound()
{
	[ "$(in_ns "$HOST" grep -c ":$(printf '%04X' "$PORT") " /proc/net/udp6)" = 2 ]
}
wait_until 10 both_bound

say "without sluice"
want_line "sent 40 right 0 wrong 40 refused 0 lost 0 corrupt 0" \
	"$(ask "$CONTAINER" --any --to "$FAR4:$PORT" --flows 40)"
say "loaded"
reply_load
want_line "sent 40 right 40 wrong 0 refused 0 lost 0 corrupt 0" \
	"$(ask "$CONTAINER" --to "$FAR4:$PORT" --flows 40 --burst)"
want_line "sent 40 right 40 wrong 0 refused 0 lost 0 corrupt 0" \
	"$(ask "$CONTAINER" --to "[$FAR6]:$PORT" --flows 40 --burst)"

say "both have answered"
want_equal "$(json "len({flow['pid'] for flow in d['flows']})" sluice -j reply flows)" 2
stop "$first"
want_right "$CONTAINER" "$FAR4" "$PORT"

say "unloaded"
sluice reply unload
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
