#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The wall clock does not matter: peers and a server whose clocks are years apart connect, directly and
# through the relay, and paths stay when a clock is set during a transfer.
#
#   in1 [alice, carol: connect] ── nat1 ──┐
#                                         ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]              ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/clock.sh"
. "$(dirname "$0")/../lib/peer.sh"

clock_library

# clock NAME YEARS: sets the wall clock of NAME
clock()
{
	echo "$(($2 * YEAR))" >"/mnt/$1.next"
	mv "/mnt/$1.next" "/mnt/$1.clock"
}

# by_clock NAME COMMAND…: runs the command, whose processes have the wall clock of NAME
by_clock()
{
	CLOCK_FILE=/mnt/$1.clock LD_PRELOAD=/mnt/clock.so "${@:2}"
}

peers_up endpoint-independent address-and-port-dependent 30
stop "$RENDEZVOUS"
# the server's user cannot enter TEST_TMP
cp "$TEST_TMP/clock.so" /mnt
clock server 10
clock alice -30
clock bob 3
clock carol -1
by_clock server server_start
first=$(date -d "$(by_clock alice date -Is)" +%s)
(($(by_clock alice date +%s) - first < 60)) || fail "two calls of the C library disagree"
[ "$(by_clock server date +%Y)" -gt "$(($(date +%Y) + 8))" ] || fail "the library has no effect"

echo_start in2
by_clock bob peer_run in2 bob --peer-key "alice=$(public alice)" --peer-key "carol=$(public carol)" \
	--expose tcp:127.0.0.1:7
by_clock alice peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
alice=$SPAWNED
by_clock carol peer_connect in1 carol --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7001 --relay-only
carol=$SPAWNED
for name in alice carol; do
	wait_log "$TEST_TMP/$name.log" 'msg="connected" peer=bob'
	contains -F clock.so "/proc/${!name}/maps" || fail "$name has the usual clock"
done
want_equal "$(json "[p['kind'] for p in d['peers'][0]['paths']]" sluice -j peer list --id alice)" "['server-reflexive']"
want_equal "$(json "[p['kind'] for p in d['peers'][0]['paths']]" sluice -j peer list --id carol)" "['relayed']"

say "clocks are set during a transfer"
transfer_begin in1 7000
for years in 20 -40 0; do
	clock alice "$years"
	clock bob "$((-years))"
	clock server "$((years / 2))"
	# a clock is read only when something happens
	in_ns in1 python3 "$ROOT/tests/net/lib/transfer.py" 7000 100000
	in_ns in1 python3 "$ROOT/tests/net/lib/transfer.py" 7001 100000
done
transfer_end alice.log bob.log
for name in alice bob carol; do
	! contains -E 'msg="(path lost|disconnected|not connected|not registered)' "$TEST_TMP/$name.log" ||
		fail "$(cat "$TEST_TMP/$name.log")"
done
want_equal "$(json "sorted(r['name'] for r in d['registered'])" sluice -j rendezvous show)" "['alice', 'bob', 'carol']"
stop "$alice"
