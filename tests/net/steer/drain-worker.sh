#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One worker of a server dies during a drain. The drain holds the worker's socket open, so the
# kernel does not report the death. Nevertheless its flows move at once, those of the other worker
# stay, and the drain continues until the other worker has ended too. Two drains run, one for each
# worker, as a script may do: neither of them counts as a process that could read the sockets.
#
#   host: 40 flows ── lo ── two workers, old, each a process, and two, new; then two others for the old
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=40

# has_no_flows PID: no flow has its last answer from that worker
has_no_flows()
{
	refresh_results
	[ "$(of_process flows "$1")" = 0 ]
}

# holds PID COUNT: the drain holds COUNT sockets
holds()
{
	[ "$(find "/proc/$1/fd" -lname 'socket:*' | wc -l)" = "$2" ]
}

# drain_begin PID: starts a drain, whose process id is in DRAIN_PID; it holds the sockets of PID's
# server
drain_begin()
{
	"$SLUICE" -j steer drain "$1" --idle 60 --limit 600 >"$TEST_TMP/drain.$1" 2>&1 &
	DRAIN_PID=$!
	wait_until 20 holds "$DRAIN_PID" 2 || fail "it does not drain:" "$(cat "$TEST_TMP/drain.$1")"
}

# want_drained DRAIN PID: it has not waited for its limit, and no datagram was lost
want_drained()
{
	wait "$1" || fail "datagrams were lost: $(cat "$TEST_TMP/drain.$2")"
	want_equal "$(json "(d['sockets'], d['limit_reached'], d['datagrams_lost'])" \
		cat "$TEST_TMP/drain.$2")" "(2, False, 0)" "the drain of $2"
}

process_of()
{
	sluice -j steer show | python3 -c '
import json, sys

slots = [slot for group in json.load(sys.stdin)["groups"] for slot in group["slots"]]
print(*[slot["process"] for slot in slots if slot["pid"] == int(sys.argv[1])])' "$1"
}

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 2 --processes
OLD=$SERVER_PID DEAD=${WORKERS[0]} ALIVE=${WORKERS[1]}
workers "$HOST" --port "$PORT" --workers 2
NEW=$SERVER_PID
sluice --netns "$HOST" steer load --port "$PORT"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
refresh_results
want_at_least 1 "$(of_process flows "$DEAD")" "flows of the worker that will die"
kept=$(of_process flows "$ALIVE")
want_at_least 1 "$kept" "flows of the other worker"

drain_begin "$DEAD"
BY_DEAD=$DRAIN_PID
drain_begin "$ALIVE"
BY_ALIVE=$DRAIN_PID

say "one worker dies"
kill -KILL "$DEAD"
wait_until 60 has_no_flows "$DEAD" || fail "its flows have not moved:" "$(tail -8 "$FLOWS_LOG")"
flows_go_on "$COUNT"
want_equal "$(of_process flows "$ALIVE")" "$kept" "flows of the other worker"
want_equal "$(of_process left "$ALIVE")" 0 "flows that left the other worker"
for drain in "$BY_DEAD" "$BY_ALIVE"; do
	kill -0 "$drain" || fail "a drain has ended with the worker: $(cat "$TEST_TMP"/drain.*)"
done

say "the other worker dies too"
kill -KILL "$ALIVE"
want_drained "$BY_DEAD" "$DEAD"
want_drained "$BY_ALIVE" "$ALIVE"
grep -q '"exited": *true' "$TEST_TMP"/drain.* || fail "no drain has noticed: $(cat "$TEST_TMP"/drain.*)"
has_no_flows "$ALIVE" || wait_until 60 has_no_flows "$ALIVE" || fail "its flows have not moved"
flows_end
want_equal "$(of_process flows "$NEW")" "$COUNT" "flows of the new server"

stop "$OLD"

say "a dead worker gets no flows of the others"
workers "$HOST" --port "$PORT" --workers 2 --processes
LATER=$SERVER_PID DEAD=${WORKERS[0]} ALIVE=${WORKERS[1]}
sluice --netns "$HOST" steer load --port "$PORT"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
drain_begin "$ALIVE"
halt "$DRAIN_PID"
want_equal "$(process_of "$DEAD")" udp-worker "process of the slot"
kill -KILL "$DEAD"
want_equal "$(process_of "$DEAD")" udp-worker "process of the slot, after its death"
stop "$NEW"
kill -CONT "$DRAIN_PID"
status=0
wait "$DRAIN_PID" || status=$?
want_equal "$status" 5 "exit status: $(cat "$TEST_TMP/drain.$ALIVE")"
flows_go_on "$COUNT"
refresh_results
want_equal "$(of_process flows "$ALIVE")" "$COUNT" "flows of the remaining worker"
flows_end
stop "$LATER"
sluice steer unload
