#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A flow that was silent for longer than the idle timeout starts again, with the new generation of
# the server. An active flow stays with the old generation. Without a newer generation, a silent
# flow does not move.
#
#   host: 100 flows silent, 100 busy ── lo ── four workers, old, and four, new
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=100
# long enough that a stall of the machine does not make a busy flow idle
LOAD=(--port "$PORT" --idle 2)

# keep NAME COMMAND…: runs COMMAND with the client saved as NAME
keep()
{
	declare -g "LOG_$1=$FLOWS_LOG" "PID_$1=$CLIENT_PID"
}

as_client()
{
	local log=LOG_$1 pid=PID_$1
	FLOWS_LOG=${!log} CLIENT_PID=${!pid}
}

silence()
{
	as_client silent
	halt "$CLIENT_PID"
	# longer than the timeout, since the table stores times in steps of 0.27 s
	sleep 2.6
}

resume()
{
	as_client silent
	kill -CONT "$CLIENT_PID"
	flows_go_on $((3 * COUNT))
}

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 4
old=$SERVER_PID
sluice --netns "$HOST" steer load "${LOAD[@]}"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 2000
keep silent
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 2000
keep busy

say "silent flows, without a new generation"
silence
resume
want_equal "$(result moved)" 0 "flows moved"

say "silent flows, with a new generation"
# servers that start within two seconds form one generation
sleep 2.2
workers "$HOST" --port "$PORT" --workers 4
want_status 0 sluice --netns "$HOST" steer load "${LOAD[@]}"
want_text "new flows go to a new generation"
as_client silent
flows_go_on $((3 * COUNT))
want_equal "$(result moved)" 0 "flows moved before their silence"
silence
resume
want_equal "$(result moved) $(of_process flows "$SERVER_PID")" "$COUNT $COUNT" "flows that started again"
want_equal "$(steer_counter moved_idle)" "$COUNT" "counter moved_idle"
flows_end
want_equal "$(result lost)" 0 "datagrams lost"
as_client busy
flows_go_on $((3 * COUNT))
flows_end
want_equal "$(result moved) $(of_process flows "$old")" "0 $COUNT" "busy flows stay with the old server"
want_equal "$(result lost)" 0 "datagrams lost"
stop "$old"
stop "$SERVER_PID"
sluice steer unload
