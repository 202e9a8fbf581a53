#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Open and closed sockets are counted separately, and a load counts the sockets that it adds.
# Sockets and groups that are not steered yet are shown with a hint. Every namespace is shown with
# its number and its name.
#
#   container ── docker0 172.17.0.1 [host: four servers, then three more on 0.0.0.0:56789]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/see.sh"

# server PORT: starts another server; adds its process id to SERVERS
server()
{
	spawn_in "$HOST" "$TEST_TMP/server.${#SERVERS[@]}" "$SERVER" --kind sendto4 --port "$1" --reuseport
	SERVERS+=("$SPAWNED")
}

topology_up
group_up 4
netns="$(stat -Lc %i "/run/netns/$HOST") ($HOST)"

say "the first load"
want_status 0 sluice --netns "$HOST" steer load --port "$PORT,$((PORT + 1))"
want_text "steer: loaded: policy flow, 1 group steered"
want_text "attached, 4 sockets, netns $netns"
want_equal "$(seen "(g['open'], g['closed'], g['not_joined'], d['groups_not_steered'])")" "(4, 0, 0, 0)"

say "an identical load changes nothing"
want_status 0 sluice --netns "$HOST" steer load --port "$PORT,$((PORT + 1))"
want_text "steer: unchanged: "
want_text "kept, 4 sockets, netns $netns"

say "three sockets of the group, and another group, are opened: nothing adds them"
for _ in 1 2 3; do
	server "$PORT"
done
wait_until 10 bound 7
server $((PORT + 1))
wait_udp "$HOST" $((PORT + 1))
want_equal "$(seen "(g['open'], g['not_joined'], d['groups_not_steered'])")" "(4, 3, 1)"
want_status 0 sluice steer show
want_text "3 open sockets have not joined, and get nothing: run 'sluice steer load' again"
want_text "1 group on these ports not steered yet: run 'sluice steer load' again"
want_text "group 0.0.0.0:$PORT, netns $netns"
want_equal "$(json "[(e['sockets'], e['added'], e['netns_name']) for e in d['events'] if e['event'] == 'group-kept']" \
	sluice -j --netns "$HOST" steer load --port "$PORT,$((PORT + 1))")" "[(7, 3, '$HOST')]"
want_equal "$(seen "(g['open'], g['not_joined'], d['groups_not_steered'])")" "(7, 0, 0)"

say "in the text"
server "$PORT"
wait_until 10 bound 8
want_status 0 sluice --netns "$HOST" steer load --port "$PORT,$((PORT + 1))"
want_text "steer: updated: "
want_text "kept, 8 sockets (1 added), netns $netns"

say "four sockets are closed, and keep their slots until the next sweep"
for i in 0 1 2 3; do
	stop "${SERVERS[$i]}"
done
want_equal "$(seen "(g['open'], g['closed'], len(g['slots']))")" "(4, 4, 8)"
want_status 0 sluice steer show
want_text "4 sockets open, 4 closed"
want_equal "$(json "[(g['sockets'], g['open'], g['closed'], g['netns_name']) for g in d['steer']['groups'] if g['port'] == $PORT]" \
	sluice -j status)" "[(8, 4, 4, '$HOST')]"
want_status 0 sluice status
want_text "$netns"

say "a connected socket, and a socket of another group, do not count as sockets that should join"
spawn_in "$HOST" "$TEST_TMP/connected" python3 -uc '
import signal, socket, sys

connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
connected.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
connected.bind(("0.0.0.0", int(sys.argv[1])))
connected.connect(("127.0.0.1", 9))
print("connected")
signal.pause()
' "$PORT"
wait_until 20 grep -qx connected "$TEST_TMP/connected" || fail "$(cat "$TEST_TMP/connected")"
want_equal "$(seen "(g['open'], g['not_joined'])")" "(4, 0)"
steer_load
want_equal "$(seen "(g['open'], g['not_joined'], len(g['slots']))")" "(4, 0, 4)"
stop "$SPAWNED"
want_status 0 sluice steer unload
want_text "netns $netns"
want_clean
