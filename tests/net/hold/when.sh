#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests when keepalives are sent. Datagrams of the program defer them, datagrams from the peer do
# not. A flow without an answer gets none. Sending stops when the peer is unreachable, and after
# --max. Without a daemon, nothing is sent.
#
#   inside ── nat ── router ── peer
#
# takes long: silences of many seconds
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

lab_up symmetric 30
say "without a daemon"
want_status 2 sluice --netns "$INSIDE" hold load --cgroup "$TEST_CGROUP"
want_text "needs a --port"
want_status 0 sluice --netns "$INSIDE" hold load --cgroup "$TEST_CGROUP" --port 7000
want_text "not sending"
want_status 0 sluice hold show
want_text "not sending"
peer_start 7000
plain_start "$INSIDE" "$PEER4" 7000
want_equal "$(hold_flow '[(x["state"], x["datagrams_out"], x["datagrams_in"]) for x in f]')" \
	"[('new', 1, 1)]"

say "the daemon takes over previously tracked flows"
configure '[hold]' 'port = 7000-7009' 'interval = 1'
daemon_start
wait_until 20 sent_at_least 2
stop "$PLAIN_PID"
stop "$PEER_PID"

say "datagrams of the peer do not defer"
peer_start 7001 --every 0.2
plain_start "$INSIDE" "$PEER4" 7001
before=$(hold_sent)
sleep 6
want_at_least $((before + 3)) "$(hold_sent)" "keepalives despite traffic from the peer"
stop "$PLAIN_PID"
stop "$PEER_PID"
sleep 2

say "an active flow gets no keepalives"
# far longer than the time between two datagrams, even on a busy machine
configure '[hold]' 'port = 7000-7009' 'interval = 6'
daemon_reload 'msg="hold is active"'
peer_start 7002 --mute
plain_start_mute()
{
	PLAIN_LOG=$TEST_TMP/active
	spawn_in "$INSIDE" "$PLAIN_LOG" python3 "$PLAIN" client "$@"
	PLAIN_PID=$SPAWNED
	wait_until 20 grep -q '^got' "$PEER_LOG"
}
plain_start_mute "$PEER4" 7002 --every 0.1
push answered
wait_until 20 received answered
sleep 8
want_equal "$(hold_flow '[x["sent"] for x in f]')" "[0]" "keepalives on an active flow"
stop "$PLAIN_PID"

say "a flow without an answer gets no keepalives"
plain_start_mute "$PEER4" 7002
configure '[hold]' 'port = 7000-7009' 'interval = 1'
daemon_reload 'msg="hold is active"'
sleep 4
want_equal "$(hold_flow '[(x["state"], x["sent"]) for x in f]')" "[('unanswered', 0)]" \
	"a flow without an answer"
push at_last
wait_until 20 received at_last
wait_until 20 hold_state_is kept
stop "$PLAIN_PID"
stop "$PEER_PID"
sleep 2

say "the peer has exited: port unreachable ends the flow"
peer_start 7003
plain_start "$INSIDE" "$PEER4" 7003 --every 3
wait_until 20 hold_state_is kept
stop "$PEER_PID"
wait_until 20 hold_state_is unreachable
before=$(hold_sent)
sleep 4
want_equal "$(hold_sent)" "$before" "keepalives to a port that is closed"
stop "$PLAIN_PID"

say "its socket gets another port: the flow ends, and the next flow is kept"
peer_start 7005
cat >"$TEST_TMP/ports.py" <<'PYTHON'
import ctypes
import socket
import sys
import time

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for pause in (5, 3600):
    sock.connect((sys.argv[1], 7005))
    sock.send(b"hello")
    sock.recv(64)
    time.sleep(pause)
    # AF_UNSPEC: the socket releases a port that was not set by bind()
    ctypes.CDLL(None).connect(sock.fileno(), bytes(16), 16)
PYTHON
spawn_in "$INSIDE" "$TEST_TMP/ports" python3 "$TEST_TMP/ports.py" "$PEER4"
wait_until 20 hold_state_is kept
first=$(hold_flow 'f[0]["local_port"]')
ended_first()
{
	[ "$(json "[x['state'] for x in d['flows'] if x['local_port'] == $first]" \
		sluice -j hold flows --all)" = "['closed']" ]
}
wait_until 30 ended_first
wait_until 20 hold_state_is kept
sent_first()
{
	json "[x['sent'] for x in d['flows'] if x['local_port'] == $first]" sluice -j hold flows --all
}
before=$(sent_first)
sleep 3
want_equal "$(sent_first)" "$before" "keepalives from a port that was given up"
stop "$SPAWNED"
stop "$PEER_PID"

say "silent for longer than max: the flow ends"
configure '[hold]' 'port = 7000-7009' 'interval = 1' 'max = 3'
daemon_reload 'msg="reloaded"'
peer_start 7004
plain_start "$INSIDE" "$PEER4" 7004
wait_until 20 hold_state_is kept
# the socket is still open
ended()
{
	[ "$(json "[x['state'] for x in d['flows'] if x['peer_port'] == 7004]" \
		sluice -j hold flows --all)" = "['ended']" ]
}
wait_until 20 ended
before=$(hold_sent)
sleep 3
want_equal "$(hold_sent)" "$before" "keepalives after --max"
want_equal "$(hold_flow '[x["state"] for x in f]')" "[]" "ended flows are listed with --all only"
want_at_least 1 "$(hold_counter stopped_max)" "flows ended by --max"

say "a reload counts the end of the flow once; a longer --max keeps the flow again"
stopped=$(hold_counter stopped_max)
saved=$(json "d['hold']['saved']" sluice -j hold show)
configure '[hold]' 'port = 7000-7009' 'interval = 1' 'max = 4'
daemon_reload 'msg="reloaded"'
sleep 3
want_equal "$(hold_counter stopped_max)" "$stopped" "flows ended by --max"
want_equal "$(json "d['hold']['saved']" sluice -j hold show)" "$saved" "keepalives saved"
configure '[hold]' 'port = 7000-7009' 'interval = 1'
daemon_reload 'msg="reloaded"'
wait_until 20 hold_state_is kept
stop "$PLAIN_PID"
daemon_stop
want_status 0 sluice hold show
want_text "not sending"
sluice hold unload
want_status 1 sluice hold show
want_text "hold is not loaded"
