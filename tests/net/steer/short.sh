#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sends datagrams shorter than any application header, of every length from 0 bytes. Each is
# steered, arrives complete at one worker, and is counted. Two datagrams of a flow go to the same
# worker.
#
#   host: one socket for each length from 0 to 64 ── lo ── two sockets in one process
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

LENGTHS=65

netns_add "$HOST"
# sends after a line of input; prints the datagrams that have arrived, and the flows with one worker
coproc SERVER_AND_CLIENT {
	exec nsenter --net="/run/netns/$HOST" -- python3 -uc '
import select, socket, sys

for family, address in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
    workers = []
    for _ in range(2):
        worker = socket.socket(family, socket.SOCK_DGRAM)
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind((address, int(sys.argv[1])))
        workers.append(worker)
    print("ready")
    sys.stdin.readline()
    whole = same = 0
    clients = []
    for length in range(int(sys.argv[2])):
        client = socket.socket(family, socket.SOCK_DGRAM)
        client.connect((address, int(sys.argv[1])))
        clients.append(client)  # the next client gets a port of its own
        found = []
        for _ in range(2):
            client.send(bytes(length))
            readable, _, _ = select.select(workers, [], [], 10)
            found += readable
            whole += sum(len(worker.recv(100)) == length for worker in readable)
        same += len(found) == 2 and found[0] == found[1]
    print(whole, same)
    sys.stdin.readline()
    for worker in workers:
        worker.close()
' "$PORT" "$LENGTHS"
}
for family in IPv4 IPv6; do
	say "$family"
	read -r ready <&"${SERVER_AND_CLIENT[0]}"
	want_equal "$ready" ready
	sluice --netns "$HOST" steer load --port "$PORT"
	echo >&"${SERVER_AND_CLIENT[1]}"
	read -r counts <&"${SERVER_AND_CLIENT[0]}"
	want_equal "$counts" "$((2 * LENGTHS)) $LENGTHS" "datagrams that arrived whole, flows with one worker"
	want_equal "$(steer_counter started) $(steer_counter known)" "$LENGTHS $LENGTHS" "started, known"
	want_equal "$(steer_counter kernel_header)" 0 "left to the kernel"
	sluice steer unload
	echo >&"${SERVER_AND_CLIENT[1]}"
done
wait "$SERVER_AND_CLIENT_PID"
