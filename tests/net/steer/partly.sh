#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One socket of a group cannot be steered, because it is in a map of the server. The whole group is
# left to the kernel; otherwise that socket would receive nothing.
#
#   host: flows ── lo ── two sockets, one of them in the server's REUSEPORT_SOCKARRAY
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

netns_add "$HOST"
spawn_in "$HOST" "$TEST_TMP/server" python3 -uc '
import ctypes, select, socket, struct, sys

BPF, MAP_CREATE, MAP_UPDATE, SOCKARRAY = 321, 0, 2, 20
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    buffer = ctypes.create_string_buffer(attr, 128)
    result = libc.syscall(BPF, command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return result


def bound():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", int(sys.argv[1])))
    return sock


socks = [bound(), bound()]
array = bpf(MAP_CREATE, struct.pack("=5I", SOCKARRAY, 4, 8, 1, 0))
key, value = ctypes.c_uint32(0), ctypes.c_uint64(socks[1].fileno())
bpf(MAP_UPDATE, struct.pack("=IxxxxQQQ", array, ctypes.addressof(key), ctypes.addressof(value), 0))
print("ready")
while True:
    for sock in select.select(socks, [], [])[0]:
        data, peer = sock.recvfrom(2048)
        sock.sendto(str(socks.index(sock)).encode(), peer)
' "$PORT"
wait_until 20 grep -q ready "$TEST_TMP/server" || fail "no server:" "$(cat "$TEST_TMP/server")"

# answering: prints the number of sockets that answer 40 clients
answering()
{
	in_ns "$HOST" python3 -c '
import socket, sys

answers = set()
for _ in range(40):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(30)
        sock.sendto(b"?", ("127.0.0.1", int(sys.argv[1])))
        answers.add(sock.recv(64))
print(len(answers))' "$PORT"
}

want_equal "$(answering)" 2 "sockets that answer, without sluice"
want_status 1 sluice --netns "$HOST" steer load --port "$PORT"
want_text "already in use: in a map of its server, or by a tunnel"
want_text "1 of its 2 sockets could not be taken, and would receive nothing"
want_equal "$(steer_groups)" "" "groups"
want_equal "$(answering)" 2 "sockets that answer"
sluice steer unload
want_clean
stop "$SPAWNED"
