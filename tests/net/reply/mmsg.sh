#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Servers receive and reply in batches, with recvmmsg(2) and sendmmsg(2). The datagrams of a batch
# belong to different peers.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: servers] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/../lib/lib.sh"

# want_batch: stops the server while the requests arrive, so that it receives a batch
want_batch()
{
	local addr=$1 port=$2 server=$3 client output=$TEST_TMP/batch
	halt "$server"
	spawn_in "$CONTAINER" "$output" "$CLIENT" --to "$(target "$addr" "$port")" --flows 40 --burst
	client=$SPAWNED
	wait_until 10 queued "$port" 40
	kill -CONT "$server"
	wait "$client" || true
	want_line "sent 40 right 40 wrong 0 refused 0 lost 0 corrupt 0" "$(cat "$output")"
}

# queued PORT COUNT: returns true if the server's queue holds the requests of COUNT sockets of
# CONTAINER
queued()
{
	[ "$(in_ns "$CONTAINER" cat /proc/net/udp /proc/net/udp6 |
		grep -c ":$(printf '%04X' "$1") 01")" = "$2" ]
}

topology_up
serve "$HOST" mmsg4 "$PORT"
want_fixed "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
reply_load
want_batch "$FAR4" "$PORT" "$SPAWNED"
sluice reply unload
no_errors "$LOG"

port=$((PORT + 1))
serve "$HOST" mmsg6 "$port"
want_fixed "$CONTAINER" "$FAR6" "$port" "$NEAR6"
want_fixed "$CONTAINER" "$FAR4" "$port" "$NEAR4"
reply_load
want_batch "$FAR6" "$port" "$SPAWNED"
no_errors "$LOG"
