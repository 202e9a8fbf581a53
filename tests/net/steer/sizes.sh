#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests groups of 1, 2 and 64 sockets. Loading moves no flow, and all workers keep their flows when
# another worker starts, even in a group of one. The group is removed with its last socket, and a
# server that starts again is steered like the first.
#
#   host: flows ── lo ── 1, 2, 64 workers, and one more
#
# takes long: groups of up to 64 sockets
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

# add_one SIZE COMMAND…: starts SIZE workers with flows, runs COMMAND, starts one more worker, and
# runs COMMAND again. The number of flows ensures that each worker gets some, whatever the kernel's
# hash: with 20 flows per worker and 64 workers, an idle worker occurs in one run of 20 million.
add_one()
{
	local size=$1 count=$((100 + 20 * $1)) first
	shift
	workers "$HOST" --port "$PORT" --workers "$size"
	first=$SERVER_PID
	flows "$HOST" --to "127.0.0.1:$PORT" --flows "$count" --rate 10000
	"$@"
	# a flow without datagrams is not recorded
	flows_go_on $((2 * count))
	workers "$HOST" --port "$PORT"
	"$@"
	flows_go_on $((3 * count))
	flows_end
	want_equal "$(result lost)" 0 "datagrams lost"
	want_equal "$(result workers)" "$((size + (MOVES ? 1 : 0)))" "workers with flows"
	stop "$first"
	stop "$SERVER_PID"
	wait_until 10 udp_unbound "$HOST" "$PORT"
}

netns_add "$HOST"
for size in 1 2 64; do
	say "$size: without sluice"
	MOVES=1
	add_one "$size" true
	want_at_least 1 "$(result moved)" "flows moved"
	say "$size: loaded"
	MOVES=0
	add_one "$size" sluice --netns "$HOST" steer load --port "$PORT"
	want_equal "$(result moved)" 0 "flows moved"
	want_status 1 sluice --netns "$HOST" steer load --port "$PORT"
	want_text "no UDP socket with SO_REUSEPORT"
	want_equal "$(steer_groups)" "" "groups without sockets"
done
sluice steer unload

say "a different --flows: the table starts empty, and flows stay where the hash puts them"
workers "$HOST" --port "$PORT" --workers 4
first=$SERVER_PID
flows "$HOST" --to "127.0.0.1:$PORT" --flows 200 --rate 10000
want_status 0 sluice --netns "$HOST" steer load --port "$PORT" --flows 1024
flows_go_on 400
want_equal "$(steer_counter started)" 200 "started flows"
want_status 0 sluice --netns "$HOST" steer load --port "$PORT" --flows 4096
want_text "flow tables of 4096 flows, 1024 before, start empty"
flows_go_on 400
want_equal "$(steer_counter started)" 400 "started flows, each of them again"
want_equal "$(json "d['groups'][0]['flows']['size']" sluice -j --netns "$HOST" steer show)" 4096
say "the same --flows again: the table keeps its flows"
want_status 0 sluice --netns "$HOST" steer load --port "$PORT" --flows 4096
flows_go_on 400
want_equal "$(steer_counter started)" 400 "started flows"
settle_results
want_equal "$(result moved)" 0 "flows moved"
say "after a worker was added, an empty table sends it some of the flows"
workers "$HOST" --port "$PORT"
sluice --netns "$HOST" steer load --port "$PORT" --flows 4096
flows_go_on 400
want_equal "$(result moved)" 0 "flows moved"
sluice --netns "$HOST" steer load --port "$PORT" --flows 2048
flows_go_on 400
flows_end
want_at_least 1 "$(result moved)" "flows moved"
want_equal "$(result lost)" 0 "datagrams lost"
stop "$first"
stop "$SERVER_PID"
sluice steer unload
want_clean
