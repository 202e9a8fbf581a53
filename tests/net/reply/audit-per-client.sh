#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# No mode fixes a server that opens a socket for each client, bound to the same port and connected to
# the client, and the audit must not claim it. Further requests reach the listening socket, whatever
# the source of the replies.
#
#   container ── docker0 172.17.0.1 [host: servers, wildcard] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

cat >"$TEST_TMP/per-client.py" <<'PYTHON'
import select, socket, sys

def opened():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", int(sys.argv[1])))
    return s

listener, clients = opened(), []
while True:
    for s in select.select([listener] + clients, [], [])[0]:
        try:
            if s is not listener:
                s.send(s.recv(2048))
                continue
            data, peer = s.recvfrom(2048)
            if sys.argv[2] == "replies":
                s.sendto(data, peer)
            clients.append(opened())
            clients[-1].connect(peer)
            if sys.argv[2] == "sends":
                clients[-1].send(data)
        except ConnectionRefusedError:
            pass # the client's kernel sends an ICMP error to the wrong source
PYTHON

# per_client PORT BEHAVIOUR: starts the server; replies: from the first socket, sends: from the new
# socket, silent: sends nothing
per_client()
{
	spawn_in "$HOST" "$TEST_TMP/per-client.log" python3 "$TEST_TMP/per-client.py" "$1" "$2"
	wait_udp "$HOST" "$1"
}

# ask_once ADDR PORT: sends one request; an answer is optional
ask_once()
{
	ask "$CONTAINER" --any --to "$1:$2" --timeout-ms 300 >/dev/null
}

# row PORT KEY…: prints the values of the socket's row
row()
{
	json "tuple(row.get(key) for key in '${*:2}'.split() for row in d['sockets']
		if row['port'] == $1)" sluice -j reply audit
}

topology_up
per_client 5001 sends
per_client 5002 silent
per_client 5003 replies
sluice reply load --mode audit --cgroup "$TEST_CGROUP"

say "no mode fixes a socket for each client"
for port in 5001 5002 5003; do
	ask_once "$FAR4" "$port"
	ask_once "$FAR4" "$port"
done
want_equal "$(row 5001 connects siblings connect_verdict fixed_by needs_wire)" \
	"(2, 2, 'wrong', 'none', False)"
want_equal "$(row 5001 connect_wrong verdict)" "(2, 'unknown')"
want_equal "$(row 5002 connects siblings connect_verdict fixed_by)" "(2, 2, 'wrong', 'none')"
want_equal "$(row 5002 connect_wrong connect_right)" "(0, 0)" "silent"
want_equal "$(row 5003 wrong verdict connect_verdict fixed_by)" "(2, 'wrong', 'wrong', 'none')"
want_status 0 sluice reply audit
want_text "no mode fixes 3 that open a socket for each client"
[[ $OUTPUT != *"mode socket fixes"* && $OUTPUT != *"mode wire fixes"* ]] || fail "$OUTPUT"

say "right if the requested address is the kernel's reply source"
per_client 5004 sends
ask_once "$NEAR4" 5004
want_equal "$(row 5004 siblings connect_verdict fixed_by)" "(1, 'right', None)"

no_errors "$TEST_TMP/per-client.log"
