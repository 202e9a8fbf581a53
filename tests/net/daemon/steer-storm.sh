#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server binds and exits in a loop, alone on its port, and beside a server that stays. It leaves
# no pin and no slot, and the daemon's memory and open files do not grow. Without a daemon, the slot
# of a closed socket stays in use.
#
# host: 200 processes, one after another, and one worker
#
# takes long: a server that binds and exits in a loop
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/steer.sh"

# storm COUNT: starts COUNT processes, one after another, that bind a socket and exit
storm()
{
	in_ns "$HOST" python3 - "$PORT" "$1" <<-'PYTHON'
		import os
		import socket
		import sys

		for _ in range(int(sys.argv[2])):
		    pid = os.fork()
		    if not pid:
		        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
		        sock.bind(("0.0.0.0", int(sys.argv[1])))
		        os._exit(0)
		    os.waitpid(pid, 0)
	PYTHON
}

# files: counts the daemon's open files; between two groups, the next program may or may not be
# prepared
files()
{
	find "/proc/$DAEMON/fd" -type l | wc -l
}

files_are()
{
	[ "$(files)" = "$1" ]
}

# files_rest: the count has been stable for two seconds, so the next program is prepared
files_rest()
{
	local before i
	before=$(files)
	for ((i = 0; i < 10; i++)); do
		sleep 0.2
		files_are "$before" || return 1
	done
}

memory_kb()
{
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$DAEMON/status"
}

# libbpf's memory for loading a program fluctuates, and the allocator may keep the 4 MiB of the
# verifier log. A leak would grow with every socket.
memory_at_most()
{
	[ "$(memory_kb)" -le "$1" ]
}

groups_are()
{
	[ "$(find "$PINS/steer" -mindepth 1 -maxdepth 1 -type d | wc -l)" = "$1" ]
}

slots_used()
{
	bpftool -j map dump pinned "$(steer_groups)/sluice_slots" | python3 -c '
import json, sys
print(sum(slot["formatted"]["value"]["state"] != 0 for slot in json.load(sys.stdin)))'
}

# has_slot PID: returns true if PID has a slot; the daemon may drop log lines in a storm
has_slot()
{
	[ "$(json "any(s['pid'] == $1 for g in d['groups'] for s in g['slots'])" \
		sluice -j steer show)" = True ]
}

slots_are()
{
	[ "$(slots_used)" = "$1" ]
}

netns_add "$HOST"

say "without a daemon, closed sockets keep their slots"
workers "$HOST" --port "$PORT" --workers 3
sluice --netns "$HOST" steer load --port "$PORT"
stop "$SERVER_PID"
want_equal "$(slots_used)" 3 "slots of sockets that are closed"

say "the daemon frees the slots"
configure '[steer]' "port = $PORT" 'sweep = 600'
daemon_start
wait_until 20 groups_are 0

say "one round first, to reach the steady state"
storm 20
workers "$HOST" --port "$PORT"
wait_until 60 has_slot "$SERVER_PID"
stop "$SERVER_PID"
wait_until 20 groups_are 0
wait_until 60 files_rest
files=$(files) memory=$(memory_kb)

say "alone on the port, 200 times"
storm 200
wait_until 20 groups_are 0
wait_until 20 files_are "$files"
wait_until 20 memory_at_most $((memory + 6144)) || fail "memory: $memory kB before, now $(memory_kb)"

say "beside a server that stays, 200 times"
workers "$HOST" --port "$PORT"
server=$SERVER_PID
flows "$HOST" --to "127.0.0.1:$PORT" --flows 50 --rate 500
wait_until 60 has_slot "$server"
storm 200
wait_until 20 slots_are 1
want_equal "$(steer_groups | wc -l)" 1 "groups"
flows_go_on 100
stop_lost=$(udp_counter "$HOST" NoPorts)
flows_end
want_equal "$stop_lost" 0 "datagrams without a socket"
want_equal "$(of_process flows "$server")" 50 "flows of the server that stays"
wait_until 20 files_are "$files"
wait_until 20 memory_at_most $((memory + 6144)) || fail "memory: $memory kB before, now $(memory_kb)"

echo "memory $memory kB, now $(memory_kb) kB; $files files"
want_equal "$(grep level=warning "$DAEMON_LOG" || true)" "" "warnings"

say "more events than the ring buffer holds, while the daemon is stopped: it logs the loss and finds all sockets"
halt "$DAEMON"
storm 1500
workers "$HOST" --port "$PORT"
kill -CONT "$DAEMON"
want_logged 'socket events lost (ring buffer full)'
wait_until 20 slots_are 2
stop "$SERVER_PID"
wait_until 20 slots_are 1

stop "$server"
wait_until 20 groups_are 0
daemon_stop
sluice steer unload
want_verified
