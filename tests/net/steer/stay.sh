#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Under load, no flow moves when steering is loaded or a worker is added. When a worker is killed,
# only its own flows move. Unloading loses no datagram. Without sluice, the kernel moves many flows
# of live workers in each of these cases.
#
#   host: 200 flows ── lo ── four workers, and a fifth
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=200

begin()
{
	local bind=$1 to=$2
	workers "$HOST" --port "$PORT" --bind "$bind" --workers 4 --processes
	FIRST=$SERVER_PID VICTIM=${WORKERS[1]}
	flows "$HOST" --to "$to" --flows "$COUNT" --rate 4000
}

add_worker()
{
	workers "$HOST" --port "$PORT" --bind "$1"
	SECOND=$SERVER_PID
}

# lost_so_far: prints the lost datagrams, without those in flight
lost_so_far()
{
	settle_results
	result lost
}

# kill_victim: kills a worker; sets VICTIM_FLOWS to the number of its flows, and LOST to the
# datagrams lost with its queue
kill_victim()
{
	refresh_results
	VICTIM_FLOWS=$(of_process flows "$VICTIM")
	want_at_least $((COUNT / 20)) "$VICTIM_FLOWS" "flows of the worker to be killed"
	kill -KILL "$VICTIM"
	flows_go_on $((3 * COUNT))
	LOST=$(lost_so_far)
}

# takers: prints the number of workers that flows have moved to
takers()
{
	awk '$1 == "sent" { count = 0 } $1 == "worker" && $10 > 0 { count++ } END { print count }' \
		"$FLOWS_LOG"
}

end()
{
	flows_end
	stop "$SECOND"
	stop "$FIRST"
	wait_until 10 udp_unbound "$HOST" "$PORT"
}

kernel_alone()
{
	local moved
	begin "$@"
	flows_go_on $((3 * COUNT))
	want_equal "$(result moved)" 0 "flows moved without any change"
	add_worker "$1"
	flows_go_on $((3 * COUNT))
	want_at_least $((COUNT / 5)) "$(result moved)" "without sluice, a worker added: flows moved"
	moved=$(result moved)
	kill_victim
	want_at_least $((VICTIM_FLOWS + COUNT / 10)) $(($(result moved) - moved)) \
		"without sluice, a worker killed: flows moved"
	end
}

loaded()
{
	local lost
	begin "$@"
	sluice --netns "$HOST" steer load --port "$PORT"
	flows_go_on $((3 * COUNT))
	want_equal "$(result moved)" 0 "flows moved by loading"
	add_worker "$1"
	sluice --netns "$HOST" steer load --port "$PORT"
	flows_go_on $((3 * COUNT))
	want_equal "$(result moved)" 0 "flows moved when a worker was added"
	want_equal "$(lost_so_far)" 0 "datagrams lost"
	kill_victim
	want_equal "$(result moved)" "$VICTIM_FLOWS" "flows moved when a worker was killed"
	want_equal "$(of_process left "$VICTIM")" "$VICTIM_FLOWS" "flows that left the dead worker"
	want_equal "$(steer_counter moved_gone)" "$VICTIM_FLOWS" "counter moved_gone"
	want_at_least 3 "$(takers)" "workers that share the flows of the dead one"

	say "unloaded"
	lost=$LOST
	sluice steer unload
	want_clean
	flows_go_on $((3 * COUNT))
	end
	want_equal "$(result lost)" "$lost" "datagrams lost by unloading"
}

netns_add "$HOST"
for where in "0.0.0.0 127.0.0.1:$PORT" ":: [::1]:$PORT" ":: 127.0.0.1:$PORT"; do
	# shellcheck disable=SC2086 # two words
	{
		say "$where: without sluice"
		kernel_alone $where
		say "$where: loaded"
		loaded $where
	}
done
