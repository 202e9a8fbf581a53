# SPDX-License-Identifier: GPL-2.0-or-later
"""Creates flows for make bench BENCH=hold; prints "ready" once all are answered.

  hold_flows.py client PEER FIRST COUNT LOCAL [--every S] [--ask S]
  hold_flows.py server FIRST COUNT

The client has a socket on port LOCAL, with a flow to each of COUNT ports of PEER from FIRST on.
With --every, it sends a datagram on each flow every S seconds. With --ask, it is silent, and the
server sends on each flow every S seconds. The server answers each datagram; the text "ask S" starts
its own datagrams.
"""
import selectors
import socket
import sys
import time


def option(name):
    return float(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else 0


def client(peer, first, count, local):
    every, ask = option("--every"), option("--ask")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", local))
    sock.settimeout(0.1)
    text = f"ask {ask}".encode()
    missing = set(range(first, first + count))
    while missing:
        for port in sorted(missing):
            sock.sendto(text, (peer, port))
            try:
                missing.discard(sock.recvfrom(64)[1][1])
            except TimeoutError:
                pass
    print("ready", flush=True)
    # spread over time, like the datagrams of independent programs
    started, number = time.monotonic(), 0
    while True:
        due = started + every * number / count if every else time.monotonic() + 60
        sock.settimeout(max(0.001, due - time.monotonic()))
        try:
            sock.recvfrom(64)
        except TimeoutError:
            pass
        if every and time.monotonic() >= due:
            sock.sendto(text, (peer, first + number % count))
            number += 1


def server(first, count):
    socks, asking = selectors.DefaultSelector(), {}
    for port in range(first, first + count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("", port))
        socks.register(sock, selectors.EVENT_READ)
    print("ready", flush=True)
    due = time.monotonic()
    while True:
        for key, _ in socks.select(0.1):
            sock = key.fileobj
            data, peer = sock.recvfrom(64)
            words = data.split()
            sock.sendto(b"answer", peer)
            if len(words) == 2 and float(words[1]):
                asking[sock, peer] = float(words[1])
        if asking and time.monotonic() >= due:
            due = time.monotonic() + min(asking.values())
            for sock, peer in asking:
                sock.sendto(b"push", peer)


if __name__ == "__main__":
    if sys.argv[1] == "client":
        client(sys.argv[2], *map(int, sys.argv[3:6]))
    else:
        server(*map(int, sys.argv[2:4]))
