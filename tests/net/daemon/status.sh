#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'sluice status' shows the daemon: its process, its file, and the sections that are pending, with
# reasons. Only root can read the daemon's socket. A daemon that hangs or was killed does not delay
# or mislead the command.
#
#   container ── docker0 172.17.0.1 [host: the daemon] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

# daemon EXPRESSION: evaluates EXPRESSION with `d` = the daemon's part of the status
daemon()
{
	json "(lambda d: ($1))(d['daemon'])" sluice -j status
}

# section NAME KEY
section()
{
	daemon "[s['$2'] for s in d['sections'] if s['section'] == '$1'][0]"
}

waits()
{
	[ "$(section "$1" state)" = waiting ]
}

topology_up

say "no daemon"
want_equal "$(daemon d)" None
want_status 0 sluice status
want_text "daemon: not running"

say "one section is loaded, one waits"
configure '[reply]' 'mode = socket' "port = $PORT" '[wire]' 'follow = missing0, eth0' 'port = 5201'
daemon_start
want_equal "$(daemon "(d['pid'], d['config'], d['reload_refused'], d['no_answer'])")" \
	"($DAEMON, '$CONF', None, None)"
want_equal "$(section reply state)" loaded
want_equal "$(section wire state)" waiting
[[ $(section wire reason) == *eth0* ]] || fail "$(section wire reason)"
want_status 0 sluice status
want_text "daemon: process $DAEMON, config $CONF, version"
want_text "[reply] loaded"
want_text "[wire] waiting: "
want_text eth0

say "the reason disappears with its cause"
configure '[reply]' 'mode = socket' "port = $PORT" '[wire]' 'follow = docker0' 'port = 5201'
daemon_reload 'msg="reloaded"'
want_equal "$(section wire state) $(section wire reason) $(section wire interfaces)" "loaded None 1"

say "a file with an error"
configure '[reply]' 'mode = x'
daemon_reload 'msg="reload refused'
[[ $(daemon "d['reload_refused']") == *"$CONF"* ]] || fail "$(daemon d)"
want_status 0 sluice status
want_text "the last reload was refused: "
configure '[reply]' 'mode = socket' "port = $PORT"
daemon_reload 'msg="reloaded"'
want_equal "$(daemon "d['reload_refused'], [s['section'] for s in d['sections']]")" "(None, ['reply'])"

say "memory, rates of the last seconds, and the last problem"
want_equal "$(daemon "d['memory_bytes'] > 100000")" True
[[ $(daemon "d['last_problem']['line']") == 'level=warning msg="reload refused'* ]] ||
	fail "$(daemon "d['last_problem']")"
serve "$HOST" sendto4 "$PORT"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_equal "$(daemon "round(d['rates']['replies_fixed_per_s'] * d['rates']['over_s'])")" 3
want_equal "$(daemon "d['rates']['datagrams_steered_per_s']")" 0.0
want_status 0 sluice status
want_text " replies fixed per second, over the last "
want_text "  last problem, "
stop "$SPAWNED"

say "hold: the sending state, and a probe without a result"
configure '[reply]' 'mode = socket' "port = $PORT" '[hold]' 'port = 4000' 'probe = 127.0.0.1:9'
daemon_reload 'msg="reloaded"'
want_equal "$(section hold state) $(section hold sending)" "loaded True"
want_logged 'msg="hold: the probe has no result; the interval is unchanged" server=127.0.0.1:9 reason="Connection refused"'
want_equal "$(section hold warnings)" "['the probe has no result: Connection refused']"
want_status 0 sluice status
want_text "[hold] loaded"
want_text "warning: the probe has no result"
configure '[reply]' 'mode = socket' "port = $PORT" '[hold]' 'port = 4000' 'probe = 240.0.0.1:9'
daemon_reload 'msg="reloaded"'
want_logged 'server=240.0.0.1:9 reason="Network is unreachable"'
configure '[reply]' 'mode = socket' "port = $PORT"
daemon_reload 'msg="reloaded"'

say "hold without an answer, and steering without a worker"
spawn_in "$HOST" "$TEST_TMP/asks" python3 -IS -c 'import signal, socket
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("172.17.0.1", 4000))
signal.sigwait([signal.SIGUSR1])
sock.sendto(b"x", ("172.17.0.3", 9))
signal.pause()'
wait_udp "$HOST" 4000
configure '[reply]' 'mode = socket' "port = $PORT" '[hold]' 'port = 4000' '[steer]' 'port = 7777'
daemon_reload 'msg="reloaded"'
status_says()
{
	sluice status | contains -F "$1"
}
want_equal "$(section steer warnings)" "['no socket with SO_REUSEPORT is bound to its ports yet']"
status_says "warning: no socket with SO_REUSEPORT that is bound to these ports is known"
if status_says "warning: no peer has answered"; then
	fail "a warning without a flow"
fi
kill -USR1 "$SPAWNED"
wait_until 20 status_says "warning: no peer has answered, so no keepalives are sent"
stop "$SPAWNED"
configure '[reply]' 'mode = socket' "port = $PORT"
daemon_reload 'msg="reloaded"'

say "unloaded by a command"
sluice reply unload
unloaded()
{
	[ "$(section reply state)" = unloaded ]
}
wait_until 20 unloaded
want_equal "$(section reply hint)" "send SIGHUP to the daemon to load it again"

say "loaded by a command"
sluice reply load --mode audit --cgroup "$TEST_CGROUP"
want_equal "$(section reply state)" loaded
[[ $(section reply warnings) == *"a command loaded it last"* ]] || fail "$(section reply warnings)"
want_status 0 sluice status
want_text "warning: a command loaded it last: send SIGHUP"
daemon_reload 'msg="reloaded"'
want_equal "$(section reply warnings)" "[]"

say "a second pin directory has no daemon"
want_equal "$(json "d['daemon']" sluice -j --bpffs /sys/fs/bpf/sluice_second status)" None

say "only root reads the socket"
mapfile -t sockets < <(find /run/sluice -type s)
want_equal "${#sockets[@]}" 1 "sockets"
want_equal "$(stat -c '%a %u' "${sockets[0]}")" "600 0"
cat >"$TEST_TMP/read.py" <<'PYTHON'
import socket
import sys

try:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(sys.argv[1])
        print(len(client.recv(65536)))
except PermissionError:
    print("refused")
PYTHON
chmod 755 /run/sluice
want_equal "$(setpriv --reuid=65534 --regid=65534 --clear-groups python3 - "${sockets[0]}" \
	<"$TEST_TMP/read.py")" refused
say "another user gets no answer, even with access to the socket file"
chmod 666 "${sockets[0]}"
want_equal "$(setpriv --reuid=65534 --regid=65534 --clear-groups python3 - "${sockets[0]}" \
	<"$TEST_TMP/read.py")" 0
want_equal "$(python3 "$TEST_TMP/read.py" "${sockets[0]}" | awk '{ print ($1 > 0) }')" 1
chmod 600 "${sockets[0]}"

say "clients that do not read or do not write delay no other client"
python3 - "${sockets[0]}" <<'PYTHON' &
import socket
import sys
import time

clients = []
for _ in range(8):
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[1])
    clients.append(client)
time.sleep(600)
PYTHON
idle=$!
want_equal "$(daemon "d['pid']")" "$DAEMON"
stop "$idle"

say "a stopped daemon: its process is known, and status gives a hint to continue it"
halt "$DAEMON"
want_equal "$(daemon "(d['pid'], d['config'])")" "($DAEMON, None)"
want_status 0 sluice status
want_text "daemon: process $DAEMON; its state is not known: a signal has stopped it; 'kill -CONT $DAEMON'"
kill -CONT "$DAEMON"
want_equal "$(daemon "d['no_answer']")" None

say "a daemon that was killed is not running, and the next one takes over its socket"
kill -KILL "$DAEMON"
wait "$DAEMON" 2>/dev/null || true
want_equal "$(daemon d)" None
want_equal "$(json "d['by_daemon']" sluice -j status)" "['reply']"
want_status 0 sluice status
want_text "warning: a daemon has loaded reply: the programs stay attached, but nothing follows"
daemon_start
want_equal "$(daemon "d['pid']")" "$DAEMON"
want_equal "$(find /run/sluice -type s | wc -l)" 1 "sockets"
daemon_stop
want_equal "$(daemon d)" None
want_equal "$(find /run/sluice -type s)" "" "sockets after the end"

say "without a socket, the daemon works, and status shows its process"
chmod 777 /run/sluice
daemon_start
want_logged 'msg="no status socket'
want_equal "$(daemon "(d['pid'], d['config'])")" "($DAEMON, None)"
[[ $(daemon "d['no_answer']") == */run/sluice/* ]] || fail "$(daemon d)"
daemon_stop
chmod 700 /run/sluice
sluice --netns "$HOST" cleanup
want_clean
