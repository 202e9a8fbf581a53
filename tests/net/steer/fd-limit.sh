#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The number of groups exceeds the default limit of open files. All groups are steered, and all are
# returned. A group that loses its program, by its server or a killed loader, is steered again at
# once.
#
#   host: a server with sockets on ports 5001 to 5020
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

GROUPS_WANTED=20

# limited COMMAND…: runs COMMAND with a limit lower than that of a shell or systemd
limited()
{
	(
		ulimit -Sn 64
		"$@"
	)
}

netns_add "$HOST"
# prints "ready"; on SIGUSR1 detaches the program from all groups and prints "detached"
spawn_in "$HOST" "$TEST_TMP/server" python3 -c '
import signal, socket, sys

sockets = []
for port in range(5001, 5001 + int(sys.argv[1])):
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    opened.bind(("127.0.0.1", port))
    sockets.append(opened)

def detach(*_):
    for opened in sockets:
        opened.setsockopt(socket.SOL_SOCKET, 68, 0)  # SO_DETACH_REUSEPORT_BPF
    print("detached", flush=True)

signal.signal(signal.SIGUSR1, detach)
print("ready", flush=True)
while True:
    signal.pause()
' "$GROUPS_WANTED"
wait_until 20 grep -qx ready "$TEST_TMP/server" || fail "no server:" "$(cat "$TEST_TMP/server")"

say "a low limit of open files"
want_status 0 limited "$SLUICE" --netns "$HOST" steer load --port 5001-5020
want_status 0 limited "$SLUICE" --netns "$HOST" steer load --port 5001-5020
want_text "$GROUPS_WANTED groups steered"
want_status 0 limited "$SLUICE" steer show

say "the groups lose their program"
kill -USR1 "$SPAWNED"
wait_until 20 grep -qx detached "$TEST_TMP/server" || fail "not detached"
want_status 0 limited "$SLUICE" --netns "$HOST" steer load --port 5001-5020
want_text "$GROUPS_WANTED groups steered"
want_equal "$(steer_groups | wc -l)" "$GROUPS_WANTED" "groups"

want_status 0 limited "$SLUICE" steer unload
stop "$SPAWNED"
