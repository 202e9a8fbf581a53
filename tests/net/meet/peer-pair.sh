#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two hosts behind different NATs reach each other's services by name, directly. After the server
# has stopped, checksummed datagrams and byte streams of any size still pass in both directions at
# once.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up address-and-port-dependent endpoint-independent 30

# services of bob's host: echo servers for both protocols; the TCP server answers after the end of
# the request
cat >"$TEST_TMP/echo.py" <<'PYTHON'
import selectors, socket, threading

def echo(connection):
	data = b"".join(iter(lambda: connection.recv(65536), b""))
	connection.sendall(data)
	connection.close()

tcp = socket.create_server(("127.0.0.1", 7))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 7))
def datagrams():
	while True:
		data, source = udp.recvfrom(65536)
		udp.sendto(data, source)
threading.Thread(target=datagrams, daemon=True).start()
while True:
	threading.Thread(target=echo, args=(tcp.accept()[0],), daemon=True).start()
PYTHON
spawn_in in2 "$TEST_TMP/echo.log" python3 "$TEST_TMP/echo.py"
wait_udp in2 7

peer_run in2 bob --peer-key "alice=$(public alice)" --peer-key "carol=$(public carol)" --expose stream=tcp:127.0.0.1:7 \
	--expose udp:127.0.0.1:7 --expose closed=tcp:127.0.0.1:9
bob=$SPAWNED
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --service stream \
	--listen tcp:127.0.0.1:7000
alice=$SPAWNED
peer_connect in1 carol --peer-key "bob=$(public bob)" --to bob --listen udp:127.0.0.1:7001
carol=$SPAWNED
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
wait_log "$TEST_TMP/carol.log" 'msg="connected" peer=bob'
wait_log "$TEST_TMP/bob.log" 'msg="connected" peer=alice'
wait_log "$TEST_TMP/bob.log" 'msg="connected" peer=carol'

say "the server stops, and the path stays"
stop "$RENDEZVOUS"
in_ns in1 env PYTHONPATH="$ROOT/tests/net/lib" python3 -B - <<'PYTHON'
import os, socket, threading
from transfer import exchange

for size in (0, 1, 1200, 3000000):
	exchange(7000, size)
threads = [threading.Thread(target=exchange, args=(7000, 100000)) for _ in range(20)]
for thread in threads:
	thread.start()
for thread in threads:
	thread.join()

sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
for number, one in enumerate(sockets):
	one.connect(("127.0.0.1", 7001))
	one.settimeout(10)
for size in (0, 1, 500, 1138, 1139, 1410, 1411, 1472, 9000, 65507):
	for one in sockets:
		data = os.urandom(size)
		one.send(data)
		assert one.recv(65536) == data, size
PYTHON

say "one exits, and the other continues; the exit is reported"
stop "$carol"
wait_log "$TEST_TMP/bob.log" 'msg="disconnected" peer=carol'
kill -0 "$alice"
stop "$bob"
wait_log "$TEST_TMP/alice.log" 'msg="not connected, retrying" peer=bob'
stop "$alice"
want_equal "$(grep -c 'level=error' "$TEST_TMP"/{alice,bob,carol}.log | cut -d: -f2 | xargs)" "0 0 0"
