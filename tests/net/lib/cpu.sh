# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of policy cpu: workers that answer with their name, and a client that counts
# the answers of each worker. Source it after lib.sh.

# Each worker has its own thread and socket, and answers with its name. Between datagrams it blocks
# on its socket as servers do, or it sleeps and polls, so that the hooks detect no wait.
cat >"$TEST_TMP/workers.py" <<'PYTHON'
import os
import select
import socket
import sys
import threading
import time


def wait_epoll(sock):
    epoll = select.epoll()
    epoll.register(sock, select.EPOLLIN)
    return lambda: epoll.poll()


def wait_nap(sock):
    def nap():
        while not select.select([sock], [], [], 0)[0]:
            time.sleep(0.005)
    return nap


WAYS = {
    "select": lambda sock: lambda: select.select([sock], [], []),
    "epoll": wait_epoll,
    "recv": lambda sock: lambda: None,
    "nap": wait_nap,
}


def work(sock, name, cpu, way):
    if cpu:
        os.sched_setaffinity(0, {int(cpu)})
    wait = WAYS[way](sock)
    placed.wait()
    if threading.current_thread() is threading.main_thread():
        print("up", flush=True)
    while True:
        wait()
        data, peer = sock.recvfrom(2048)
        sock.sendto(name.encode(), peer)


workers = []
for word in sys.argv[2:]:
    word, _, way = word.partition("/")
    name, _, cpu = word.partition("@")
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("::", int(sys.argv[1])))
    workers.append((sock, name, cpu, way or "select"))
placed = threading.Barrier(len(workers))
for worker in workers[1:]:
    threading.Thread(target=work, args=worker, daemon=True).start()
work(*workers[0])
PYTHON

# Sends a datagram from each of FLOWS ports. Prints "NAME:ANSWERS" for each worker, and the losses.
cat >"$TEST_TMP/tally.py" <<'PYTHON'
import collections
import socket
import sys

host, port, flows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tally = collections.Counter()
for _ in range(flows):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(30)
    sock.sendto(b"who", (host, port))
    try:
        tally[sock.recv(64).decode()] += 1
    except TimeoutError:
        tally["lost"] += 1
print(*(f"{name}:{count}" for name, count in sorted(tally.items())))
PYTHON

# workers NAME[@CPU][/WAY]…: starts one process in HOST on PORT, and returns once all threads are up
# and on their CPUs. Sets SPAWNED to the process id.
workers()
{
	local log
	log=$TEST_TMP/workers.${*//[^a-z0-9]/}.log
	spawn_in "$HOST" "$log" python3 "$TEST_TMP/workers.py" "$PORT" "$@"
	wait_until 10 grep -q up "$log"
}

# tally NAMESPACE CPU ADDRESS [FLOWS]: counts the answers to a client that is pinned to CPU
tally()
{
	in_ns "$1" taskset -c "$2" python3 "$TEST_TMP/tally.py" "$3" "$PORT" "${4:-40}"
}

# want_both TALLY NAME NAME: checks that both workers have answered, and that no datagram was lost
want_both()
{
	[[ " $1" == *" $2:"* && " $1" == *" $3:"* && $1 != *lost* ]] ||
		fail "wanted answers of $2 and of $3:" "got: $1"
}

# chatter NAMESPACE ADDRESS: sends requests from new ports, on CPU 0 and on CPU 1, until
# chatter_end. A worker on an unknown CPU gets part of the traffic of each CPU without a known
# worker.
chatter()
{
	local cpu
	CHATTERS=()
	for cpu in 0 1; do
		spawn_in "$1" "$TEST_TMP/chatter.log" taskset -c "$cpu" python3 "$TEST_TMP/tally.py" "$2" \
			"$PORT" 1000000000
		CHATTERS+=("$SPAWNED")
	done
}

chatter_end()
{
	stop "${CHATTERS[0]}"
	stop "${CHATTERS[1]}"
}

# checksums_full NAMESPACE DEV: makes DEV send complete checksums, as a network card does. By
# default, veth leaves checksums to the receiver.
checksums_full()
{
	in_ns "$1" python3 - "$2" <<-'PYTHON'
		import array, fcntl, socket, struct, sys

		SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17
		value = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, 0))
		request = struct.pack("16sP", sys.argv[1].encode(), value.buffer_info()[0])
		fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), SIOCETHTOOL, request)
	PYTHON
}
