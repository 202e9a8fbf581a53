#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon adds sockets when they are bound, and removes them when they are closed. The sweep
# interval is ten minutes here, so only the bind event can add a socket. Without a daemon, or with a
# daemon for other ports, a new worker gets no flows.
#
#   host: udp-workers on 127.0.0.1, [::1] and both, of root and of another user
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/steer.sh"

SWEEP='sweep = 600'

# followers: prints the names of sluice's programs on the test's cgroup
followers()
{
	bpftool cgroup tree "$TEST_CGROUP" | awk '/sluice_/ { print $2 }' | sort | xargs
}

# enrolled PID: prints the log line for a server with one worker
enrolled()
{
	want_logged "process=udp-worker pid=$1 after_us="
}

netns_add "$HOST"

say "loaded without a daemon: a new worker gets no flow"
workers "$HOST" --port "$PORT"
first=$SERVER_PID
sluice --netns "$HOST" steer load --port "$PORT"
workers "$HOST" --port "$PORT"
second=$SERVER_PID
flows "$HOST" --to "127.0.0.1:$PORT" --flows 100 --rate 2000
flows_end
want_equal "$(of_process flows "$second")" 0 "flows of a worker that is not enrolled"

say "a starting daemon adds the existing sockets"
configure '[steer]' "port = $PORT,5303" "$SWEEP"
daemon_start
want_logged "process=udp-worker pid=$second"
want_equal "$(followers)" "cgroup_inet4_post_bind cgroup_inet6_post_bind cgroup_inet_sock_release"
flows "$HOST" --to "127.0.0.1:$PORT" --flows 100 --rate 2000
flows_end
want_at_least 10 "$(of_process flows "$second")" "flows of an enrolled worker"

say "closed sockets are removed, and the group is removed with the last socket"
stop "$second"
want_logged "msg=\"steer: socket-left\" address=0.0.0.0:$PORT" 1
stop "$first"
want_logged 'msg="steer: group-gone"'
want_equal "$(steer_groups)" "" "groups"

say "new sockets: a new group, and more sockets of an existing one"
servers=()
for bind in 0.0.0.0 :: 127.0.0.1 ::1; do
	for _ in 1 2; do
		workers "$HOST" --port "$PORT" --bind "$bind" --v6only
		enrolled "$SERVER_PID"
		servers+=("$SERVER_PID")
	done
done
want_equal "$(steer_groups | wc -l)" 4 "groups"
workers "$HOST" --port "$PORT" --workers 16
want_logged "process=udp-worker pid=$SERVER_PID after_us=" 16
servers+=("$SERVER_PID")

say "a server of another user, who may not share the port"
spawn_in "$HOST" "$TEST_TMP/other_user" setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$SERVER" --kind sendto4 --port 5303 --reuseport
want_logged "process=udp-server pid=$SPAWNED after_us="
want_logged 'msg="steer: group-attached" address=0.0.0.0:5303'
servers+=("$SPAWNED")

say "no events for other sockets: another port, and a socket without SO_REUSEPORT"
before=$(grep -c 'msg="steer: ' "$DAEMON_LOG")
workers "$HOST" --port 5301
servers+=("$SERVER_PID")
serve "$HOST" sendto4 5302
servers+=("$SPAWNED")

say "a killed worker"
workers "$HOST" --port "$PORT" --bind 127.0.0.3
enrolled "$SERVER_PID"
kill -KILL "$SERVER_PID"
wait "$SERVER_PID" 2>/dev/null || true
want_logged 'msg="steer: group-gone" address=127.0.0.3'
# only the workers on 127.0.0.3: two were added and two removed
want_equal "$(grep -c 'msg="steer: ' "$DAEMON_LOG")" $((before + 3)) "lines"
want_equal "$(grep level=warning "$DAEMON_LOG" || true)" "" "warnings"

echo "from bind to enrolment, in microseconds:" \
	"$(sed -n 's/.*after_us=//p' "$DAEMON_LOG" | sort -n | xargs)"

say "stopped: steering stays loaded, the daemon's programs are detached"
daemon_stop
want_equal "$(followers)" ""
want_equal "$(steer_groups | wc -l)" 5 "groups"
flows "$HOST" --to "127.0.0.1:$PORT" --flows 100 --rate 2000
flows_end
want_equal "$(result lost) $(result moved)" "0 0" "lost and moved"
want_at_least 200 $(($(steer_counter known) + $(steer_counter started))) "steered datagrams"

for pid in "${servers[@]}"; do
	stop "$pid"
done
sluice steer unload
want_verified
