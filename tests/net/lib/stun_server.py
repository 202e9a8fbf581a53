# SPDX-License-Identifier: GPL-2.0-or-later
"""STUN servers with faults, one for each port.

    stun_server.py ADDR SECOND_ADDR PORT=FAULT...

Each also listens to SECOND_ADDR and to PORT + 1, as RFC 5780 demands.  FAULT is one of

    none          responds as RFC 5780 demands, also to CHANGE-REQUEST and RESPONSE-PORT
    ignores       ignores CHANGE-REQUEST and RESPONSE-PORT
    refuses       responds to them with error 420
    fails         responds to everything with error 500
    malformed     its attributes exceed the message
    elsewhere     responds from SECOND_ADDR
    one-sided     is silent at SECOND_ADDR and at PORT + 1
    unfollowing   as one-sided for CHANGE-REQUEST alone
    rewritten     MAPPED-ADDRESS has another address, as after a NAT that knows the protocol
    classic       RFC 3489: MAPPED-ADDRESS, SOURCE-ADDRESS and CHANGED-ADDRESS
    other=ADDR:PORT   reports that as OTHER-ADDRESS
    mapped=ADDR:PORT  reports that as the mapped address

At the end (SIGTERM) it prints "PORT REQUESTS" for each.
"""
import ipaddress
import os
import select
import signal
import socket
import struct
import sys

COOKIE = 0x2112A442
CHANGE_REQUEST, RESPONSE_PORT = 0x0003, 0x0027


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def address(kind, at, xor=0):
    host = int(ipaddress.IPv4Address(at[0])) ^ xor
    return attribute(kind, struct.pack("!BBHI", 0, 1, at[1] ^ xor >> 16, host))


def parse(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


class Server:
    def __init__(self, addresses, port, fault):
        self.addresses, self.port = addresses, port
        self.fault, _, self.value = fault.partition("=")
        self.requests = 0
        self.sockets = {}
        for i, host in enumerate(addresses):
            for offset in (0, 1):
                one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                one.bind((host, port + offset))
                self.sockets[i, offset] = one

    def attributes_of(self, at, peer):
        """Returns the attributes of a success response from the socket at (address, port
        offset)."""
        other = self.addresses[1 - at[0]], self.port + 1 - at[1]
        own = self.addresses[at[0]], self.port + at[1]
        mapped = parse(self.value) if self.fault == "mapped" else peer
        if self.fault == "classic":
            return address(1, mapped) + address(4, own) + address(5, other)
        if self.fault == "other":
            other = parse(self.value)
        plain = ("192.0.2.99", 99) if self.fault == "rewritten" else mapped
        return (address(0x0020, mapped, COOKIE) + address(1, plain)
                + address(0x802B, own) + address(0x802C, other))

    def respond(self, at):
        data, peer = self.sockets[at].recvfrom(2048)
        self.requests += 1
        sent = {}
        offset = 20
        while offset + 4 <= len(data):
            kind, size = struct.unpack_from("!HH", data, offset)
            sent[kind] = data[offset + 4:offset + 4 + size]
            offset += 4 + (size + 3) // 4 * 4
        change = struct.unpack("!I", sent[CHANGE_REQUEST])[0] if CHANGE_REQUEST in sent else 0
        asks = change or RESPONSE_PORT in sent
        if self.fault == "one-sided" and at != (0, 0):
            return
        if self.fault in ("one-sided", "unfollowing") and change:
            return
        kind, body, to = 0x0101, self.attributes_of(at, peer), peer
        source = at
        if self.fault == "fails" or (self.fault == "refuses" and asks):
            code = 500 if self.fault == "fails" else 420
            kind, body = 0x0111, attribute(9, struct.pack("!HBB", 0, code // 100, code % 100))
        elif self.fault == "malformed":
            body = struct.pack("!HH", 0x0020, 400) + bytes(8)
        elif self.fault == "elsewhere":
            source = 1 - at[0], at[1]
        elif self.fault != "ignores":
            source = at[0] ^ bool(change & 4), at[1] ^ bool(change & 2)
            if RESPONSE_PORT in sent:
                to = peer[0], struct.unpack_from("!H", sent[RESPONSE_PORT])[0]
        message = struct.pack("!HH", kind, len(body)) + data[4:20] + body
        self.sockets[source].sendto(message, to)


def main():
    servers = []
    for word in sys.argv[3:]:
        port, _, fault = word.partition("=")
        servers.append(Server(sys.argv[1:3], int(port), fault))
    sockets = {one: (server, at) for server in servers for at, one in server.sockets.items()}

    def end(*_):
        for server in servers:
            print(server.port, server.requests, flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    while True:
        for one in select.select(list(sockets), [], [])[0]:
            server, at = sockets[one]
            server.respond(at)


main()
