#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Rolling restarts under load: a new server starts beside the old server, which is drained and
# stopped. No datagram is lost, and each flow moves once per restart, when its worker exits. Until
# then, old flows stay with the old server, and new flows go to the new server. Without sluice, the
# kernel loses the datagrams in the closed queues, and moves flows to the new server early.
#
#   host: 100 flows ── lo ── four workers, old ▸ four workers, new ▸ …
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=100 ROUNDS=5

# Each answer takes a while, so that the queues are never empty.
server()
{
	workers "$HOST" --port "$PORT" --workers 4 --delay 2000
}

# restart COMMAND…: starts a new server, runs COMMAND, and stops the old server
restart()
{
	local old=$CURRENT
	server
	CURRENT=$SERVER_PID
	"$@" "$old"
	flows_go_on $((2 * COUNT))
	stop "$old"
	flows_go_on $((2 * COUNT))
}

drain()
{
	sluice --netns "$HOST" steer load --port "$PORT"
	sluice steer drain --idle 1 --limit 1 "$1"
}

begin()
{
	server
	CURRENT=$SERVER_PID
	flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --window 64
}

end()
{
	flows_end
	stop "$CURRENT"
}

netns_add "$HOST"
say "without sluice"
begin
for ((round = 0; round < ROUNDS; round++)); do
	restart true
done
end
want_at_least "$ROUNDS" "$(result lost)" "datagrams lost in restarts"
want_at_least $((COUNT * ROUNDS * 5 / 4)) "$(result moved)" "flows moved in restarts"

say "loaded and drained"
begin
sluice --netns "$HOST" steer load --port "$PORT"
for ((round = 0; round < ROUNDS; round++)); do
	restart drain
done
end
want_equal "$(result lost)" 0 "datagrams lost in restarts"
want_equal "$(result moved)" $((COUNT * ROUNDS)) "flows moved in restarts"
want_equal "$(steer_counter moved_drained)" $((COUNT * ROUNDS)) "counter moved_drained"
sluice steer unload

say "a new generation takes the new flows, and only those"
begin
sluice --netns "$HOST" steer load --port "$PORT"
old=$CURRENT
# servers that start within two seconds form one generation
sleep 2.2
server
CURRENT=$SERVER_PID
want_status 0 sluice --netns "$HOST" steer load --port "$PORT"
want_text "new flows go to a new generation"
first_log=$FLOWS_LOG first=$CLIENT_PID
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
want_equal "$(refresh_results && of_process flows "$CURRENT")" "$COUNT" "new flows at the new server"
flows_end
FLOWS_LOG=$first_log CLIENT_PID=$first
flows_go_on $((2 * COUNT))
want_equal "$(result moved)" 0 "old flows moved"
want_equal "$(of_process flows "$old")" "$COUNT" "old flows at the old server"

say "drained when its flows are idle"
flows_end
want_status 0 sluice -j steer drain --idle 1 --limit 60 "$old"
want_equal "$(json "d['flows'], d['flows_left'], d['datagrams_lost'], d['limit_reached']" echo "$OUTPUT")" \
	"($COUNT, 0, 0, False)"
stop "$old"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
flows_end
want_equal "$(result lost)" 0 "datagrams lost after the drain"

say "the last generation is not drained"
want_status 5 sluice steer drain "$CURRENT"
stop "$CURRENT"
sluice steer unload
