#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A socket in flight to another process (SCM_RIGHTS) is still open, but in no file table. Its slot,
# its flows and its group stay until the socket is closed.
#
#   host: a server with three sockets, which it sends away one after another
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

# printed COUNT: returns true if the server has printed COUNT lines
printed()
{
	[ "$(wc -l <"$TEST_TMP/server")" -ge "$1" ]
}

# signal_and_load SIGNAL COUNT
signal_and_load()
{
	kill "-$1" "$SPAWNED"
	wait_until 20 printed "$2" || fail "no answer:" "$(cat "$TEST_TMP/server")"
	want_status "${3:-0}" sluice --netns "$HOST" steer load --port "$PORT"
}

netns_add "$HOST"
# prints a line for each step: SIGUSR1 sends the next socket, SIGUSR2 closes all of them
spawn_in "$HOST" "$TEST_TMP/server" python3 -c '
import array, signal, socket, sys

def opened():
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", int(sys.argv[1])))
    return made

sockets = [opened() for _ in range(3)]
ends = list(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))

def give(*_):
    given = sockets.pop()
    ends[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [given.fileno()]))])
    given.close()
    print("given", flush=True)

def close(*_):
    while ends:
        ends.pop().close()
    print("closed", flush=True)

signal.signal(signal.SIGUSR1, give)
signal.signal(signal.SIGUSR2, close)
print("ready", flush=True)
while True:
    signal.pause()
' "$PORT"
wait_until 20 printed 1 || fail "no server:" "$(cat "$TEST_TMP/server")"
sluice --netns "$HOST" steer load --port "$PORT"
group=$(steer_groups)

say "in flight"
for given in 1 2; do
	signal_and_load USR1 $((1 + given))
	want_text "kept, 3 sockets"
done
signal_and_load USR1 4 1 # no group left
want_equal "$(steer_groups)" "$group" "groups"

say "closed"
signal_and_load USR2 5 1
want_equal "$(steer_groups)" "" "groups"
stop "$SPAWNED"
sluice steer unload
