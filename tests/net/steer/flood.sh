#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 100,000 datagrams from 100,000 spoofed sources flood a table for 32,768 flows, which has 1,000
# live flows. No live flow moves, even if a worker is added during the flood. The kernel has no flow
# table: without sluice, it moves hundreds of live flows.
#
#   host: 1,000 flows ── lo ── four workers, and a fifth
#         100,000 sources, one datagram each ─┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

# With this table size, nine live flows share a set of eight ways once in 30 million runs. With a
# table for 4,096, it is one run in 10.
COUNT=1000 SPOOFED=100000 TABLE=32768

flooded_half()
{
	[ "$(in_ns "$HOST" cat /proc/net/snmp | awk '/^Udp: [0-9]/ { print $2 }')" -gt "$1" ]
}

# under_flood COMMAND…: runs COMMAND before the flood and, after adding a worker, during the flood
under_flood()
{
	local first flood before
	workers "$HOST" --port "$PORT" --workers 4
	first=$SERVER_PID
	"$@"
	flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 2000
	before=$(udp_counter "$HOST" InDatagrams)
	spawn_in "$HOST" "$TEST_TMP/flood" "$FLOWS" --to "127.0.0.1:$PORT" --flood "$SPOOFED" \
		--from 127.1.0.1 --sources "$SPOOFED" --rate 20000
	flood=$SPAWNED
	wait_until 60 flooded_half $((before + SPOOFED / 2))
	workers "$HOST" --port "$PORT"
	"$@"
	wait "$flood"
	want_equal "$(cat "$TEST_TMP/flood")" "flooded $SPOOFED"
	flows_go_on $((3 * COUNT))
	flows_end
	stop "$first"
	stop "$SERVER_PID"
}

netns_add "$HOST"
say "without sluice"
under_flood true
want_at_least $((COUNT / 5)) "$(result moved)" "flows moved"

say "loaded"
under_flood sluice --netns "$HOST" steer load --port "$PORT" --flows "$TABLE"
want_equal "$(result moved)" 0 "live flows moved"
# half of the new flows do not evict a flow with one datagram
want_at_least $((SPOOFED / 2)) $(($(steer_counter half_open_lost) + $(steer_counter unrecorded))) \
	"flows of one datagram without a way, or evicted"
want_at_least $((SPOOFED / 8)) "$(steer_counter half_open_lost)" "evicted flows of one datagram"
sluice steer unload
