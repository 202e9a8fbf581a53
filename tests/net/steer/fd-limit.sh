#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# More groups than a process may have files open by default: all of them are seen to, and given back.
# And a group that lost its program, be it by its server or by a loader that died, is taken at once.
#
#   host: a server with sockets on ports 5001 to 5020
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

GROUPS_WANTED=20

# limited COMMAND…: as started by a shell or by systemd, though with less
limited()
{
	(
		ulimit -Sn 64
		"$@"
	)
}

netns_add "$HOST"
# prints "ready"; takes the program off all groups when it gets SIGUSR1, and prints "detached"
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

say "few files"
want_status 0 limited "$SLUICE" --netns "$HOST" steer load --port 5001-5020
want_status 0 limited "$SLUICE" --netns "$HOST" steer load --port 5001-5020
want_text "$GROUPS_WANTED groups steered"
want_status 0 limited "$SLUICE" steer show

say "the program has gone from the groups"
kill -USR1 "$SPAWNED"
wait_until 20 grep -qx detached "$TEST_TMP/server" || fail "not detached"
want_status 0 limited "$SLUICE" --netns "$HOST" steer load --port 5001-5020
want_text "$GROUPS_WANTED groups steered"
want_equal "$(steer_groups | wc -l)" "$GROUPS_WANTED" "groups"

want_status 0 limited "$SLUICE" steer unload
stop "$SPAWNED"
