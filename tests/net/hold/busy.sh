#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Keepalives are not delayed while the daemon attaches a hundred groups, which takes many seconds.
#
#   inside: the daemon, a program, a server with 100 groups ── nat ── router ── peer
#
# takes long: a hundred groups are attached
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

lab_up symmetric 30
cat >"$TEST_TMP/groups.py" <<'PYTHON'
import socket
import time

kept = []
for port in range(41001, 41101):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("", port))
    kept.append(sock)
print("ready", flush=True)
time.sleep(3600)
PYTHON
spawn_in "$INSIDE" "$TEST_TMP/groups" python3 "$TEST_TMP/groups.py"
wait_until 20 grep -q ready "$TEST_TMP/groups"

HOLD=('[hold]' 'port = 7000' 'interval = 1')
configure "${HOLD[@]}"
daemon_start
peer_start 7000
plain_start "$INSIDE" "$PEER4" 7000
wait_until 20 sent_at_least 1

configure "${HOLD[@]}" '[steer]' 'port = 41001-41100' 'flows = 64'
kill -HUP "$DAEMON"
# the programs of a few groups are attached, and most are not
has_attached()
{
	[ "$(grep -c 'msg="steer: group-attached"' "$DAEMON_LOG")" -ge "$1" ]
}
wait_until 60 has_attached 10
before=$(hold_sent) since=$SECONDS
wait_until 60 has_attached 90
after=$(hold_sent)
took=$((SECONDS - since))
# at least one per second; a busy machine may take longer for a single group
want_at_least $((before + took / 3)) "$after" "keepalives in $took s of the load"

want_logged 'msg="steer is active" outcome=loaded'
daemon_stop
sluice --netns "$INSIDE" cleanup
want_clean
