#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 200 peers on one machine: 20 hosts expose services, and each is used by nine others at a time. All
# pairs connect directly, bytes pass over all paths at once, and they do so again after the server was
# killed and the NATs have lost all mappings.
#
#   in1 [180 × connect] ── nat1 ──┐
#                                 ├── router ── peer [sluice rendezvous serve]
#   in2 [20 × run]      ── nat2 ──┘
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/peer.sh"

RUN=20 EACH=9
names=()
for ((i = 0; i < RUN; i++)); do
	names+=("run$i")
	for ((j = 0; j < EACH; j++)); do
		names+=("use$i.$j")
	done
done
peers_server "${names[@]}"
peers_nat 1 endpoint-independent 30
peers_nat 2 address-and-port-dependent 30
wait_link "$ROUTER" outside
spawn_in in2 /dev/null socat -t 60 TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr,backlog=512 EXEC:cat

# all_are_direct: do all 180 have a direct path?
all_are_direct()
{
	[ "$(json "sum(1 for p in d['peers'] if p['to'] for q in p['paths'] if q['ready'] and q['kind'] == 'server-reflexive')" \
		sluice -j peer list)" = $((RUN * EACH)) ]
}

# exchange_all: sends bytes over all paths at once
exchange_all()
{
	in_ns in1 env PYTHONPATH="$ROOT/tests/net/lib" python3 -B - "$((RUN * EACH))" <<-'PYTHON'
		import sys
		import threading

		from transfer import exchange

		passed = []

		def run(port):
		    exchange(port, 20000)
		    passed.append(port)

		count = int(sys.argv[1])
		threads = [threading.Thread(target=run, args=(7000 + i,)) for i in range(count)]
		for thread in threads:
		    thread.start()
		for thread in threads:
		    thread.join()
		assert len(passed) == count, f"{len(passed)} of {count} have passed"
	PYTHON
}

say "they connect"
for ((i = 0; i < RUN; i++)); do
	peer_run in2 "run$i" --trust-server --expose tcp:127.0.0.1:7 --port-mapping off
done
for ((i = 0; i < RUN; i++)); do
	for ((j = 0; j < EACH; j++)); do
		peer_connect in1 "use$i.$j" --trust-server --to "run$i" --listen "tcp:127.0.0.1:$((7000 + EACH * i + j))" \
			--port-mapping off
	done
done
wait_until 300 all_are_direct || fail "$(sluice peer list)"
exchange_all || fail "$(tail -n 3 "$TEST_TMP"/*.log)"

say "the server is killed, and the NATs lose all mappings"
kill -KILL "$RENDEZVOUS"
wait "$RENDEZVOUS" 2>/dev/null || true
server_start
for number in 1 2; do
	in_ns "nat$number" conntrack -F 2>/dev/null
done
exchange_all || fail "$(tail -n 3 "$TEST_TMP"/*.log)"
wait_until 300 all_are_direct || fail "$(sluice peer list)"
