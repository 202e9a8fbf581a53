# SPDX-License-Identifier: GPL-2.0-or-later
"""
Creates a large number of flows, for the tests of hold.

  many.py client PEER FIRST COUNT PORT…   a socket on each local PORT sends to COUNT ports of PEER
                                          from FIRST on, until each has answered; prints "ready",
                                          then on SIGUSR1 "pushed N": the flows that got a push
  many.py server FIRST COUNT              answers on all of these ports, from a raw socket; on
                                          SIGUSR1 sends a push to each flow; prints "done"

The server's namespace must not answer with ICMP port unreachable.
"""
import select
import signal
import socket
import struct
import sys
import time


SO_RCVBUFFORCE = 33


def out(*words):
    print(*words, flush=True)


def drain(sock, seen, wanted):
    while True:
        try:
            data, peer = sock.recvfrom(64)
        except BlockingIOError:
            return
        if data == wanted:
            seen.add((sock.fileno(), peer[1]))


def client(peer, first, count, ports):
    socks, answered, pushed, report = [], set(), set(), []
    signal.signal(signal.SIGUSR1, lambda *_: report.append(1))
    for port in ports:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        sock.bind(("", port))
        socks.append(sock)
    while len(answered) < count * len(socks):
        for sock in socks:
            for i in range(count):
                if (sock.fileno(), first + i) in answered:
                    continue
                sock.sendto(b"hello", (peer, first + i))
                if i % 64 == 0:
                    drain(sock, answered, b"answer")
                    time.sleep(0.001)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and len(answered) < count * len(socks):
            ready, _, _ = select.select(socks, [], [], 0.2)
            for sock in ready:
                drain(sock, answered, b"answer")
    out("ready")
    while True:
        ready, _, _ = select.select(socks, [], [], 0.2)
        for sock in ready:
            drain(sock, pushed, b"push")
        if report:
            report.clear()
            out("pushed", len(pushed))


def datagram(source_port, target_port, text):
    # no checksum, as IPv4 allows
    return struct.pack("!HHHH", source_port, target_port, 8 + len(text), 0) + text


def server(first, count):
    push, flows = [], set()
    signal.signal(signal.SIGUSR1, lambda *_: push.append(1))
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
    sock.setblocking(False)
    out("ready")
    while True:
        select.select([sock], [], [], 0.2)
        while True:
            try:
                packet, peer = sock.recvfrom(256)
            except BlockingIOError:
                break
            off = (packet[0] & 15) * 4
            source, target = struct.unpack("!HH", packet[off : off + 4])
            if first <= target < first + count:
                flows.add((peer[0], source, target))
                sock.sendto(datagram(target, source, b"answer"), (peer[0], 0))
        if push:
            push.clear()
            for i, (address, port, own) in enumerate(flows):
                sock.sendto(datagram(own, port, b"push"), (address, 0))
                if i % 64 == 0:
                    time.sleep(0.001)
            out("done", len(flows))


if __name__ == "__main__":
    if sys.argv[1] == "client":
        client(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), list(map(int, sys.argv[5:])))
    else:
        server(int(sys.argv[2]), int(sys.argv[3]))
