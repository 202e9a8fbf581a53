#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A load of many groups is slow, and yields the lock to other commands between two groups. These
# commands finish before the load, which still steers all groups. A command that loads or unloads
# steering aborts the load.
#
#   host: one process with a socket on each of GROUPS ports (SO_REUSEPORT)
#
# takes long: loads of many groups
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

COUNT=${COUNT:-15}
netns_add "$HOST"
spawn_in "$HOST" "$TEST_TMP/sockets" python3 -c '
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
sockets = []
for port in range(20000, 20000 + int(sys.argv[1])):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("0.0.0.0", port))
    sockets.append(sock)
print("ready", flush=True)
time.sleep(3600)' "$COUNT"
wait_until 20 grep -qx ready "$TEST_TMP/sockets"

groups()
{
	find /sys/fs/bpf -path '*/steer/*' -type d | wc -l
}

groups_more_than()
{
	[ "$(groups)" -gt "$1" ]
}

# load_start: starts a load that takes 0.2 s per group, and returns while it is running
load_start()
{
	spawn_in "$HOST" "$TEST_TMP/load" strace -f -o /dev/null -e trace=pidfd_getfd \
		-e inject=pidfd_getfd:delay_enter=200ms \
		"$SLUICE" --verbose steer load --port 20000-20999
	LOAD=$SPAWNED
	wait_until 60 groups_more_than 2
}

# meanwhile COMMAND…: runs COMMAND, which must finish before the load has handled all groups
meanwhile()
{
	"$@" >"$TEST_TMP/meanwhile" 2>&1 || fail "$*:" "$(cat "$TEST_TMP/meanwhile")"
	kill -0 "$LOAD" || fail "the load has ended before: $*" "$(cat "$TEST_TMP/load")"
}

# load_end CODE: waits for the end of the load
load_end()
{
	local status=0
	wait "$LOAD" || status=$?
	want_equal "$status" "$1" "exit status of the load: $(cat "$TEST_TMP/load")"
}

say "other objects meanwhile"
load_start
meanwhile reply_load
meanwhile sluice reply unload
meanwhile sluice steer show
load_end 0
want_equal "$(groups)" "$COUNT" "groups"
want_equal "$(json "len(d['groups'])" sluice -j steer show)" "$COUNT"
want_equal "$(grep -c ': attached, ' "$TEST_TMP/load")" "$COUNT" "groups reported"

say "steering is unloaded meanwhile"
sluice steer unload >/dev/null
load_start
sluice steer unload >/dev/null
load_end 5
grep -q 'another process has loaded or unloaded it meanwhile' "$TEST_TMP/load"
want_equal "$(groups)" 0 "groups"
want_clean

say "steering is loaded with other options meanwhile"
load_start
sluice --netns "$HOST" steer load --port 20000-20001 >/dev/null
load_end 5
want_equal "$(groups)" 2 "groups"

say "the daemon reports its progress, and loads [reply] before the groups"
configure '[steer]' 'port = 20000-20999' '[reply]' 'mode = socket'
spawn_in "$HOST" "$DAEMON_LOG" "$SLUICE" run --config "$CONF"
DAEMON=$SPAWNED
want_logged 'msg="started"'
want_equal "$(grep -o 'msg="[a-z]* is active"' "$DAEMON_LOG" | tr '\n' ' ')" \
	'msg="reply is active" msg="steer is active" '
want_equal "$(groups)" "$COUNT" "groups"
daemon_stop
sluice cleanup
want_clean
