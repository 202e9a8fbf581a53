#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A lost path is restored automatically. During a transfer, the NATs of both peers lose all
# mappings, and no byte is lost. A peer that was killed and restarted can be reached again, also
# through a server that was down meanwhile.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up endpoint-independent address-and-port-dependent 30
spawn_in in2 /dev/null socat -t 60 TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat

# restart_nats: clears all mappings of both, and makes nat1 map to other ports
restart_nats()
{
	lab_reboot nat1 other-port 30 in out 198.51.100.1
	in_ns nat2 conntrack -F 2>/dev/null
}

# lines FILE TEXT: prints the number of log lines with TEXT
lines()
{
	grep -cF -e "$2" "$1" || true
}

# more_than FILE TEXT COUNT
more_than()
{
	[ "$(lines "$1" "$2")" -gt "$3" ]
}

start_bob()
{
	peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7
	bob=$SPAWNED
}

start_bob
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
alice=$SPAWNED
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'

say "both NATs are restarted during a transfer"
cat >"$TEST_TMP/transfer.py" <<'PYTHON'
import os, socket, sys, time

# 40 numbered blocks, each after the answer to the previous block; the transfer outlasts the outage
with socket.create_connection(("127.0.0.1", 7000)) as connection:
	connection.settimeout(60)
	for number in range(40):
		block = os.urandom(20000)
		connection.sendall(block)
		got = b""
		while len(got) < len(block):
			part = connection.recv(65536)
			assert part, "the connection has ended"
			got += part
		assert got == block, number
		if number == 5:
			open(sys.argv[1], "w").close()
			while not os.path.exists(sys.argv[1] + ".done"):
				time.sleep(0.01)
PYTHON
in_ns in1 python3 "$TEST_TMP/transfer.py" "$TEST_TMP/begun" &
transfer=$!
wait_until 20 test -e "$TEST_TMP/begun"
restart_nats
touch "$TEST_TMP/begun.done"
wait "$transfer" || fail "the transfer failed" "$(cat "$TEST_TMP"/{alice,bob}.log)"
want_equal "$(lines "$TEST_TMP/alice.log" 'msg="not connected')" 0

say "the peer is killed and restarted"
kill -9 "$bob"
wait "$bob" 2>/dev/null || true
mv "$TEST_TMP/bob.log" "$TEST_TMP/bob.1.log"
start_bob
before=$(lines "$TEST_TMP/alice.log" 'msg="connected" peer=bob')
echo hello | in_ns in1 timeout 60 socat -t 60 - TCP:127.0.0.1:7000 >"$TEST_TMP/got" 2>&1 || true
wait_until 60 more_than "$TEST_TMP/alice.log" 'msg="connected" peer=bob' "$before" ||
	fail "not connected again" "$(cat "$TEST_TMP"/{alice,bob}.log)"
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000)" hello
stop "$alice"
stop "$bob"
