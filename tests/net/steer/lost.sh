#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Undelivered datagrams are accounted for: datagrams dropped by a worker's full queue, and datagrams
# freed with their socket, for which the kernel has no counter. A worker that does not read at all
# is distinguished from a slow worker.
#
#   container ── docker0 172.17.0.1 [host: a server on 0.0.0.0:56789]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/see.sh"

# more datagrams than a receive buffer holds
COUNT=1000 SIZE=1000

# pour: sends one datagram of each of COUNT flows, without waiting for answers
pour()
{
	ask "$CONTAINER" --to "$STEERED:$PORT" --from 172.17.0.3:20000 --flows "$COUNT" --burst \
		--size "$SIZE" --timeout-ms 1 >/dev/null
}

udp_before()
{
	in_ns "$HOST" awk '/^Udp: / { for (i = 1; i <= NF; i++) if (!h[i]) h[i] = $i;
		else if (h[i] == "RcvbufErrors") print $i }' /proc/net/snmp
}

topology_up
group_up 1

say "drops from before the load are not counted"
halt "${SERVERS[0]}"
pour
[ "$(udp_before)" -gt 0 ] || fail "the queue holds all of them"
kill -CONT "${SERVERS[0]}"
want_answers 1 1 40000

steer_load
want_equal "$(seen "(g['slots'][0]['drops'], n['udp']['rcvbuf_errors'])")" "(0, 0)"
want_answers 10 1 30000
want_equal "$(seen "(n['udp']['in_datagrams'], n['unexplained']['total'])")" "(10, 0)"

say "a worker that does not read"
halt "${SERVERS[0]}"
pour
want_equal "$(seen "g['datagrams']")" $((COUNT + 10))
dropped=$(seen "g['slots'][0]['drops']")
[ "$dropped" -gt 0 ] && [ "$dropped" -lt "$COUNT" ] || fail "$dropped dropped of $COUNT"
want_equal "$(seen "n['udp']['rcvbuf_errors']")" "$dropped"
want_equal "$(seen "n['steered']['drops']")" "$dropped"
want_equal "$(seen "n['unexplained']['errors']")" 0
# queued, not lost; and reported as queued
want_equal "$(seen "n['unexplained']['vanished']")" $((COUNT - dropped))
want_equal "$(seen "n['steered']['waiting_bytes'] > 0")" True
want_equal "$(seen "g['slots'][0]['state']")" stalled
want_equal "$(seen "g['slots'][0]['queue']['fill_percent'] >= 87")" True
want_status 0 "$SLUICE" steer show
want_text "queued, or dropped"

say "the worker reads again"
kill -CONT "${SERVERS[0]}"
queue_empty()
{
	[ "$(seen "g['slots'][0]['queue']['used_bytes']")" = 0 ]
}
wait_until 20 queue_empty
want_equal "$(seen "g['slots'][0]['state']")" active
want_equal "$(seen "n['unexplained']['total']")" 0
want_equal "$(seen "n['udp']['in_datagrams']")" $((10 + COUNT - dropped))

say "the server exits with a full queue"
halt "${SERVERS[0]}"
pour
both=$(seen "g['slots'][0]['drops']")
group_up_more()
{
	spawn_in "$HOST" "$TEST_TMP/more.log" "$SERVER" --kind sendto4 --port "$PORT" --reuseport
	wait_until 10 bound 2
}
group_up_more
steer_load
kill -KILL "${SERVERS[0]}"
wait "${SERVERS[0]}" 2>/dev/null || true
wait_until 10 bound 1
steer_load
want_equal "$(seen "len(g['slots'])")" 1
# the kernel has no counter for the queue's datagrams; only the socket's drops are known to be lost
want_equal "$(seen "n['unexplained']['vanished']")" $((COUNT - (both - dropped)))
want_equal "$(seen "n['unexplained']['errors']")" "$both"
want_equal "$(seen "n['steered']['waiting_bytes']")" 0
want_status 0 "$SLUICE" steer show
want_text "errors: dropped when a socket was closed"

say "a slow worker is not stalled"
sluice steer unload
stop "$SPAWNED"
wait_until 10 bound 0
spawn_in "$HOST" "$TEST_TMP/slow" python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("0.0.0.0", int(sys.argv[1])))
while True:
    time.sleep(0.3)
    s.recv(2000)' "$PORT"
wait_until 10 bound 1
steer_load
in_ns "$CONTAINER" python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(500):
    s.sendto(bytes(1000), (sys.argv[1], int(sys.argv[2])))' "$STEERED" "$PORT"
"$SLUICE" -j steer show --watch 1 >"$TEST_TMP/slowly" &
watcher=$!
documents()
{
	[ "$(wc -l <"$TEST_TMP/slowly")" -ge 4 ]
}
wait_until 20 documents
stop "$watcher"
python3 - "$TEST_TMP/slowly" <<'PYTHON'
import json
import sys

slots = [json.loads(line)["groups"][0]["slots"][0] for line in open(sys.argv[1])]
# the kernel releases memory in batches: the queue's size alone would show no progress
same = [a for a, b in zip(slots, slots[1:])
        if a["queue"] == b["queue"] and a["queue"]["fill_percent"] >= 87]
assert same, [slot["queue"] for slot in slots]
assert {slot["state"] for slot in slots} == {"active"}, slots
PYTHON
