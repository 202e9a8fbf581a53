#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A flood of 50,000 sources with 1, 2 and 5 datagrams each fills a table for 2,048 flows. Live flows
# do not move. Flows that begin later are recorded once the flood's flows are no longer protected,
# before --idle has passed: none of them moves at the next generation.
#
#   host: flows ── lo ── two workers; then two of a new generation
#          50,000 sources, 1, 2 and 5 datagrams each ─┘
#
# takes long: floods of 50,000 sources
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

# 100 flows in 256 sets of eight: nine of them share a set once in 10^7 runs
COUNT=50 SPOOFED=50000 TABLE=2048

# all_recorded: returns true if none of the last datagrams has started a flow. Two flows may also
# evict each other alternately.
all_recorded()
{
	local before
	before=$(steer_counter started)
	flows_go_on $((3 * COUNT))
	[ "$(steer_counter started)" = "$before" ]
}

netns_add "$HOST"
for each in 1 2 5; do
	say "$each from each source"
	workers "$HOST" --port "$PORT" --workers 2
	first=$SERVER_PID
	sluice --netns "$HOST" steer load --port "$PORT" --flows "$TABLE"
	flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 500
	flows_go_on $((3 * COUNT))
	live=$FLOWS_LOG live_client=$CLIENT_PID
	in_ns "$HOST" "$FLOWS" --to "127.0.0.1:$PORT" --flood $((SPOOFED * each)) --burst "$each" \
		--from 127.1.0.1 --sources "$SPOOFED"
	# an unrecorded flow avoids a full queue, and then returns
	flows_go_on $((3 * COUNT))
	[ "$each" = 1 ] || want_at_least 1000 "$(steer_counter unrecorded)" "flows without a way"
	flows "$HOST" --to "127.0.0.1:$PORT" --from 127.0.0.2 --flows "$COUNT" --rate 500
	wait_until $((4 * each)) all_recorded || fail "flows are still not recorded"
	workers "$HOST" --port "$PORT" --workers 2
	sluice --netns "$HOST" steer promote "$SERVER_PID"
	flows_go_on $((3 * COUNT))
	flows_end
	want_equal "$(result moved)" 0 "moved, of the flows after the flood"
	FLOWS_LOG=$live CLIENT_PID=$live_client
	flows_end
	want_equal "$(result moved)" 0 "moved, of the live flows"
	[ "$each" = 1 ] || want_at_least 1 "$(steer_counter lapsed_lost)" "flows replaced"
	sluice steer unload
	stop "$first"
	stop "$SERVER_PID"
	wait_until 10 udp_unbound "$HOST" "$PORT"
done
