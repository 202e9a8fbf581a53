#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Changes each option separately and back, while flows are recorded and two generations of workers
# run. No datagram is lost. Flows move only with the options that the man page lists: after --flows,
# the hash of the current generation places the flows, and policies source and cpu place them again.
# Options that keep the table also keep the recorded flows.
#
#   host: 100 flows ── lo ── two workers, retired, and two of the current generation
#
# takes long: every option is changed and changed back
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=100
LOAD=(sluice --netns "$HOST" steer load --port "$PORT")

# change OPTION…: loads with the option instead of its default, and then without it
change()
{
	local started
	say "$*"
	started=$(steer_counter started)
	"${LOAD[@]}" "$@" >/dev/null
	flows_go_on $((3 * COUNT))
	"${LOAD[@]}" >/dev/null
	flows_go_on $((3 * COUNT))
	want_equal "$(result moved)" 0 "flows moved"
	want_equal "$(steer_counter started)" "$started" "flows recorded again"
}

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 2
first=$SERVER_PID
"${LOAD[@]}"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 2000
workers "$HOST" --port "$PORT" --workers 2
"${LOAD[@]}"
sluice steer promote "$SERVER_PID"
flows_go_on $((3 * COUNT))
want_equal "$(of_process flows "$first")" "$COUNT" "flows with the old generation"

change --idle 60
change --port "$PORT,$((PORT + 1))"
change --policy load
change --generation cgroup
change --generation none
say "--flows: the table starts empty, with the current generation"
# a changed rule for generations has restarted them
sluice steer promote "$SERVER_PID"
"${LOAD[@]}" --flows 4096 >/dev/null
flows_go_on $((3 * COUNT))
want_equal "$(of_process flows "$SERVER_PID")" "$COUNT" "flows with the current generation"
want_equal "$(result moved)" "$COUNT" "flows moved"

say "policies that place every flow again"
for policy in source cpu; do
	"${LOAD[@]}" --policy "$policy" --cgroup "$TEST_CGROUP" >/dev/null
	flows_go_on $((3 * COUNT))
	"${LOAD[@]}" >/dev/null
	flows_go_on $((3 * COUNT))
done
flows_end
want_equal "$(result lost)" 0 "datagrams lost"
sluice steer unload
stop "$first"
stop "$SERVER_PID"
want_clean
