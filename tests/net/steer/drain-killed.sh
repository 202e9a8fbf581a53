#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A drain that is killed (SIGKILL) leaves its slots in state draining. The next command, or the
# daemon's next sweep, detects that no process drains them, reports this, and activates them again.
# A running drain is left alone.
#
#   host: flows ── lo ── two workers, old, and two, new, and two more
#
# takes long: several drains, each killed
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=40

# state: prints the states of the old server's slots from the map, since steer show would change
# them
state()
{
	local folder
	folder=$(steer_groups)
	bpftool -j map dump pinned "$folder/sluice_slots" | python3 -c '
import json, sys

names = ["free", "active", "retired", "draining", "drained"]
slots = [entry["formatted"]["value"] for entry in json.load(sys.stdin)]
print(" ".join(sorted({names[s["state"]] for s in slots if s["pid"] == int(sys.argv[1])})))' "$OLD"
}

state_is()
{
	[ "$(state)" = "$1" ]
}

# drain_begin PID: starts a drain, and returns once the old server's slots are draining
drain_begin()
{
	"$SLUICE" steer drain "$1" --idle 60 --limit 600 >"$TEST_TMP/drain" 2>&1 &
	DRAIN_PID=$!
	wait_until 20 state_is draining || fail "not draining:" "$(cat "$TEST_TMP/drain")"
}

drain_kill()
{
	kill -KILL "$DRAIN_PID"
	wait "$DRAIN_PID" 2>/dev/null || true
	# the daemon may sweep at any time
	[ -n "${DAEMON:-}" ] || want_equal "$(state)" draining "before any sweep: the old server's slots"
}

LAPSED="the drain of udp-worker"

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 2
OLD=$SERVER_PID
workers "$HOST" --port "$PORT" --workers 2
NEW=$SERVER_PID
sluice --netns "$HOST" steer load --port "$PORT"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
BUSY=$CLIENT_PID

say "a running drain is left alone"
drain_begin "$OLD"
want_status 0 sluice steer show
want_status 0 sluice --netns "$HOST" steer load --port "$PORT"
want_equal "$(state)" draining "the old server's slots"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
flows_end
want_equal "$(of_process answered "$OLD")" 0 "answers by the draining server"

say "killed: steer show activates its slots"
drain_kill
want_status 0 sluice steer show
want_text "$LAPSED ($OLD) was killed: it takes new flows again"
want_equal "$(state)" active "the old server's slots"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
flows_end
want_at_least 1 "$(of_process answered "$OLD")" "answers by the old server"
want_status 0 sluice steer show
[[ $OUTPUT != *"$LAPSED"* ]] || fail "reported twice:" "$OUTPUT"

say "killed: steer load activates them"
drain_begin "$OLD"
drain_kill
want_status 0 sluice --netns "$HOST" steer load --port "$PORT"
want_text "$LAPSED ($OLD) was killed: it takes new flows again"
want_equal "$(state)" active "the old server's slots"

# beside two others, it is not a new generation, however late it starts
workers "$HOST" --port "$PORT" --workers 2
THIRD=$SERVER_PID
sluice --netns "$HOST" steer load --port "$PORT"

say "killed: a drain of the other server activates them, and is not refused"
drain_begin "$OLD"
drain_kill
want_status 0 sluice steer drain "$NEW" --idle 0 --limit 5
want_text "$LAPSED ($OLD) was killed: it takes new flows again"
want_equal "$(state)" active "the old server's slots"

say "killed: the daemon's sweep activates them"
configure '[steer]' "port = $PORT" "netns = $HOST" 'sweep = 1'
daemon_start
drain_begin "$OLD"
drain_kill
wait_until 20 logged 'msg="steer: drain-lapsed"' || fail "not logged:" "$(cat "$DAEMON_LOG")"
want_logged "process=udp-worker pid=$OLD"
wait_until 20 state_is active || fail "the old server's slots: $(state)"
daemon_stop
DAEMON=

say "killed while the server reads its queues: the slots are not drained yet, and are activated"
workers "$HOST" --port "$PORT" --workers 2 --delay 1000000
SLOW=$SERVER_PID FIRST=$OLD OLD=$SLOW
sluice steer promote "$SLOW"
in_ns "$HOST" "$FLOWS" --to "127.0.0.1:$PORT" --flood 60 --from 127.1.0.1 --sources 60 >/dev/null
before=$(incarnations "$SLOW")
"$SLUICE" steer drain "$SLOW" --idle 0 --limit 0 >"$TEST_TMP/drain" 2>&1 &
DRAIN_PID=$!
wait_until 20 has_moved "$SLOW" "$before" || fail "no flow moves:" "$(cat "$TEST_TMP/drain")"
drain_kill
want_status 0 sluice steer show
want_text "$LAPSED ($SLOW) was killed: it takes new flows again"
stop "$SLOW"
OLD=$FIRST

stop "$BUSY"
stop "$OLD"
stop "$NEW"
stop "$THIRD"
sluice steer unload
