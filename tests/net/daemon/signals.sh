#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several SIGHUPs arrive close together. None interrupts the verifier, which would return EAGAIN.
# Each load succeeds, the last file is applied, and no verifier log is left in TMPDIR. A SIGTERM
# during a load takes effect after it.
#
#   host: workers on [::]:56789
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/cpu.sh"

topology_up
workers a@0 b@1
export TMPDIR=$TEST_TMP/logs
mkdir "$TMPDIR"

configure '[reply]' 'mode = socket' '[wire]' 'follow = docker0' '[steer]' "port = $PORT" 'policy = cpu'
daemon_start
for round in $(seq 40); do
	configure '[reply]' 'mode = socket' "table = $((5000 + round))" '[wire]' 'follow = docker0' \
		'[steer]' "port = $PORT" 'policy = cpu' "flows = $((5000 + round))"
	kill -HUP "$DAEMON"
	sleep 0.0$((round % 10))
done
want_logged 'msg="steer: flow tables start empty" flows=5040'
! grep -E 'refused|not applied|interrupted|unavailable|level=error' "$DAEMON_LOG" ||
	fail "a load was disturbed"
want_equal "$(ls "$TMPDIR")" "" "logs of the verifier"

kill -HUP "$DAEMON"
daemon_stop

say "a command reports that its verification was interrupted"
sluice reply unload
LOAD=("$SLUICE" reply load --mode socket --cgroup "$TEST_CGROUP")
strace -o "$TEST_TMP/calls" -e trace=bpf "${LOAD[@]}" --dry-run >/dev/null
call=$(grep '^bpf(' "$TEST_TMP/calls" | grep -n 'BPF_PROG_LOAD.*prog_name="sluice_' | sed -n '1s/:.*//p')
want_status 1 strace -o /dev/null -e trace=bpf -e "inject=bpf:error=EAGAIN:when=$call+" "${LOAD[@]}"
want_text "a signal has interrupted the kernel's verifier"
want_equal "$(ls "$TMPDIR")" "" "logs of the verifier"
sluice --netns "$HOST" cleanup
want_clean
