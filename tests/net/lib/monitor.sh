# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of sluice monitor. Source it after lib.sh.

# monitor_start [OPTION…]: starts a monitor in HOST, and returns once it has read the first state.
# Sets MONITOR to its process id; MONITOR_FILE contains its events.
monitor_start()
{
	MONITORS=$((${MONITORS:-0} + 1))
	MONITOR_FILE=$TEST_TMP/monitor.$MONITORS
	: >"$MONITOR_FILE.log"
	"$SLUICE" --netns "$HOST" -v -j monitor "$@" >"$MONITOR_FILE" 2>"$MONITOR_FILE.log" &
	MONITOR=$!
	wait_until 20 grep -q watching "$MONITOR_FILE.log" || fail "$(cat "$MONITOR_FILE.log")"
}

# monitor_end: sends SIGINT to the monitor, and expects exit status 0
monitor_end()
{
	local status=0
	kill -INT "$MONITOR"
	wait "$MONITOR" || status=$?
	want_equal "$status" 0 "exit status of the monitor"
}

# events_sum EXPRESSION: prints the sum of EXPRESSION over all events `e`
events_sum()
{
	python3 -IS -c 'import sys
constants = {"true": True, "false": False, "null": None}
events = [eval(line, constants) for line in open(sys.argv[2])]
print(sum(eval(sys.argv[1], {"e": e}) for e in events))' "$1" "$MONITOR_FILE"
}

sum_is()
{
	[ "$(events_sum "$2")" = "$1" ]
}

# want_sum COUNT EXPRESSION: waits until the sum of EXPRESSION is COUNT
want_sum()
{
	wait_until 20 sum_is "$@" || fail "not $1: $2" "$(cat "$MONITOR_FILE" "$MONITOR_FILE.log")"
}

# want_events COUNT CONDITION: waits until COUNT events have met the condition
want_events()
{
	want_sum "$1" "bool($2)"
}
