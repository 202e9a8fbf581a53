# SPDX-License-Identifier: GPL-2.0-or-later
"""
An ordinary UDP program without keepalives, and its peer, for the tests of hold.

  plain.py client PEER PORT [--from ADDR:PORT] [--connect] [--recverr] [--every S] [--count N]
                  [--mark N] [--device NAME]
  plain.py server PORT [--push FILE] [--mute] [--every S]

The client sends one datagram to each of N ports from PORT on. Then it prints "got TEXT" for each
datagram that it receives, and "error NAME" for each error that the kernel reports. The server
answers each datagram, prints it as "got TEXT", and on SIGUSR1 sends the content of FILE to all
clients. With --every, a datagram is sent every S seconds, by the server to all its clients. The
program first enters the cgroup $PLAIN_CGROUP, if set.
"""
import argparse
import errno
import os
import select
import signal
import socket
import struct
import sys
import time

IP_RECVERR, IPV6_RECVERR = 11, 25


def parse():
    cgroup = os.environ.get("PLAIN_CGROUP")
    if cgroup:
        with open(cgroup + "/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["client", "server"])
    parser.add_argument("words", nargs="+")
    parser.add_argument("--from", dest="source")
    parser.add_argument("--connect", action="store_true")
    parser.add_argument("--recverr", action="store_true")
    parser.add_argument("--mark", type=int)
    parser.add_argument("--device")
    parser.add_argument("--mute", action="store_true")
    parser.add_argument("--every", type=float)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--push", default=os.environ.get("TEST_TMP", "") + "/push")
    return parser.parse_args()


def out(*words):
    print(*words, flush=True)


def receive(sock):
    """Returns (data, peer), or None after printing an error."""
    try:
        return sock.recvfrom(65536)
    except BlockingIOError:
        return None
    except OSError as error:
        out("error", errno.errorcode[error.errno])
        return None


def drain_errors(sock):
    while True:
        try:
            _, ancillary, _, _ = sock.recvmsg(2048, 1024, socket.MSG_ERRQUEUE)
        except OSError:
            return
        for _, kind, data in ancillary:
            if kind in (IP_RECVERR, IPV6_RECVERR):
                out("error", errno.errorcode[struct.unpack("I", data[:4])[0]])


def client(args):
    host, port = args.words[0], int(args.words[1])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    if args.source:
        address, _, source = args.source.rpartition(":")
        sock.bind((address, int(source)))
    if args.mark:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, args.mark)
    if args.device:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, args.device.encode())
    if args.recverr:
        level = socket.IPPROTO_IPV6 if family == socket.AF_INET6 else socket.IPPROTO_IP
        sock.setsockopt(level, IPV6_RECVERR if family == socket.AF_INET6 else IP_RECVERR, 1)
    if args.connect:
        sock.connect((host, port))

    def send(text):
        for i in range(args.count):
            if args.connect:
                sock.send(text)
            else:
                sock.sendto(text, (host, port + i))

    send(b"hello")
    again = time.monotonic() + args.every if args.every else None
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    while True:
        wait = None if again is None else max(0, (again - time.monotonic()) * 1000)
        for _, event in poll.poll(wait):
            if event & select.POLLERR:
                drain_errors(sock)
            got = receive(sock)
            if got:
                out("got", got[0].decode(errors="replace").strip() or "(empty)")
        if again is not None and time.monotonic() >= again:
            send(b"again")
            again += args.every


def server(args):
    port = int(args.words[0])
    clients, push = {}, []
    signal.signal(signal.SIGUSR1, lambda *_: push.append(1))
    socks = []
    for i in range(args.count):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setblocking(False)
        sock.bind(("::", port + i))
        socks.append(sock)
    out("ready")
    again = time.monotonic() + args.every if args.every else None
    while True:
        wait = 0.2 if again is None else max(0, min(0.2, again - time.monotonic()))
        ready, _, _ = select.select(socks, [], [], wait)
        for sock in ready:
            got = receive(sock)
            if not got:
                continue
            data, peer = got
            clients[(sock, peer)] = True
            out("got", data.decode(errors="replace").strip() or "(empty)", "from", peer[0], peer[1])
            if not args.mute:
                sock.sendto(b"answer", peer)
        if push:
            push.clear()
            with open(args.push) as file:
                text = file.read().strip()
            for sock, peer in clients:
                sock.sendto(text.encode(), peer)
            out("pushed", text)
        if again is not None and time.monotonic() >= again:
            for sock, peer in clients:
                sock.sendto(b"tick", peer)
            again += args.every


if __name__ == "__main__":
    arguments = parse()
    sys.exit(client(arguments) if arguments.role == "client" else server(arguments))
