#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A server replies to some requests, or receives them silently, from an unconnected socket, and then
# connects the same socket back to the client, or closes it and connects another one. The next
# request follows at once, and meets a socket other than the one that the earlier requests met.
#
#   container: client ── docker0 172.17.0.1 [host: server, wildcard] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# Client and server are one process, in which no step waits for the scheduler. Steps: r: the client
# sends a request, which the server receives; s: the server replies; c: it connects to the client;
# o: it opens another socket. Prints the outcome of each reply, and `refused` at the end.
cat >"$TEST_TMP/steps.py" <<'PYTHON'
import ctypes, os, select, socket, sys

host, container, addr, port, steps = sys.argv[1:]
family = socket.AF_INET6 if ":" in addr else socket.AF_INET
libc = ctypes.CDLL(None, use_errno=True)

def opened(netns, port):
    fd = os.open(netns, os.O_RDONLY)
    if libc.setns(fd, 0x40000000): # CLONE_NEWNET
        sys.exit(os.strerror(ctypes.get_errno()))
    os.close(fd)
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind(("", port))
    s.settimeout(20)
    return s

server, client = opened(host, int(port)), opened(container, 0)
# IPV6_RECVERR, IP_RECVERR
client.setsockopt(*((41, 25) if family == socket.AF_INET6 else (0, 11)), 1)
connected, peer = False, None
for step in steps:
    if step == "r":
        client.sendto(b"x", (addr, int(port)))
        waiting = select.poll()
        waiting.register(server, select.POLLIN)
        waiting.register(client, select.POLLERR)
        # a refusal, or the end of the wait
        if (server.fileno(), select.POLLIN) not in waiting.poll(20000):
            print("refused")
            break
        peer = server.recvfrom(10)[1]
    elif step == "s":
        server.send(b"x") if connected else server.sendto(b"x", peer)
        source = client.recvfrom(10)[1][0]
        print("right" if source == addr else f"from {source}")
    elif step == "c":
        server.connect(peer)
        connected = True
    elif step == "o":
        server.close()
        server, connected = opened(host, int(port)), False
PYTHON

# want_steps STEPS ADDR OUTCOME…
want_steps()
{
	local steps=$1 addr=$2
	shift 2
	want_equal "$(python3 "$TEST_TMP/steps.py" "/run/netns/$HOST" "/run/netns/$CONTAINER" "$addr" \
		"$PORT" "$steps" | xargs)" "$*" "$steps at $addr"
}

# want_all kernel|fixed ADDR ANSWERER
want_all()
{
	local reply="from $3" end=refused
	[ "$1" = kernel ] || reply=right end=right
	want_steps rscrs "$2" "$reply" "$end"
	want_steps rsrsrscrs "$2" "$reply" "$reply" "$reply" "$end"
	# as DTLS servers do after a cookie: the next reply comes from the connected socket
	want_steps rsrcsrs "$2" "$reply" "$reply" "$end"
	want_steps rrrcrs "$2" "$end"
	want_steps rsrsocrs "$2" "$reply" "$reply" "$end"
}

topology_up
in_ns "$HOST" sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
say "without sluice"
want_all kernel "$FAR4" "$NEAR4"
want_all kernel "$FAR6" "$NEAR6"
wire_load --follow docker0
say "loaded"
want_all fixed "$FAR4" "$NEAR4"
want_all fixed "$FAR6" "$NEAR6"
wire_unload
say "unloaded"
want_all kernel "$FAR4" "$NEAR4"
want_all kernel "$FAR6" "$NEAR6"
