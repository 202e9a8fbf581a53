#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Groups of 1, 2 and 64 sockets: loading moves no flow and all workers keep theirs when one more
# comes, also when there was but one, whose group then has a second. When the last socket of a group
# has gone, so has the group; a server that starts anew is steered like the first.
#
#   host: flows ── lo ── 1, 2, 64 workers, and one more
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

# add_one SIZE COMMAND…: SIZE workers with flows, COMMAND, one more worker, COMMAND again. There are so
# many flows for each that no worker is left without, whatever the kernel's hash is: with 20 for each
# of 64 that is as rare as 1 in 20 million.
add_one()
{
	local size=$1 count=$((100 + 20 * $1)) first
	shift
	workers "$HOST" --port "$PORT" --workers "$size"
	first=$SERVER_PID
	flows "$HOST" --to "127.0.0.1:$PORT" --flows "$count" --rate 10000
	"$@"
	# what has not been heard is not on record
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
	say "$size: the kernel alone"
	MOVES=1
	add_one "$size" true
	want_at_least 1 "$(result moved)" "flows moved"
	say "$size: loaded"
	MOVES=0
	add_one "$size" sluice --netns "$HOST" steer load --port "$PORT"
	want_equal "$(result moved)" 0 "flows moved"
	want_status 1 sluice --netns "$HOST" steer load --port "$PORT"
	want_text "no UDP socket with SO_REUSEPORT"
	want_equal "$(steer_groups)" "" "groups whose sockets have gone"
done
sluice steer unload

say "another --flows: the table starts empty, and flows stay where the hash has them"
workers "$HOST" --port "$PORT" --workers 4
first=$SERVER_PID
flows "$HOST" --to "127.0.0.1:$PORT" --flows 200 --rate 10000
want_status 0 sluice --netns "$HOST" steer load --port "$PORT" --flows 1024
flows_go_on 400
want_equal "$(steer_counter started)" 200 "flows that began"
want_status 0 sluice --netns "$HOST" steer load --port "$PORT" --flows 4096
want_text "flow tables of 4096 flows, 1024 before, start empty"
flows_go_on 400
want_equal "$(steer_counter started)" 400 "flows that began, the same ones again"
want_equal "$(json "d['groups'][0]['flows']['size']" sluice -j --netns "$HOST" steer show)" 4096
say "the same again: nothing is lost from the table"
want_status 0 sluice --netns "$HOST" steer load --port "$PORT" --flows 4096
flows_go_on 400
want_equal "$(steer_counter started)" 400 "flows that began"
settle_results
want_equal "$(result moved)" 0 "flows moved"
say "with another worker there, a table that starts empty sends some of them to it"
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
