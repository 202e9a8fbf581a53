#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Wire mode on an interface without Ethernet: a test program at the other end of a tun device builds
# IP packets and reads the answers, with their checksums.
#
#   [tun peer 10.7.0.2, fd07::2] ── tun0 10.7.0.1 [host: [::]:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

tun_peer()
{
	cat <<-'PYTHON'
		import fcntl, os, select, socket, struct, sys, time

		def checksum(data):
		    data += b"\0" * (len(data) % 2)
		    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
		    while total >> 16:
		        total = (total & 0xffff) + (total >> 16)
		    return ~total & 0xffff

		def udp(family, source, target, sport, dport, data):
		    s, t = socket.inet_pton(family, source), socket.inet_pton(family, target)
		    size = 8 + len(data)
		    pseudo = s + t + struct.pack("!II", size, 17)
		    head = struct.pack("!HHHH", sport, dport, size, 0)
		    check = checksum(pseudo + head + data) or 0xffff
		    body = struct.pack("!HHHH", sport, dport, size, check) + data
		    if family == socket.AF_INET6:
		        return struct.pack("!IHBB", 6 << 28, size, 17, 64) + s + t + body
		    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 1, 0, 64, 17, 0) + s + t
		    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + body

		def source_of(packet, data):
		    six = packet[0] >> 4 == 6
		    start, size = (8, 16) if six else (12, 4)
		    head = 40 if six else 20
		    pseudo = packet[start:start + 2 * size] + struct.pack("!II", len(packet) - head, 17)
		    if not six and checksum(packet[:20]):
		        return "bad IP checksum"
		    if checksum(pseudo + packet[head:]):
		        return "bad UDP checksum"
		    if packet[head + 8:] != data:
		        return "bad data"
		    return socket.inet_ntop(socket.AF_INET6 if six else socket.AF_INET,
		                            packet[start:start + size])

		device, asks = sys.argv[1], sys.argv[2:]
		fd = os.open("/dev/net/tun", os.O_RDWR)
		fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", device.encode(), 0x1001)) # TUN, NO_PI
		print("ready", flush=True)
		for line in sys.stdin:
		    target, port = line.split()
		    family = socket.AF_INET6 if ":" in target else socket.AF_INET
		    me = "fd07::2" if ":" in target else "10.7.0.2"
		    data = os.urandom(33)
		    os.write(fd, udp(family, me, target, 4000, int(port), data))
		    end = time.monotonic() + 10
		    while True:
		        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
		            print("nothing", flush=True)
		            break
		        packet = os.read(fd, 65536)
		        protocol = packet[6] if packet[0] >> 4 == 6 else packet[9]
		        if protocol == 17:
		            print(source_of(packet, data), flush=True)
		            break
	PYTHON
}

# answer_to ADDR: prints the source of the answer to a request to ADDR
answer_to()
{
	echo "$1 $PORT" >&7
	local line
	read -r line <&6
	echo "$line"
}

topology_up
serve "$HOST" dual6 "$PORT"
tun_peer >"$TEST_TMP/peer.py"
mkfifo "$TEST_TMP/to" "$TEST_TMP/from"
nsenter --net="/run/netns/$HOST" -- python3 "$TEST_TMP/peer.py" tun0 <"$TEST_TMP/to" >"$TEST_TMP/from" &
exec 7>"$TEST_TMP/to" 6<"$TEST_TMP/from"
read -r ready <&6
want_equal "$ready" ready
link_up "$HOST" tun0
addr_add "$HOST" tun0 10.7.0.1/24
addr_add "$HOST" tun0 fd07::1/64

say "the kernel alone"
want_equal "$(answer_to "$FAR4")" 10.7.0.1
want_equal "$(answer_to "$FAR6")" fd07::1
for forwarding in 0 1; do
	forwarding "$forwarding"
	say "loaded, forwarding $forwarding"
	wire_load --iface tun0
	want_equal "$(json "d['wire']['interfaces'][0]['kind']" sluice -j --netns "$HOST" reply show)" ip
	want_equal "$(answer_to "$FAR4")" "$FAR4"
	want_equal "$(answer_to "$FAR6")" "$FAR6"
	want_equal "$(answer_to 10.7.0.1)" 10.7.0.1
	want_equal "$(answer_to fd07::1)" fd07::1
	wire_unload
done
say "unloaded"
want_equal "$(answer_to "$FAR4")" 10.7.0.1
no_errors "$LOG"
