#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dnsmasq sets the source of its replies itself (IP_PKTINFO). Its replies are right without sluice,
# and identical with it, including their headers.
#
#   container ── docker0 172.17.0.1, fd17::1 [host: dnsmasq *:53] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/../lib/lib.sh"

cat >"$TEST_TMP/ask.py" <<'PYTHON'
import socket
import struct
import sys

# Each run sends the same queries with the same ids and ports, so any difference comes from the
# server.
for number, server in enumerate(sys.argv[1:]):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    client = socket.socket(family, socket.SOCK_DGRAM)
    client.settimeout(10)
    client.bind(("", 4000 + number))
    for kind in (1, 28, 16):
        name = b"\x03www\x07example\x00"
        question = struct.pack(">HHHHHH", 4711 + kind, 0x0100, 1, 0, 0, 0) + name
        client.sendto(question + struct.pack(">HH", kind, 1), (server, 53))
        answer, source = client.recvfrom(4096)
        if source[0] != server:
            sys.exit(f"asked {server}, answered by {source[0]}")
PYTHON

# Prints complete packets in hexadecimal, except the IPv4 id, which counts the host's packets, and
# the header checksum.
cat >"$TEST_TMP/packets.py" <<'PYTHON'
import struct
import sys

with open(sys.argv[1], "rb") as capture:
    capture.read(24)
    while header := capture.read(16):
        packet = bytearray(capture.read(struct.unpack("=IIII", header)[2]))
        if packet[12:14] == b"\x08\x00":
            packet[18:20] = packet[24:26] = b"\x00\x00"
        print(packet.hex())
PYTHON

# answers: prints the answers that leave the host, in the order of the queries
answers()
{
	local capture
	spawn_in "$HOST" "$TEST_TMP/tcpdump.log" \
		tcpdump -Z root --immediate-mode -U -n -i docker0 -c 12 -w "$1" udp and src port 53
	capture=$SPAWNED
	wait_until 10 grep -q 'listening on' "$TEST_TMP/tcpdump.log"
	in_ns "$CONTAINER" python3 "$TEST_TMP/ask.py" "$FAR4" "$NEAR4" "$FAR6" "$NEAR6"
	wait_until 10 ended "$capture"
	python3 "$TEST_TMP/packets.py" "$1"
}

ended()
{
	! kill -0 "$1"
}

topology_up
spawn_in "$HOST" "$TEST_TMP/dnsmasq.log" dnsmasq --keep-in-foreground --conf-file=/dev/null \
	--user=root --pid-file= --no-resolv --no-hosts --log-facility=- \
	--host-record=www.example,192.0.2.1,2001:db8::1 --txt-record=www.example,hello
wait_udp "$HOST" 53

say "without sluice"
answers "$TEST_TMP/before.pcap" >"$TEST_TMP/before"
say "loaded"
# only port 53, since the client sockets are on the wildcard address too
reply_load --port 53
answers "$TEST_TMP/after.pcap" >"$TEST_TMP/after"
diff "$TEST_TMP/before" "$TEST_TMP/after" || fail "dnsmasq's answers have changed"
want_equal "$(wc -l <"$TEST_TMP/before")" 12 "answers captured"
want_equal "$(counter left_source_set)" 12 "answers left alone"
want_equal "$(counter fixed)" 0 "fixed"
