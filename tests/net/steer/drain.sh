#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A drain is interrupted: its terminal is closed, it is killed, or the other server exits. Then the
# drained server takes new flows again, and its queues keep their datagrams, unless another drain
# has completed.
#
#   host: 20 flows ── lo ── two workers, old, and two, new
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=20

# states: prints the states of the old server's slots
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

# drain_begin IDLE: starts a drain with a limit that is not reached here; sets DRAIN_PID to its
# process id
drain_begin()
{
	"$SLUICE" steer drain "$OLD" --idle "$1" --limit 100 >"$TEST_TMP/drain" 2>&1 &
	DRAIN_PID=$!
	# an earlier drain may have left the slots in this state
	wait_until 20 grep -q '^SigCgt:.*[13579bdf]$' "/proc/$DRAIN_PID/status" &&
		wait_until 20 states_are draining || fail "not draining:" "$(cat "$TEST_TMP/drain")"
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

say "killed: the next drain activates its slots too"
drain_begin 60
kill -KILL "$DRAIN_PID"
wait "$DRAIN_PID" && fail "it did not fail"
drain_begin 60
kill -INT "$DRAIN_PID"
wait "$DRAIN_PID" && fail "it did not fail"
want_equal "$(states)" active "the old server's slots"

say "the other server exits"
drain_begin 5
stop "$NEW"
# it continues once the flows are idle, which happens only after the other server has exited
flows_end
status=0
wait "$DRAIN_PID" || status=$?
want_equal "$status" 5 "exit status"
want_equal "$(states)" active "the old server's slots"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
flows_end

say "interrupted after another drain has completed: the slots stay drained"
workers "$HOST" --port "$PORT" --workers 2
NEW=$SERVER_PID
sluice --netns "$HOST" steer load --port "$PORT"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
drain_begin 60
drain_halt
want_status 0 sluice steer drain "$OLD" --limit 0
kill -INT "$DRAIN_PID"
kill -CONT "$DRAIN_PID"
wait "$DRAIN_PID" && fail "it did not fail"
want_equal "$(states)" drained "the old server's slots"

say "drained again: the slots stay drained"
want_status 0 sluice steer drain "$OLD"
want_equal "$(states)" drained "the old server's slots"
flows_end
stop "$OLD"
stop "$NEW"
sluice steer unload
