#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With all ports managed, the programs also see this host's clients, whose ports the kernel has
# chosen. The source of a client's datagrams follows the routes, even after the first reply.
#
#   container: echo on 4000 ── docker0 172.17.0.1, then .9 [host: clients]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# Sends a request to PEER, and another after each line of input; prints the sources that PEER has
# received.
cat >"$TEST_TMP/client.py" <<'PYTHON'
import socket, sys

how, peer = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in peer else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
if how == "connected":
    s.connect((peer, 4000))
while True:
    if how == "connected":
        s.send(b"x")
    else:
        s.sendto(b"x", (peer, 4000))
    print(s.recvfrom(100)[0].decode(), flush=True)
    sys.stdin.readline()
PYTHON

# Answers with the address of the client.
cat >"$TEST_TMP/mirror.py" <<'PYTHON'
import socket

s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", 4000))
while True:
    data, peer = s.recvfrom(100)
    s.sendto(peer[0].removeprefix("::ffff:").encode(), peer)
PYTHON

# sources HOW PEER ROUTE SRC BACK: prints the sources; between the requests, the route gets another
# source
sources()
{
	local first second
	coproc ASKER { exec nsenter --net="/run/netns/$HOST" -- python3 "$TEST_TMP/client.py" "$1" "$2"; }
	local pid=$ASKER_PID
	read -r first <&"${ASKER[0]}"
	# shellcheck disable=SC2086 # words of a route
	in_ns "$HOST" ip route replace $3 src "$4"
	echo again >&"${ASKER[1]}"
	read -r second <&"${ASKER[0]}"
	# shellcheck disable=SC2086
	in_ns "$HOST" ip route replace $3 src "$5"
	stop "$pid"
	echo "$first $second"
}

want_sources()
{
	local how moved
	for how in unconnected connected; do
		# the source of a connected socket does not change
		[ "$how" = connected ] && moved=no || moved=yes
		want_equal "$(sources "$how" 172.17.0.3 "172.17.0.3/32 dev docker0" 172.17.0.9 172.17.0.1)" \
			"172.17.0.1 172.17.0.$([ $moved = yes ] && echo 9 || echo 1)" "IPv4, $how"
		want_equal "$(sources "$how" fd17::3 "fd17::3/128 dev docker0" fd17::9 fd17::1)" \
			"fd17::1 fd17::$([ $moved = yes ] && echo 9 || echo 1)" "IPv6, $how"
	done
}

topology_up
addrs "$HOST" docker0 172.17.0.9/16 fd17::9/64
in_ns "$HOST" ip route replace 172.17.0.3/32 dev docker0
in_ns "$HOST" ip route replace fd17::3/128 dev docker0 src fd17::1
spawn_in "$CONTAINER" "$TEST_TMP/mirror" python3 "$TEST_TMP/mirror.py"
wait_udp "$CONTAINER" 4000
say "without sluice"
want_sources
say "loaded"
wire_load --follow docker0
want_sources
say "unloaded"
wire_unload
want_sources
