#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A drain that does not come to its end: its terminal is lost, it is killed, or the other server ends
# meanwhile. The process takes new flows again, and what waits in its queues stays there.
#
#   host: 20 flows ── lo ── two workers, old, and two, new
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/steer.sh"

COUNT=20

# states: those of the old server's slots, each once
states()
{
	sluice -j steer show | python3 -c '
import json, sys

slots = [slot for group in json.load(sys.stdin)["groups"] for slot in group["slots"]]
print(" ".join(sorted({slot["state"] for slot in slots if slot["pid"] == int(sys.argv[1])})))' "$OLD"
}

states_are()
{
	[ "$(states)" = "$1" ]
}

# drain_begin LIMIT: DRAIN_PID is its process id
drain_begin()
{
	"$SLUICE" steer drain "$OLD" --idle 60 --limit "$1" >"$TEST_TMP/drain" 2>&1 &
	DRAIN_PID=$!
	wait_until 20 states_are draining || fail "it does not drain:" "$(cat "$TEST_TMP/drain")"
}

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 2
OLD=$SERVER_PID
workers "$HOST" --port "$PORT" --workers 2
NEW=$SERVER_PID
sluice --netns "$HOST" steer load --port "$PORT"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"

for signal in INT TERM HUP; do
	say "signal $signal"
	drain_begin 60
	kill "-$signal" "$DRAIN_PID"
	wait "$DRAIN_PID" && fail "it did not fail"
	want_equal "$(states)" active "the old server's slots"
done

say "killed: the next one takes its slots back, too"
drain_begin 60
kill -KILL "$DRAIN_PID"
wait "$DRAIN_PID" && fail "it did not fail"
drain_begin 60
kill -INT "$DRAIN_PID"
wait "$DRAIN_PID" && fail "it did not fail"
want_equal "$(states)" active "the old server's slots"

say "the other server ends"
drain_begin 8
stop "$NEW"
status=0
wait "$DRAIN_PID" || status=$?
want_equal "$status" 5 "exit code"
want_equal "$(states)" active "the old server's slots"
flows_go_on "$COUNT"
flows_end
stop "$OLD"
sluice steer unload
