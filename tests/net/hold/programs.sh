#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests several kinds of programs: connected and unconnected sockets, IPv4, IPv6 behind a stateful
# firewall, dual-stack, one socket with many peers, and sockets that receive errors (IP_RECVERR).
# Each program is silent for several timeouts. Then its peer reaches it, and the program receives no
# error.
#
#   inside ── nat (a mapping lives 4 s) ── router ── peer
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

lab_up symmetric 4
configure '[hold]' 'port = 7000-7010' 'interval = 1'
daemon_start
peer_start 7000 --count 11

names=() logs=() pids=()
# program NAME OPTION…: starts a client, which is checked below
program()
{
	names+=("$1")
	shift
	plain_start "$INSIDE" "$@"
	logs+=("$PLAIN_LOG")
	pids+=("$PLAIN_PID")
}

program "unconnected, IPv4" "$PEER4" 7000
program "connected, IPv4" "$PEER4" 7000 --connect
program "unconnected, IPv6" "$PEER6" 7000
program "connected, IPv6" "$PEER6" 7000 --connect
program "dual-stack" "::ffff:$PEER4" 7000
program "IP_RECVERR, unconnected" "$PEER4" 7000 --recverr
program "IP_RECVERR, connected" "$PEER4" 7000 --recverr --connect
program "IPV6_RECVERR, unconnected" "$PEER6" 7000 --recverr
program "IPV6_RECVERR, connected" "$PEER6" 7000 --recverr --connect
program "eleven peers" "$PEER4" 7000 --count 11
want_equal "$(hold_flow 'len(f)')" 20 "flows"

sleep 16
push after_silence
for i in "${!names[@]}"; do
	wait_until 10 received after_silence "${logs[i]}" ||
		fail "${names[i]}: lost" "$(cat "${logs[i]}")" "$(sluice hold flows)"
	if grep error "${logs[i]}"; then fail "${names[i]}: saw an error"; fi
done
want_equal "$(grep -cxF 'got after_silence' "${logs[9]}")" 11 "pushes to the socket with many peers"
want_equal "$(grep -cF '(empty)' "$PEER_LOG" || true)" 0 "keepalives at the peer"

say "the errors arrived, and were dropped"
want_at_least 20 "$(hold_counter suppressed)" "time-exceeded messages dropped"

say "an error that is not about a keepalive passes: the program's own datagram expires"
# errors about keepalives exhaust the ICMP rate limit of the router
in_ns "$ROUTER" sysctl -qw net.ipv4.icmp_ratelimit=0
in_ns "$INSIDE" python3 - "$PEER4" <<'PYTHON'
import select
import socket
import sys

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IP, 11, 1)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 2)
poll = select.poll()
poll.register(sock, 0)
for _ in range(100):
    sock.sendto(b"", (sys.argv[1], 7000))
    if poll.poll(500):
        sys.exit(0)
sys.exit("no time-exceeded message for the program's own datagram")
PYTHON

kill "${pids[@]}"
daemon_stop
sluice hold unload
