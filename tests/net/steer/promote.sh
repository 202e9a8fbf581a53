#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Workers with one socket each that start seconds apart share the flows: none of them is a new
# generation. The operator promotes one worker, which then takes the new flows, and reverts this. A
# promotion also undoes a drain. Existing flows do not move.
#
#   host: flows ── lo ── three processes with one socket each
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=60

# new_flows NUMBER PID…: prints how many of COUNT new flows each of these processes answers. NUMBER
# must differ in each call, because a source address and port that was used before is an old flow.
new_flows()
{
	local pid from=127.0.$1.1
	shift
	flows "$HOST" --to "127.0.0.1:$PORT" --from "$from" --flows "$COUNT"
	flows_end
	for pid in "$@"; do
		of_process flows "$pid"
	done | paste -sd' '
}

states()
{
	json "[s['state'] for g in d['groups'] for s in g['slots']]" sluice -j steer show
}

netns_add "$HOST"
say "three workers share"
PIDS=()
for number in 1 2 3; do
	[ "$number" = 1 ] || sleep 2.2
	workers "$HOST" --port "$PORT"
	PIDS+=("$SERVER_PID")
	sluice --netns "$HOST" steer load --port "$PORT"
done
want_equal "$(states)" "['active', 'active', 'active']" "states"
for share in $(new_flows 1 "${PIDS[@]}"); do
	want_at_least 1 "$share" "flows of each worker"
done

say "promoted"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
first_log=$FLOWS_LOG first=$CLIENT_PID
want_status 0 sluice steer promote "${PIDS[2]}"
want_text "new flows go to process ${PIDS[2]}: 1 socket in 1 group; 2 others only keep their flows"
want_equal "$(states)" "['retired', 'retired', 'active']" "states"
want_equal "$(new_flows 2 "${PIDS[@]}")" "0 0 $COUNT" "new flows"
want_equal "$(json "d['changed'], d['groups'], d['sockets'], d['sockets_retired']" \
	sluice -j steer promote "${PIDS[2]}")" "(False, 1, 1, 2)" "promoted again"
sluice --netns "$HOST" steer load --port "$PORT"
want_equal "$(states)" "['retired', 'retired', 'active']" "states after another load"

say "and back"
want_status 0 sluice steer promote "${PIDS[0]}"
want_equal "$(new_flows 3 "${PIDS[@]}")" "$COUNT 0 0" "new flows"
FLOWS_LOG=$first_log CLIENT_PID=$first
flows_go_on $((2 * COUNT))
want_equal "$(result moved)" 0 "old flows moved"

say "a drained process"
want_status 0 sluice steer drain --idle 0 --limit 0 "${PIDS[0]}"
want_equal "$(states)" "['drained', 'retired', 'active']" "states"
want_status 0 sluice steer promote "${PIDS[0]}"
want_equal "$(states)" "['active', 'retired', 'retired']" "states"
want_equal "$(new_flows 4 "${PIDS[@]}")" "$COUNT 0 0" "new flows"

say "a process that is being drained"
FLOWS_LOG=$first_log CLIENT_PID=$first
"$SLUICE" steer drain --limit 600 --idle 600 "${PIDS[2]}" >"$TEST_TMP/drain" 2>&1 &
DRAIN_PID=$!
is_draining()
{
	[[ $(states) == *draining* ]]
}
wait_until 20 is_draining || fail "it does not drain: $(cat "$TEST_TMP/drain")"
want_status 5 sluice steer promote "${PIDS[2]}"
want_text "process ${PIDS[2]} is being drained"
kill -INT "$DRAIN_PID"
wait "$DRAIN_PID" && fail "it did not fail"
flows_end

say "errors"
want_status 2 sluice steer promote
want_text "steer promote needs a PID"
want_status 2 sluice steer promote x
want_status 1 sluice steer promote $$
want_text "process $$ has no steered socket"
for pid in "${PIDS[@]}"; do
	stop "$pid"
done
want_status 1 sluice steer promote "${PIDS[0]}"
want_text "process ${PIDS[0]}: No such process"
sluice steer unload
want_status 1 sluice steer promote $$
want_text "steer is not loaded"
