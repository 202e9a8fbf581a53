#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Servers are bound to the bridge by SO_BINDTODEVICE. The programs are on its ports, where a lookup
# does not find these sockets. Right servers stay right. Replies of wrong servers are fixed, and
# their requests are not changed, even if another socket is connected to the client. The lookup does
# not find a socket on the bridge that has connected back: its client is refused, as without sluice.
# With a program on the bridge, all sockets are found.
#
#   container ── veth3 ═ docker0 172.17.0.1 [host: servers bound to docker0] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

CONNECT=50020 MIXED=50070

# A listener bound to the device, and one socket per client that is connected but not bound to the
# device.
cat >"$TEST_TMP/mixed.py" <<'PYTHON'
import select, socket, sys

def open_socket(device):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if device:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
    s.bind(("::", int(sys.argv[1])))
    return s

listener = open_socket(b"docker0")
children = {}
while True:
    for s in select.select([listener] + list(children.values()), [], [])[0]:
        try:
            data, peer = s.recvfrom(2048)
        except ConnectionRefusedError:
            continue
        if s is listener:
            if peer not in children:
                children[peer] = open_socket(None)
                children[peer].connect(peer)
            listener.sendto(b"listener " + data, peer)
        else:
            s.send(b"child " + data)
PYTHON

# want_all WRONG4 WRONG6 BACK4 BACK6: checks the outcomes of the wrong server and of the server that
# connects back
want_all()
{
	want_equal "$(probe "$CONTAINER" "right=echo:$RIGHT_PORT" "wrong=echo:$PORT" -- "$FAR4" "$FAR6")" \
		"$FAR4 right right"$'\n'"$FAR4 wrong $1"$'\n'"$FAR6 right right"$'\n'"$FAR6 wrong $2"
	want_equal "$(back "$FAR4")" "$3"
	want_equal "$(back "$FAR6")" "$4"
}

# back ADDR: prints the outcome of a server that connects back to its first client
back()
{
	serve "$HOST" connect6 "$CONNECT" --device docker0
	probe "$CONTAINER" "back=echo:$CONNECT" -- "$1" | sed 's/.* back //'
	stop "$SPAWNED"
}

# receivers ADDR: prints which socket answers each of three requests from one port, and its source
receivers()
{
	in_ns "$CONTAINER" python3 - "$1" "$MIXED" <<-'PYTHON'
		import socket, sys, time

		addr, port = sys.argv[1], int(sys.argv[2])
		s = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_DGRAM)
		s.settimeout(10)
		for i in range(3):
		    # longer than the lifetime of a cached decision
		    time.sleep(0.4)
		    s.sendto(str(i).encode(), (addr, port))
		    data, peer = s.recvfrom(100)
		    print(data.decode(), "from", peer[0])
	PYTHON
}

# listener ADDR: prints the output of `receivers` if the listener answers all requests, from ADDR
listener()
{
	printf 'listener %s from '"$1"'\n' 0 1 2
}

topology_up
serve "$HOST" dual6 "$PORT" --device docker0
serve "$HOST" pktinfo6 "$RIGHT_PORT" --device docker0
spawn_in "$HOST" "$TEST_TMP/mixed" python3 "$TEST_TMP/mixed.py" "$MIXED"
wait_udp "$HOST" "$MIXED"
alone=("from $NEAR4" "from $NEAR6" "from $NEAR4, refused" "from $NEAR6, refused")

say "without sluice"
want_all "${alone[@]}"
want_equal "$(receivers "$FAR4")" "$(listener "$NEAR4")"
want_equal "$(receivers "$FAR6")" "$(listener "$NEAR6")"
say "a program on the port"
wire_load --follow docker0
want_all right right "right, refused" "right, refused"
want_equal "$(receivers "$FAR4")" "$(listener "$FAR4")"
want_equal "$(receivers "$FAR6")" "$(listener "$FAR6")"
wire_unload
say "a program on the bridge"
wire_load --iface docker0
want_all right right right right
want_equal "$(receivers "$FAR4")" "$(listener "$FAR4")"
want_equal "$(receivers "$FAR6")" "$(listener "$FAR6")"
wire_unload
say "unloaded"
want_all "${alone[@]}"
