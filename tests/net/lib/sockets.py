# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that opens and closes sockets of reuseport groups on command, and never reads them.

    sockets.py ADDRESS

Each line of standard input is a command, which it answers with `done`:

    open FIRST_PORT PORTS SOCKETS    opens SOCKETS sockets on each of PORTS ports
    close INDEX                      closes a socket, in the order of opening
    copy INDEX                       duplicates its descriptor
    fork                             starts a child that holds all sockets, and prints its pid
    exit                             ends without the children
"""

import os
import resource
import signal
import socket
import sys

limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
sockets = []


def bound(port):
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    opened.bind((sys.argv[1], port))
    return opened


for line in sys.stdin:
    command, *numbers = line.split()
    numbers = [int(number) for number in numbers]
    if command == "open":
        for port in range(numbers[0], numbers[0] + numbers[1]):
            sockets += [bound(port) for _ in range(numbers[2])]
    elif command == "close":
        sockets[numbers[0]].close()
    elif command == "copy":
        sockets.append(sockets[numbers[0]].dup())
    elif command == "fork":
        child = os.fork()
        if not child:
            signal.pause()
        print(f"child {child}", flush=True)
    elif command == "exit":
        break
    print("done", flush=True)
