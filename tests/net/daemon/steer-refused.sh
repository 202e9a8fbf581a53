#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests cases in which the daemon cannot steer. Without CAP_SYS_PTRACE, it exits with status 4 and
# reports the missing capability. It leaves a server with its own reuseport program alone, and logs
# this once, not at every sweep. If the cgroup hooks are refused, only the sweeps find new sockets.
#
#   host: udp-workers, some with a program of their own that selects the first
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/steer.sh"

# without CAPS COMMAND…: runs COMMAND in HOST as root without the listed capabilities
# (-bpf,-sys_admin)
without()
{
	local caps=$1
	shift
	in_ns "$HOST" setpriv --bounding-set="$caps" --inh-caps="$caps" "$@"
}

# want_first: checks that worker 0 has all flows
want_first()
{
	flows "$HOST" --to "127.0.0.1:$PORT" --flows 40
	flows_end
	want_equal "$(result workers) $(result lost)" "1 0" "answering workers, datagrams lost"
}

foreign_lines()
{
	grep -c 'level=warning msg="steer: group-foreign"' "$DAEMON_LOG" || true
}

netns_add "$HOST"
workers "$HOST" --port 5301 --workers 2
plain=$SERVER_PID

say "a missing capability is reported, and nothing is left behind"
configure '[steer]' "port = $PORT,5301"
for cap in sys_ptrace bpf,-sys_admin perfmon,-sys_admin net_admin; do
	want_status 4 without "-$cap" "$SLUICE" run --config "$CONF"
	name=${cap%%,*}
	want_text "CAP_${name^^}"
	want_clean
done

say "another object in the file is still loaded"
configure '[steer]' "port = $PORT,5301" '[reply]' 'mode = audit'
: >"$DAEMON_LOG"
spawn_in "$HOST" "$DAEMON_LOG" setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace \
	"$SLUICE" run --config "$CONF"
DAEMON=$SPAWNED
want_logged 'msg="started"'
want_logged 'level=warning msg="section not applied, retrying" section=steer'
want_logged CAP_SYS_PTRACE
want_equal "$(json "d['reply']['mode']" sluice -j reply show)" audit
[ ! -e "$PINS/steer" ] || fail "left: $(find "$PINS/steer")"
daemon_stop
sluice cleanup

say "with two failures, nothing is left behind, and the first failure is reported"
configure '[steer]' "port = $PORT,5301" '[wire]' 'follow = lo'
want_status 1 without -sys_ptrace "$SLUICE" run --config "$CONF"
want_text "lo is not a bridge"
want_clean

say "a server with its own program is reported once, not at every sweep"
configure '[steer]' "port = $PORT,5301"
daemon_start
want_equal "$(steer_groups | wc -l)" 1 "groups"
for own in classic ebpf; do
	workers "$HOST" --port "$PORT" --workers 4 --own "$own"
	foreign=$SERVER_PID
	# the server may attach its program after sluice's, and then replaces it
	want_logged "pid=$foreign"
	want_first
	# each sweep logs a line
	for _ in 1 2 3 4 5; do
		workers "$HOST" --port 5301
		want_logged "process=udp-worker pid=$SERVER_PID"
		stop "$SERVER_PID"
	done
	want_equal "$(grep -c "msg=\"steer: group-foreign\".*pid=$foreign" "$DAEMON_LOG")" 1 "lines"
	want_first
	stop "$foreign"
	wait_until 10 udp_unbound "$HOST" "$PORT"
done
grep -q 'group-foreign.*program_id=0' "$DAEMON_LOG" || fail "$(cat "$DAEMON_LOG")"
grep -q 'group-foreign.*program_id=[1-9]' "$DAEMON_LOG" || fail "$(cat "$DAEMON_LOG")"
daemon_stop

say "no cgroup for the socket events: the sweep finds the sockets"
printf '%s\n' '[global]' "cgroup = $TEST_TMP/none" '[steer]' "port = 5301" >"$CONF"
daemon_start
want_logged 'msg="steer: no socket events; only sweeps find new sockets"'
workers "$HOST" --port 5301
want_logged "process=udp-worker pid=$SERVER_PID"
stop "$SERVER_PID"
want_logged 'msg="steer: socket-left"'
want_equal "$(grep -c after_us "$DAEMON_LOG" || true)" 0 "sockets enrolled by an event"
daemon_stop
stop "$plain"
sluice steer unload
want_verified
