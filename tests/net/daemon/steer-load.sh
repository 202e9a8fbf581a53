#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Under load, the daemon adds new workers, and no flow moves. No flow moves either when the daemon
# is killed with SIGKILL and restarted, reloads another policy, or exits. Without sluice, the kernel
# moves flows as soon as a worker starts.
#
#   host: 200 flows ── lo ── four workers, and one more in each step
#
# takes long: the daemon is killed and started again under load
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=200
added=()

add_worker()
{
	workers "$HOST" --port "$PORT"
	added+=("$SERVER_PID")
}

still_as_before()
{
	flows_go_on $((3 * COUNT))
	want_equal "$(result moved)" 0 "flows moved: $1"
}

# lose_nothing: waits for the datagrams in flight
lose_nothing()
{
	flows_end
	want_equal "$(result moved) $(result lost)" "0 0" "flows moved, datagrams lost"
}

slots_used()
{
	bpftool -j map dump pinned "$(steer_groups)/sluice_slots" | python3 -c '
import json, sys
print(sum(slot["formatted"]["value"]["state"] != 0 for slot in json.load(sys.stdin)))'
}

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 4 --processes
server=$SERVER_PID

say "without sluice, a worker added"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 4000
add_worker
flows_go_on $((3 * COUNT))
want_at_least $((COUNT / 20)) "$(result moved)" "flows moved"
flows_end

say "the daemon starts"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 4000
configure '[steer]' "port = $PORT"
daemon_start
want_logged "pid=${added[0]}"
still_as_before "started"

say "a worker added"
add_worker
want_logged "pid=${added[1]} after_us="
still_as_before "a worker added"

say "killed; a worker starts without a daemon; the daemon restarts"
kill -KILL "$DAEMON"
wait "$DAEMON" 2>/dev/null || true
add_worker
still_as_before "killed"
daemon_start
want_logged "pid=${added[2]}"
want_equal "$(slots_used)" 7 "sockets in slots"
still_as_before "started again"

say "reload: another policy and timeout, and a file with errors"
configure '[steer]' "port = $PORT,5301" 'policy = load' 'idle = 600'
daemon_reload 'msg="reloaded"'
want_logged 'msg="steer: group-changed"'
still_as_before "reloaded"
configure '[steer]' "port = $PORT" 'policy = best'
daemon_reload 'reload refused'
add_worker
want_logged "pid=${added[3]} after_us="
still_as_before "reload refused"

say "a reload adds ports, and their sockets join"
workers "$HOST" --port 5301
added+=("$SERVER_PID")
want_logged "pid=$SERVER_PID after_us="

say "a port removed from the file returns to the kernel"
configure '[steer]' "port = $PORT" 'policy = load' 'idle = 600'
daemon_reload 'msg="reloaded"'
want_logged 'msg="steer: group-released" address=0.0.0.0:5301'
want_equal "$(steer_groups | wc -l)" 1 "groups"

say "a different --flows; a manual unload and load while the daemon runs"
lose_nothing
configure '[steer]' "port = $PORT" 'policy = load' 'idle = 600' 'flows = 1000'
daemon_reload 'msg="reloaded"'
want_logged 'msg="steer: flow tables start empty" flows=1000 before=65536'
want_equal "$(json "d['groups'][0]['flows']['size']" sluice -j steer show)" 1000
sluice steer unload
want_logged 'msg="steer: cannot track sockets"'
sluice --netns "$HOST" steer load --port "$PORT"
want_logged 'msg="steer: tracking sockets again"'
add_worker
want_logged "pid=$SERVER_PID after_us="

say "stopped: steering stays loaded"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 4000
daemon_stop
still_as_before "ended"

say "a section removed from the file is unloaded, and no datagram is lost"
configure '[steer]' "port = $PORT" '[reply]' 'mode = audit'
daemon_start
still_as_before "started once more"
configure '[reply]' 'mode = audit'
daemon_reload 'msg="reloaded"'
want_logged 'msg="steer unloaded"'
[ ! -e "$PINS/steer" ] || fail "still pinned: $(find "$PINS/steer")"
flows_go_on $((3 * COUNT))
flows_end
want_equal "$(result lost)" 0 "datagrams lost by unloading"

say "an object last loaded by a command belongs to the command"
sluice --netns "$HOST" steer load --port "$PORT"
daemon_reload 'msg="reloaded"'
want_equal "$(steer_groups | wc -l)" 1 "groups"
daemon_stop
for pid in "$server" "${added[@]}"; do
	stop "$pid"
done
sluice steer unload
sluice cleanup
want_verified
