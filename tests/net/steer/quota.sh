#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# All network namespaces except the host's share 192 groups. A namespace with 120 groups gets half
# of the 192. Denied groups are reported and shown, and another namespace is still steered.
#
#   host: a server with sockets on ports 47300 to 47419      lan: one on port 47300
#
# No other test uses these ports: `--netns all` steers the servers of all namespaces of the machine.
#
# takes long: groups of 120 sockets in several namespaces
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

FIRST=47300 COUNT=120 SHARE=96
PORTS=$FIRST-$((FIRST + COUNT - 1))

netns_add "$HOST"
netns_add "$LAN"
spawn_in "$HOST" "$TEST_TMP/server" python3 -uc '
import signal, socket, sys

sockets = []
for port in range(int(sys.argv[1]), int(sys.argv[1]) + int(sys.argv[2])):
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    opened.bind(("127.0.0.1", port))
    sockets.append(opened)
print("ready")
signal.pause()
' "$FIRST" "$COUNT"
MANY=$SPAWNED
wait_until 20 grep -q ready "$TEST_TMP/server" || fail "no server:" "$(cat "$TEST_TMP/server")"
inode=$(stat -Lc %i "/run/netns/$HOST")

load()
{
	want_status 0 sluice --netns all steer load --port "$PORTS" --flows 64 "$@"
}

say "a dry run"
load --dry-run
want_text "$SHARE groups would be steered, $((COUNT - SHARE)) left out"

say "half of the quota"
load
want_text "netns $inode ($HOST): $((COUNT - SHARE)) groups left to the kernel"
want_text "it has $SHARE groups, and at most as many are free"
want_text "$SHARE groups steered, $((COUNT - SHARE)) left out"
want_equal "$(steer_groups_of "$HOST" | wc -l)" "$SHARE" "groups"

say "another namespace"
workers "$LAN" --port "$FIRST" --workers 2
load
want_text "$((SHARE + 1)) groups steered, $((COUNT - SHARE)) left out"
want_equal "$(steer_groups_of "$LAN" | wc -l)" 1 "groups of the other namespace"
want_equal "$(json "d['groups_left_out']" sluice -j steer show)" $((COUNT - SHARE)) "left out"
want_status 0 sluice steer show
want_text "$((COUNT - SHARE)) groups of 1 network namespace left to the kernel"

say "a load for a single namespace has no such limit"
want_status 0 sluice --netns "$HOST" steer load --port "$PORTS" --flows 64
want_text "$COUNT groups steered"
want_equal "$(json "d['groups_left_out']" sluice -j steer show)" 0 "left out"

want_status 0 sluice steer unload
stop "$SERVER_PID"
stop "$MANY"
want_clean
