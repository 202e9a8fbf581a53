# SPDX-License-Identifier: GPL-2.0-or-later
"""Creates a tun device in each of two network namespaces, and forwards packets between them.

    cable.py [--delay MS] [--jitter MS] NETNS DEV NETNS DEV

Delays each packet by DELAY to DELAY + JITTER milliseconds, so packets may be reordered. Exits when
the file of a namespace is removed.
"""
import argparse
import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def tun(netns, dev):
    with open(netns) as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            sys.exit(f"setns: {os.strerror(ctypes.get_errno())}")
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", dev.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def write(fd, packet):
    try:
        os.write(fd, packet)
    except OSError:
        pass  # the device is down


def forward(one, other, delay, jitter, names):
    waiting, count = [], 0
    while all(os.path.exists(name) for name in names):
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            write(*heapq.heappop(waiting)[2:])
        pause = min(1, waiting[0][0] - now) if waiting else 1
        for fd in select.select([one, other], [], [], pause)[0]:
            packet, to = os.read(fd, 65536), other if fd == one else one
            if not delay and not jitter:
                write(to, packet)
                continue
            count += 1  # packets with equal times stay in order
            due = time.monotonic() + (delay + random.uniform(0, jitter)) / 1000
            heapq.heappush(waiting, (due, count, to, packet))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--delay", type=float, default=0)
    options.add_argument("--jitter", type=float, default=0)
    options.add_argument("end", nargs=4)
    args = options.parse_args()
    one, other = tun(*args.end[:2]), tun(*args.end[2:])
    print("ready", flush=True)
    forward(one, other, args.delay, args.jitter, args.end[::2])


main()
