# SPDX-License-Identifier: GPL-2.0-or-later
"""Creates a tun device in each of two network namespaces, and passes packets between them.

    tun_cable.py NETNS DEV NETNS DEV
"""
import ctypes
import fcntl
import os
import select
import struct
import sys

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def tun(netns, dev):
    with open(netns) as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            sys.exit(f"setns: {os.strerror(ctypes.get_errno())}")
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", dev.encode(), IFF_TUN | IFF_NO_PI))
    return fd


one, other = tun(*sys.argv[1:3]), tun(*sys.argv[3:5])
print("ready", flush=True)
while True:
    for fd in select.select([one, other], [], [])[0]:
        packet = os.read(fd, 65536)
        try:
            os.write(other if fd == one else one, packet)
        except OSError:
            pass  # the device is down
