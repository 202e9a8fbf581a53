#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several groups share a port: on the wildcard address of both families, on specific addresses, and
# in another network namespace. Each group is steered separately: a worker of its own group answers
# each flow, and a worker that joins a group moves no flow in any group.
#
#   host:  flows ── 127.0.0.1, ::1 ── [::]:39871        lan:  flows ── 127.0.0.1 ── [::]:39871
#          flows ── 127.0.0.2      ── 127.0.0.2:39871
#          flows ── ::2            ── [::2]:39871
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

# --netns all needs a port that no other test uses
PORT=39871
COUNT=60
NAMES=("$HOST" "$HOST" "$HOST" "$HOST" "$LAN")
BINDS=(:: :: 127.0.0.2 ::2 ::)
TARGETS=("127.0.0.1:$PORT" "[::1]:$PORT" "127.0.0.2:$PORT" "[::2]:$PORT" "127.0.0.1:$PORT")
GROUPS_OF=(0 2 3 4) # indexes of BINDS with a separate group

# use I: selects client I: sets FLOWS_LOG and CLIENT_PID
use()
{
	FLOWS_LOG=${LOGS[$1]} CLIENT_PID=${CLIENT_PIDS[$1]}
}

begin()
{
	local i
	PIDS=() LOGS=() CLIENT_PIDS=()
	for i in "${GROUPS_OF[@]}"; do
		workers "${NAMES[i]}" --port "$PORT" --bind "${BINDS[i]}" --workers 2
		PIDS[i]=$SERVER_PID
	done
	PIDS[1]=${PIDS[0]} # both families
	for i in "${!NAMES[@]}"; do
		flows "${NAMES[i]}" --to "${TARGETS[i]}" --flows "$COUNT" --rate 500
		LOGS[i]=$FLOWS_LOG CLIENT_PIDS[i]=$CLIENT_PID
	done
}

end()
{
	local i
	for i in "${!NAMES[@]}"; do
		use "$i"
		flows_end
		want_equal "$(result lost)" 0 "datagrams lost at ${BINDS[i]}"
	done
	for i in "${GROUPS_OF[@]}"; do
		stop "${PIDS[i]}"
	done
	stop "$SERVER_PID"
}

all_go_on()
{
	local i
	for i in "${!NAMES[@]}"; do
		use "$i"
		flows_go_on $((3 * COUNT))
	done
}

netns_add "$HOST"
netns_add "$LAN"
in_ns "$HOST" ip addr add ::2/128 dev lo nodad

say "without sluice"
begin
workers "$HOST" --port "$PORT" --bind 127.0.0.2
all_go_on
use 2
want_at_least 1 "$(result moved)" "flows moved when a worker was added"
end

say "loaded"
begin
sluice --netns all steer load --port "$PORT"
want_equal "$(steer_groups | wc -l)" 4 "groups"
want_equal "$(steer_groups_of "$LAN" | wc -l)" 1 "groups of the other namespace"
all_go_on
workers "$HOST" --port "$PORT" --bind 127.0.0.2
sluice --netns all steer load --port "$PORT"
want_equal "$(steer_groups | wc -l)" 4 "groups"
all_go_on
for i in "${!NAMES[@]}"; do
	use "$i"
	want_equal "$(result moved)" 0 "flows moved at ${BINDS[i]}"
	want_equal "$(of_process flows "${PIDS[i]}")" "$COUNT" "flows at their group, ${BINDS[i]}"
done

say "loaded for one namespace: the other namespace's group returns to the kernel"
sluice --netns "$LAN" steer load --port "$PORT"
want_equal "$(steer_groups)" "$(steer_groups_of "$LAN")" "groups"
all_go_on
use 4
want_equal "$(result moved)" 0 "flows moved in the namespace that stays loaded"
end
sluice steer unload
