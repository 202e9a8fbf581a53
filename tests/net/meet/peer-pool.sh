#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# While the path is TCP, each connection of a program borrows a TCP connection of its own, up to
# --pool-max; further ones share that of the path. A member that has died is found before it is lent.
# Without the server, and when the members are lost, the programs use the path.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up address-and-port-dependent address-and-port-dependent 30
echo_start in2
peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7 --transport tcp
bob=$SPAWNED
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000 --transport tcp \
	--verbose --pool-max 3 --pool-min-idle 1
alice=$SPAWNED
wait_until 40 peer_is_direct alice || fail "$(cat "$TEST_TMP"/{alice,bob}.log)"

# pooled VALUE WANTED: is this value of the pool of alice as wanted? `p` is its pool, `m` the number of members
pooled()
{
	[ "$(json "(lambda x: (lambda p, m: $1)(x['pool'], x['paths'][0]['members']))(d['peers'][0])" \
		sluice -j peer list --id alice)" = "$2" ]
}
want_pooled()
{
	wait_until 20 pooled "$@" || fail "not '$1' = $2:" "$(sluice -j peer list --id alice)" "$(tail -n 40 "$TEST_TMP/alice.log")" "$(tail -n 40 "$TEST_TMP/bob.log")"
}

# hold_open: opens a connection through the path, and keeps it open until its process is stopped
hold_open()
{
	spawn_in in1 "$TEST_TMP/held" python3 -uc "if True:
		import socket, time
		held = socket.create_connection(('127.0.0.1', 7000), 20)
		held.sendall(b'hello')
		print(held.recv(5).decode())
		held.recv(1)"
	HELD+=("$SPAWNED")
	wait_log "$TEST_TMP/held" hello
}
HELD=()

# ports: prints the local ports of the TCP connections of alice to bob, except that of the path
ports()
{
	local path

	path=$(json "d['peers'][0]['paths'][0]['local'].split(':')[1]" sluice -j peer list --id alice)
	in_ns in1 ss -Htn state established dst "$(json "d['peers'][0]['paths'][0]['remote']" \
		sluice -j peer list --id alice)" | awk -v path="$path" \
		'{ sub(/.*:/, "", $3); if ($3 != path) print $3 }'
}

say "a member is ready before a program needs it"
want_pooled "(p['idle'], m)" "(1, 1)"
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000)" hello
want_pooled "(p['given'], p['lent'], p['refused'], p['failed'])" "(1, 0, 0, 0)"

say "each program has a connection of its own, as long as there are members"
hold_open
want_pooled "(p['lent'], p['idle'])" "(1, 1)"
hold_open
hold_open
want_pooled "(p['lent'], p['idle'], p['refused'], m)" "(3, 0, 0, 3)"
want_equal "$(ports | sort -u | wc -l)" 3
want_status 0 sluice peer list --id alice
want_text "pool: 3 lent, 0 idle"
want_status 0 sluice peer list --id bob
want_text "pool of alice: 3 connections"
in_ns in1 python3 "$ROOT/tests/net/lib/transfer.py" 7000 1000000
want_pooled "(p['lent'], p['refused'], m)" "(3, 1, 3)"
stop "${HELD[@]}"
HELD=()
want_pooled "(p['lent'], m)" "(0, 3)"
in_ns in1 python3 "$ROOT/tests/net/lib/transfer.py" 7000 1000000
want_pooled "p['refused']" 1

say "a member that died in silence is not lent"
in_ns in1 nft add table inet silent
in_ns in1 nft add chain inet silent out '{ type filter hook output priority 0; }'
for port in $(ports); do
	in_ns in1 nft add rule inet silent out tcp sport "$port" drop
done
sleep 0.6 # a member is not tested if it was used half a second ago
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000)" hello
want_pooled "p['lost'] + p['tests_failed'] > 0" True
in_ns in1 nft delete table inet silent

say "without the server, programs use the members that exist, and the path"
want_pooled "p['idle'] > 0" True
stop "$RENDEZVOUS"
for _ in 1 2 3 4; do
	hold_open
done
want_pooled "p['lent'] > 0" True
wait_log "$TEST_TMP/alice.log" 'msg="no members, programs share the path" peer=bob'
stop "${HELD[@]}"
HELD=()

say "the members of a peer that exits are closed, and not connected again"
stop "$alice"
connections()
{
	in_ns in2 ss -Htn state established state syn-sent dst 198.51.100.1
}
all_closed()
{
	[ -z "$(connections)" ]
}
wait_until 20 all_closed || fail "$(connections)"
