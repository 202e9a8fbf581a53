#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A pool under stress. Programs that find neither a member of the pool nor a stream of the path
# wait; some of them reset their connections while they wait. The connecting peer survives, and
# each program that still waits gets its turn. A short outage resets no program's connection.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up endpoint-independent endpoint-independent 300
spawn_in in2 "$TEST_TMP/echo" python3 -uc "if True:
	import asyncio
	async def echo(reader, writer):
		while data := await reader.read(65536):
			writer.write(data)
		writer.close()
	async def main():
		async with await asyncio.start_server(echo, '127.0.0.1', 7, backlog=512) as server:
			print('listening')
			await server.serve_forever()
	asyncio.run(main())"
wait_log "$TEST_TMP/echo" listening
peer_run in2 bob --transport tcp --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7
bob=$SPAWNED
peer_connect in1 alice --transport tcp --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000 \
	--pool-max 1 --pool-acquire-timeout 100 --pool-queue 64
alice=$SPAWNED
wait_until 40 peer_is_direct alice || fail "$(cat "$TEST_TMP"/{alice,bob}.log)"

# alive: do both peers run?
alive()
{
	kill -0 "$alice" && kill -0 "$bob" ||
		fail "a peer has ended" "$(tail -n 60 "$TEST_TMP/alice.log")" "$(tail -n 60 "$TEST_TMP/bob.log")"
}

say "more programs than the path has streams"
in_ns in1 python3 -u - "$alice" <<'PY' || { alive; fail "a program had no turn" "$(sluice -j peer list --id alice)"; }
import os, select, socket, struct, sys, time

def connect():
    s = socket.create_connection(('127.0.0.1', 7000), 20)
    s.sendall(b'hello')
    return s

def answered(sockets, want, seconds):
    """Waits until so many of them have been answered."""
    end, done = time.monotonic() + seconds, []
    while len(done) < want and time.monotonic() < end:
        left = [s for s in sockets if s not in done]
        for s in select.select(left, [], [], 0.2)[0]:
            if s.recv(5) != b'hello':
                raise SystemExit('ended without an answer')
            done.append(s)
    return done

many = [connect() for _ in range(150)]
first = answered(many, 129, 40) # 128 streams and a member
assert len(first) == 129, len(first)
waiting = [s for s in many if s not in first]

# only --pool-queue of them wait in the process; the listener holds back the others
more = [socket.socket() for _ in range(200)]
for s in more:
    s.setblocking(False)
    s.connect_ex(('127.0.0.1', 7000))
    time.sleep(0.01)
time.sleep(2)
files = len(os.listdir(f'/proc/{sys.argv[1]}/fd'))
assert files < 129 + 64 + 50, files
for s in more:
    s.close()

for s in waiting[::2]:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()
time.sleep(1)
for s in first:
    s.close()
waiting = waiting[1::2]
assert len(answered(waiting, len(waiting), 40)) == len(waiting)
PY
alive
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000)" hello

say "a program keeps its member in an outage of three seconds"
spawn_in in1 "$TEST_TMP/held" python3 -uc "if True:
	import socket, time
	held = socket.create_connection(('127.0.0.1', 7000), 20)
	held.settimeout(20)
	end = time.monotonic() + 8
	while time.monotonic() < end:
		held.sendall(b'hello')
		assert held.recv(5, socket.MSG_WAITALL) == b'hello'
		print('hello')
		time.sleep(0.05)
	print('done')"
wait_log "$TEST_TMP/held" hello
want_equal "$(json "d['peers'][0]['pool']['lent']" sluice -j peer list --id alice)" 1
in_ns in1 nft 'table inet cut {
	chain out { type filter hook output priority 0; oifname != "lo" drop; }
	chain in { type filter hook input priority 0; iifname != "lo" drop; }
}'
sleep 3
in_ns in1 nft delete table inet cut
wait_log "$TEST_TMP/held" done
