#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One of the workers of a server dies while that is drained. The drain holds the worker's socket open,
# so that the kernel does not tell: its flows move at once nevertheless, the other worker's stay, and
# the drain goes on until that has ended, too.
#
#   host: 40 flows ── lo ── two workers, old, each a process, and two, new
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/steer.sh"

COUNT=40

# has_no_flows PID: does nobody have its last answer from there?
has_no_flows()
{
	look
	[ "$(of_process flows "$1")" = 0 ]
}

drains()
{
	sluice steer show | grep -q draining
}

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 2 --processes
OLD=$SERVER_PID DEAD=${WORKERS[0]} ALIVE=${WORKERS[1]}
workers "$HOST" --port "$PORT" --workers 2
NEW=$SERVER_PID
sluice --netns "$HOST" steer load --port "$PORT"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
look
want_at_least 1 "$(of_process flows "$DEAD")" "flows of the worker that will die"
kept=$(of_process flows "$ALIVE")
want_at_least 1 "$kept" "flows of the other one"

"$SLUICE" -j steer drain "$OLD" --idle 60 --limit 600 >"$TEST_TMP/drain" &
DRAIN_PID=$!
wait_until 20 drains || fail "it does not drain"

say "one worker dies"
kill -KILL "$DEAD"
wait_until 60 has_no_flows "$DEAD" || fail "its flows wait:" "$(tail -8 "$FLOWS_LOG")"
flows_go_on "$COUNT"
want_equal "$(of_process flows "$ALIVE")" "$kept" "flows of the other one"
want_equal "$(of_process left "$ALIVE")" 0 "flows that the other one has lost"
kill -0 "$DRAIN_PID" || fail "the drain has ended with the worker: $(cat "$TEST_TMP/drain")"

say "the other one, too"
kill -KILL "$ALIVE"
wait "$DRAIN_PID" || fail "datagrams were lost: $(cat "$TEST_TMP/drain")"
want_equal "$(json "(d['sockets'], d['exited'], d['limit_reached'], d['datagrams_lost'])" \
	cat "$TEST_TMP/drain")" "(2, True, False, 0)" "the drain"
has_no_flows "$ALIVE" || wait_until 60 has_no_flows "$ALIVE" || fail "its flows wait"
flows_end
want_equal "$(of_process flows "$NEW")" "$COUNT" "flows of the new server"

stop "$OLD"
stop "$NEW"
sluice steer unload
