#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests frames that no socket sends: with VLAN tags (the outer tag is stripped before tc sees the
# frame), and with all headers outside the linear part, as from a packet ring. The frames arrive on
# a bridge port, and the programs run on the bridge. Requests to a server that has connected back
# are redirected, other requests are not. Also tests large datagrams that the network card must
# segment (UDP_SEGMENT), in both directions.
#
#   container ── veth3 ═ docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# Sends one datagram from a raw socket or, on request, from a packet ring: then the kernel copies
# only the Ethernet header into the linear part (net/packet/af_packet.c, tpacket_fill_skb).
raw_send()
{
	in_ns "$CONTAINER" python3 "$TEST_TMP/frames.py" send "$@"
}

cat >"$TEST_TMP/frames.py" <<'PYTHON'
import mmap, select, socket, struct, sys, time

def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

def packet(source, target, sport, dport, data):
    s, t = socket.inet_aton(source), socket.inet_aton(target)
    head = struct.pack("!HHHH", sport, dport, 8 + len(data), 0)
    check = checksum(s + t + struct.pack("!HH", 17, 8 + len(data)) + head + data) or 0xffff
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(data), 1, 0, 64, 17, 0) + s + t
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return ip + head[:6] + struct.pack("!H", check) + data

def send(how, mac, target, sport, dport):
    tags = {"plain": b"", "ring": b"", "vlan": b"\x81\x00\x00\x05",
            "qinq": b"\x88\xa8\x00\x05\x81\x00\x00\x06"}[how]
    frame = bytes.fromhex(mac.replace(":", "")) + b"\x02\0\0\0\0\x03" + tags + b"\x08\x00"
    frame += packet("172.17.0.3", target, int(sport), int(dport), b"payload of " + how.encode())
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)
    if how != "ring":
        s.bind(("eth0", 0))
        s.send(frame)
        return
    s.setsockopt(263, 13, struct.pack("IIII", 4096, 1, 2048, 2)) # PACKET_TX_RING
    s.bind(("eth0", 0))
    ring = mmap.mmap(s.fileno(), 4096)
    ring[32:32 + len(frame)] = frame
    ring[8:12] = struct.pack("I", len(frame))
    ring[0:8] = struct.pack("L", 1) # TP_STATUS_SEND_REQUEST
    s.send(b"")

def watch(how):
    """Prints target and integrity of the datagram with that payload on docker0."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)
    s.bind(("docker0", 0x0003))
    print("watching", flush=True)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if not select.select([s], [], [], end - time.monotonic())[0]:
            break
        frame = s.recv(4096)
        at = frame.find(b"\x45\x00", 12)
        if at < 0 or not frame.endswith(b"payload of " + how.encode()):
            continue
        ip, udp = frame[at:at + 20], frame[at + 20:]
        whole = not checksum(ip) and not checksum(ip[12:20] + struct.pack("!HH", 17, len(udp)) + udp)
        print(socket.inet_ntoa(ip[16:20]), "whole" if whole else "broken")
        return
    print("nothing")

def segments(target, port, size, count):
    """Sends once for `count` datagrams; the answers must be the same datagrams."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((target, int(port)))
    s.settimeout(10)
    s.setsockopt(17, 103, int(size)) # UDP_SEGMENT
    data = [bytes([65 + i]) * int(size) for i in range(int(count))]
    s.send(b"".join(data))
    got = sorted(s.recv(65536) for _ in data)
    print("same" if got == data else "different")

def segment_server(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", int(port)))
    s.setsockopt(17, 104, 1) # UDP_GRO: the kernel merges datagrams of one flow
    while True:
        data, anc, flags, peer = s.recvmsg(65536, 64)
        size = next((struct.unpack("i", d)[0] for l, t, d in anc if (l, t) == (17, 104)), 0)
        s.sendmsg([data], [(17, 103, struct.pack("H", size))] if 0 < size < len(data) else [], 0, peer)

globals()[sys.argv[1]](*sys.argv[2:])
PYTHON

# target_of HOW [PORT]: prints the destination of a datagram for FAR4 on docker0
target_of()
{
	local mac port=${2:-$PORT}
	mac=$(ip -n "$HOST" -o link show docker0 | grep -oE 'link/ether [0-9a-f:]+' | cut -d' ' -f2)
	rm -f "$TEST_TMP/watch"
	spawn_in "$HOST" "$TEST_TMP/watch" python3 "$TEST_TMP/frames.py" watch "$1"
	local watcher=$SPAWNED
	wait_until 10 grep -q watching "$TEST_TMP/watch"
	raw_send "$1" "$mac" "$FAR4" 4000 "$port"
	wait "$watcher"
	tail -1 "$TEST_TMP/watch"
}

topology_up
serve "$HOST" sendto4 "$PORT"
log=$LOG
spawn_in "$HOST" "$TEST_TMP/segments.log" python3 "$TEST_TMP/frames.py" segment_server 50001
wait_udp "$HOST" 50001 || fail "$(cat "$TEST_TMP/segments.log")"

say "without sluice"
for how in plain vlan qinq ring; do
	want_equal "$(target_of "$how")" "$FAR4 whole" "$how"
done
want_wrong "$CONTAINER" "$FAR4" 50001 "$NEAR4"

say "loaded: requests that a socket receives, twice"
wire_load --follow docker0
for how in plain vlan qinq ring plain vlan qinq ring; do
	want_equal "$(target_of "$how")" "$FAR4 whole" "$how"
done

say "requests that would be refused, since the server has connected back"
serve "$HOST" connect6 "$BACK_PORT"
want_right "$CONTAINER" "$FAR4" "$BACK_PORT" --from 172.17.0.3:4000
for how in plain ring; do
	want_equal "$(target_of "$how" "$BACK_PORT")" "$NEAR4 whole" "$how"
done
# the tags may belong to the bridge's own VLAN
for how in vlan qinq; do
	[[ $(target_of "$how" "$BACK_PORT") == *" whole" ]] || fail "a tagged frame is damaged"
done
want_equal "$(wire_counter failed)" 0 "packets that could not be changed"

say "one send of many datagrams, in both directions"
want_right "$CONTAINER" "$FAR4" 50001
before=$(wire_counter reply_rewritten)
want_equal "$(in_ns "$CONTAINER" python3 "$TEST_TMP/frames.py" segments "$FAR4" 50001 1000 20)" same
pieces=$(($(wire_counter reply_rewritten) - before))
[ "$pieces" -lt 20 ] || fail "no segmentation: each datagram was sent separately"
no_errors "$log"
