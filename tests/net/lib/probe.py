# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends requests to UDP servers at several addresses, and prints the source of each answer.

    probe.py [--from PORT [--one-port]] [--timeout SECONDS] SERVER=PROTOCOL:PORT... -- ADDR...

Prints a line `ADDR SERVER OUTCOME` for each address and server. OUTCOME is `right`, `from ADDR`,
`refused`, `none` or `bad data`; it has several of these, in order, if the answers of a server
differ. Each server at each address is asked from a different port; with --from, these ports are
consecutive from PORT on. With --one-port, all servers are asked from PORT.

The socket is unconnected, so that it receives wrong answers, and it reports refusals (IP_RECVERR).
"""
import argparse
import errno
import os
import socket
import struct
import sys
import time


class Flow:
    """One source port, and the server to which it sends."""

    def __init__(self, addr, port, source_port, timeout):
        six = ":" in addr
        self.addr, self.port, self.timeout = addr, port, timeout
        self.socket = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        # IPV6_RECVERR, IP_RECVERR
        self.socket.setsockopt(*((41, 25) if six else (0, 11)), 1)
        self.socket.bind(("::" if six else "0.0.0.0", source_port))

    def send(self, data, to=None):
        try:
            self.socket.sendto(data, to or (self.addr, self.port))
        except OSError:
            # send(2) has reported the error of an earlier datagram
            self.drop_errors()
            self.socket.sendto(data, to or (self.addr, self.port))

    def drop_errors(self):
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recvmsg(2048, 2048, socket.MSG_ERRQUEUE)
        except BlockingIOError:
            pass

    def receive(self, wanted, timeout=None):
        """Returns (outcome, data, address) of the first datagram that `wanted` accepts."""
        end = time.monotonic() + (timeout or self.timeout)
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data, peer = self.socket.recvfrom(65536)
            except TimeoutError:
                break
            except OSError as error:
                self.drop_errors()
                if error.errno == errno.ECONNREFUSED:
                    return "refused", b"", None
                continue
            if wanted(data):
                return "right" if peer[0] == self.addr else f"from {peer[0]}", data, peer
        return "none", b"", None


def ask(flow, retry=None):
    """Sends a request; with `retry`, sends it again after this many seconds, like a patient
    client."""
    request, deadline = os.urandom(40), time.monotonic() + flow.timeout
    while True:
        flow.send(request)
        outcome, _, peer = flow.receive(lambda data: data == request, retry)
        if outcome != "none" or not retry or time.monotonic() > deadline:
            return outcome, peer


def echo(flow):
    """Sends two requests: the second uses the state created by the first."""
    for _ in range(2):
        yield ask(flow)[0]


def back(flow, retry=None):
    """Like echo(), with a server that connects back. Finally makes the server accept the next
    client."""
    answerer = None
    for _ in range(2):
        outcome, peer = ask(flow, retry)
        answerer = peer or answerer
        yield outcome
    if answerer:
        flow.send(b"bye", answerer[:2])
        flow.receive(lambda data: data == b"bye")


def patient(flow):
    return back(flow, 0.3)


def dns(flow):
    head = os.urandom(2)
    flow.send(head + bytes.fromhex("01000001000000000000") + b"\3www\7example\0\0\1\0\1")
    outcome, data, _ = flow.receive(lambda data: data[:2] == head)
    yield outcome
    if data and not struct.unpack("!H", data[6:8])[0]:
        yield "bad data"


def tftp(flow):
    """Reads the file, which the server sends from a new port."""
    content, block, peer = b"", 0, None
    flow.send(b"\0\1file\0octet\0")
    while True:
        block += 1
        wanted = struct.pack("!HH", 3, block)
        outcome, data, peer = flow.receive(lambda data: data[:4] == wanted or data[:2] == b"\0\5")
        yield outcome
        if data[:4] != wanted:
            if data:
                yield f"error {data[4:]}"
            return
        content += data[4:]
        flow.send(b"\0\4" + wanted[2:], peer[:2])
        if len(data) < 516:
            break
    if content != open(os.environ["TFTP_FILE"], "rb").read():
        yield "bad data"


def tftp4(flow):
    """Like tftp(), with a server that supports only IPv4."""
    return tftp(flow)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--from", type=int, default=0, dest="source_port")
    options.add_argument("--one-port", action="store_true")
    options.add_argument("--timeout", type=float, default=10)
    options.add_argument("server", nargs="+")
    split = sys.argv.index("--")
    args = options.parse_args(sys.argv[1:split])
    port = args.source_port
    for addr in sys.argv[split + 1:]:
        for server in args.server:
            name, protocol, number = server.replace("=", ":").split(":")
            if protocol == "tftp4" and ":" in addr:
                continue
            flow = Flow(addr, int(number), port, args.timeout)
            outcomes = list(globals()[protocol](flow))
            flow.socket.close()
            same = [o for i, o in enumerate(outcomes) if not i or o != outcomes[i - 1]]
            print(addr, name, ", ".join(same), flush=True)
            port += 1 if port and not args.one_port else 0


main()
