#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The main thread of a server has exited (pthread_exit) while its other threads still serve. The
# thread group leader has no open files, so sluice copies the sockets through another thread. The
# server gets its share of the flows, and can be drained like any server.
#
#   host: flows ── lo ── four workers without a main thread; then four others
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=100

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 4 --exit-main
OLD=$SERVER_PID
# cgroup.kill does not kill a process whose leader has exited
trap 'kill -KILL "$OLD" 2>/dev/null || true' EXIT
is_without_leader()
{
	grep -q '^State:.*zombie' "/proc/$OLD/status"
}
wait_until 10 is_without_leader || fail "its main thread still runs"

sluice --netns "$HOST" steer load --port "$PORT"
want_equal "$(json "[(s['pid'], s['process'], s['queue'] is None) for g in d['groups']
	for s in g['slots']] == [($OLD, 'udp-worker', False)] * 4" sluice -j steer show)" True \
	"four sockets of process $OLD, with their queues: $(sluice steer show)"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT"
refresh_results
want_equal "$(result workers)" 4 "workers that answer"
want_equal "$(steer_counter started)" "$COUNT" "flows that steering has placed"

say "drained"
workers "$HOST" --port "$PORT" --workers 4
sluice --netns "$HOST" steer load --port "$PORT"
want_status 0 sluice steer drain --idle 1 --limit 1 "$OLD"
stop "$OLD"
flows_go_on $((2 * COUNT))
flows_end
want_equal "$(result lost)" 0 "datagrams lost"
want_equal "$(of_process flows "$SERVER_PID")" "$COUNT" "flows of the new server"
stop "$SERVER_PID"
sluice steer unload
