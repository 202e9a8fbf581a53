#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A million requests from forged sources: the server creates no state for them, does not exceed its
# limit of sent bytes, and serves a peer meanwhile. The test runs with and without the fast path.
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/cpu.sh"
. "$(dirname "$0")/../net/lib/meet.sh"

REQUESTS=${REQUESTS:-1000000}

# link_json FILTER: evaluates a Python expression, with `d` = eth0 of HOST
link_json()
{
	json "$1" in_ns "$HOST" ip -j -s link show dev eth0
}

# counted rx|tx: prints the bytes that eth0 of HOST has received or sent
counted()
{
	link_json "d[0]['stats64']['$1']['bytes']"
}

meet_up
peer_add alice
checksums_full "$CONTAINER" eth0
# the answers leave the host, to a dead end
in_ns "$HOST" ip route add default via 192.0.2.10
in_ns "$HOST" sysctl -q net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0
mac=$(link_json "d[0]['address']")

cat >"$TEST_TMP/flood.py" <<'PYTHON'
import sys
from rendezvous import *


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF


def frame(mac, source, payload):
    """An Ethernet frame to 192.0.2.1:3478 with right checksums."""
    target = bytes([192, 0, 2, 1])
    udp = struct.pack(">HHHH", 40000, 3478, 8 + len(payload), 0) + payload
    total = checksum(source + target + struct.pack(">HH", 17, len(udp)) + udp)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + source + target
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return mac + bytes(6) + b"\x08\x00" + ip + udp[:6] + struct.pack(">H", total) + udp[8:]


count = int(sys.argv[2])
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
id = bytes(12)
token = (TOKEN, bytes(16))
nonce = (NONCE, b"A" * 32)
payloads = [build(BINDING, REQUEST, id, []), build(REGISTER, REQUEST, id, [(PADDING, bytes(64))]),
            build(REFRESH, REQUEST, id, [token]), build(REGISTER, REQUEST, id, []),
            build(CONNECT, REQUEST, id, [nonce, (USERNAME, b"alice"), (PADDING, bytes(40))], bytes(32)),
            build(UNREGISTER, REQUEST, id, [nonce, (USERNAME, b"alice")])]
for i in range(count):
    # from public networks; each prefix recurs every 65536 requests
    source = struct.pack(">I", 0x40000000 | (i % 65536) << 8 | i // 65536)
    raw.send(frame(mac, source, payloads[i % len(payloads)]))
print("sent", flush=True)
PYTHON

resident()
{
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$RENDEZVOUS/status"
}

for options in "" "--xdp eth0"; do
	say "a flood ${options:+with $options}"
	# shellcheck disable=SC2086 # a list of words
	rendezvous_start --listen 192.0.2.1:3478 $options
	peers_run <<-'PYTHON'
		assert peer("alice", local=("192.0.2.10", 5000)).register().kind == SUCCESS
	PYTHON
	before=$(resident) received=$(counted rx) sent=$(counted tx)
	in_ns "$CONTAINER" python3 "$TEST_TMP/flood.py" "$mac" "$REQUESTS"
	# the registration of alice, which may have expired
	want_equal "$(shown "(d['registrations']['count'] <= 1, d['sessions']['count'], d['amplification'] < 1.61)")" \
		"(True, 0, True)"
	[ "$(shown "d['counters']['challenged']")" -gt 0 ] || fail "no request was answered: $(shown d)"
	received=$(($(counted rx) - received)) sent=$(($(counted tx) - sent))
	[ "$sent" -lt "$received" ] || fail "received $received bytes, sent $sent"
	grown=$(($(resident) - before))
	[ "$grown" -lt 2048 ] || fail "the server has grown by $grown kB"
	peers_run <<-'PYTHON'
		assert peer("alice", local=("192.0.2.10", 5000)).register().kind == SUCCESS
	PYTHON
	rendezvous_stop
done
