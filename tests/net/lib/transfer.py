#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Sends bytes to an echo service behind a local TCP port, and compares what comes back. Usage:

  transfer.py PORT BEGUN DONE    both directions are busy until the file DONE is there; makes the
                                 file BEGUN once 100,000 bytes have come back
  transfer.py PORT SIZE          so many random bytes
"""
import hashlib
import os
import socket
import sys
import threading
import time


def exchange(port, size):
    data = os.urandom(size)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(60)

        def send():
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        sender.start()
        got = b"".join(iter(lambda: connection.recv(65536), b""))
        sender.join()
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest(), (size, len(got))


def transfer(port, begun, done):
    sent, got = hashlib.sha256(), hashlib.sha256()
    counts = [0, 0]

    def receive():
        while part := connection.recv(65536):
            got.update(part)
            counts[1] += len(part)
            if counts[1] > 100000 and not os.path.exists(begun):
                open(begun, "w", encoding="ascii").close()

    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(60)
        receiver = threading.Thread(target=receive)
        receiver.start()
        while receiver.is_alive() and not os.path.exists(done):
            block = os.urandom(5000)
            connection.sendall(block)
            sent.update(block)
            counts[0] += len(block)
            time.sleep(0.01)
        connection.shutdown(socket.SHUT_WR)
        receiver.join()
    assert counts[0] == counts[1] and sent.digest() == got.digest(), counts


if __name__ == "__main__":
    if len(sys.argv) == 3:
        exchange(int(sys.argv[1]), int(sys.argv[2]))
    else:
        transfer(int(sys.argv[1]), *sys.argv[2:])
