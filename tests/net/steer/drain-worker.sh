#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One worker of a server dies during a drain. Its flows move at once, and the flows of the other
# worker stay. The drain continues until the other worker has exited too. Then the drain fails,
# since datagrams in flight to a dying worker may be lost. Two drains run, one per worker, as a
# script may start them. A drain holds no descriptor of the sockets, because that would keep them
# alive in the group and in the server's epoll.
#
#   host: 40 flows ── lo ── two workers, old, each a process, and two, new; then two others for the old
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=40

# has_no_flows PID: returns true if no flow got its last answer from this worker
has_no_flows()
{
	refresh_results
	[ "$(of_process flows "$1")" = 0 ]
}

draining()
{
	[ "$(json "sorted(s['state'] for g in d['groups'] for s in g['slots'])" \
		sluice -j steer show)" = "['active', 'active', 'draining', 'draining']" ]
}

# sockets_of PID: prints the number of socket descriptors of the process
sockets_of()
{
	find "/proc/$1/fd" -lname 'socket:*' | wc -l
}

has_lock()
{
	find "/proc/$1/fd" -lname "*/steer/*" | grep -c . >/dev/null
}

# drain_begin PID: starts a drain; sets DRAIN_PID to its process id; returns once the slots of PID's
# server are draining
drain_begin()
{
	"$SLUICE" -j steer drain "$1" --idle 60 --limit 600 >"$TEST_TMP/drain.$1" 2>"$TEST_TMP/why.$1" &
	DRAIN_PID=$!
	wait_until 20 has_lock "$DRAIN_PID" && wait_until 20 draining ||
		fail "not draining:" "$(cat "$TEST_TMP"/*."$1")"
}

# want_early DRAIN PID: checks that the drain failed before its limit, because the sockets were
# closed while their flows were busy
want_early()
{
	local status=0
	wait "$1" || status=$?
	want_equal "$status" 1 "exit status: $(cat "$TEST_TMP"/*."$2")"
	want_equal "$(json "(d['sockets'], d['limit_reached'], d['exited'], d['closed_early'])" \
		cat "$TEST_TMP/drain.$2")" "(2, False, True, 2)" "the drain of $2"
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
want_equal "$(sockets_of "$BY_DEAD") $(sockets_of "$BY_ALIVE")" "0 0" "sockets that the drains hold"

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
want_early "$BY_DEAD" "$DEAD"
want_early "$BY_ALIVE" "$ALIVE"
has_no_flows "$ALIVE" || wait_until 60 has_no_flows "$ALIVE" || fail "its flows have not moved"
flows_end
want_equal "$(of_process flows "$NEW")" "$COUNT" "flows of the new server"

stop "$OLD"

say "a dead worker gets no flows of the other workers"
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
want_equal "$status" 5 "exit status: $(cat "$TEST_TMP"/*."$ALIVE")"
flows_go_on "$COUNT"
refresh_results
want_equal "$(of_process flows "$ALIVE")" "$COUNT" "flows of the remaining worker"
flows_end
stop "$LATER"
sluice steer unload
