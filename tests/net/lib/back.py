# SPDX-License-Identifier: GPL-2.0-or-later
"""An echo server that connects its socket back to a client, as `nc -ul` does, until it says `bye`.

    back.py PORT

It opens the next socket before it sends the last answer, so that the next client finds a socket.
"""
import socket
import sys


def listen():
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::", int(sys.argv[1])))
    return sock


def serve(server, data):
    """Answers until `bye`. Returns the socket for the next client."""
    while True:
        following = listen() if data == b"bye" else None
        try:
            server.send(data)
            if following:
                return following
        except ConnectionRefusedError:
            pass
        try:
            data = server.recv(65536)
        except ConnectionRefusedError:
            pass


sock = listen()
while True:
    request, peer = sock.recvfrom(65536)
    sock.connect(peer)
    following = serve(sock, request)
    sock.close()
    sock = following
