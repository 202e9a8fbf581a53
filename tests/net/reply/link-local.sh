#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A link-local IPv6 address is unique only within its interface. Requests go to a second link-local
# address of the host. Flows of two peers with the same address, on two interfaces, are kept apart.
#
#   container fe80::3 ── docker0 fe80::1, fe80::77 [host: [::]:56789] eth0 fe80::1, fe80::77 ── lan fe80::3
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" dual6 "$PORT"
for dev in docker0 eth0; do
	addr_add "$HOST" "$dev" fe80::77/64
done

# preferred: prints which of the two addresses the kernel prefers; the fault occurs with the other
# address
preferred()
{
	ask "$1" --any --to "[fe80::1%eth0]:$PORT" | sed -n 's/^answered \[\(.*\)%.*/\1/p'
}

other()
{
	if [ "$1" = fe80::1 ]; then echo fe80::77; else echo fe80::1; fi
}

both_wrong()
{
	want_wrong "$CONTAINER" "$wanted%eth0" "$PORT" "$kept%eth0"
	want_wrong "$LAN" "$wanted%eth0" "$PORT" "$kept%eth0"
}

say "without sluice"
kept=$(preferred "$CONTAINER")
wanted=$(other "$kept")
both_wrong

say "loaded"
reply_load
want_right "$CONTAINER" "$wanted%eth0" "$PORT"
want_right "$LAN" "$wanted%eth0" "$PORT"
want_right "$CONTAINER" "$kept%eth0" "$PORT"

say "the same peer address on two interfaces, different ports: each peer gets its answer from the address it used"
want_right "$CONTAINER" "$wanted%eth0" "$PORT" --from "[fe80::3%eth0]:4000"
want_right "$LAN" "$wanted%eth0" "$PORT" --from "[fe80::3%eth0]:4001"
want_right "$CONTAINER" "$wanted%eth0" "$PORT" --from "[fe80::3%eth0]:4000"

say "the same address and port: two peers on two links"
for round in 1 2 3; do
	for name in "$CONTAINER" "$LAN"; do
		want_right "$name" "$wanted%eth0" "$PORT" --from "[fe80::3%eth0]:4002"
	done
done
no_errors "$LOG"

say "a send to the same address on another link, from which no request came"
cat >"$TEST_TMP/other-link.py" <<'PYTHON'
import socket, sys

s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", int(sys.argv[1])))
while True:
    data, peer = s.recvfrom(2048)
    s.sendto(data, peer)
    s.sendto(data, (peer[0], 4003, 0, socket.if_nametoindex("eth0")))
PYTHON
cat >"$TEST_TMP/listen.py" <<'PYTHON'
import socket

s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("fe80::3", 4003, 0, socket.if_nametoindex("eth0")))
print(s.recvfrom(2048)[1][0], flush=True)
PYTHON
# heard_from: prints the source of the datagram that LAN receives after a request of CONTAINER
heard_from()
{
	local listener

	spawn_in "$LAN" "$TEST_TMP/heard" python3 "$TEST_TMP/listen.py"
	listener=$SPAWNED
	wait_udp "$LAN" 4003
	want_right "$CONTAINER" "$wanted%eth0" $((PORT + 1)) --from "[fe80::3%eth0]:4003" >&2
	wait_until 10 test -s "$TEST_TMP/heard"
	wait "$listener"
	sed 's/%.*//' "$TEST_TMP/heard"
}

spawn_in "$HOST" "$TEST_TMP/other-link.log" python3 "$TEST_TMP/other-link.py" $((PORT + 1))
wait_udp "$HOST" $((PORT + 1))
addr_add "$HOST" docker0 fe80::78/64
wanted=fe80::78
want_equal "$(heard_from)" "$kept" "the source on the other link, which has no $wanted"

say "unloaded"
sluice reply unload
addr_del "$HOST" docker0 fe80::78/64
wanted=$(other "$kept")
both_wrong
