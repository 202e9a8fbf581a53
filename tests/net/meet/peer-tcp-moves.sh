#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A transfer goes on, without a byte lost, while its path moves: from TCP to the relay, when the
# networks block direct connections; back; and to UDP, when they let that pass again. A pool has members
# while the path is TCP.
#
#   in1 [alice, carol: connect] ── nat1 ──┐
#                                         ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]              ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up address-and-port-dependent address-and-port-dependent 30
udp_block in1
udp_block in2
echo_start in2

# peer_uses TRANSPORT NAME: is the path that this peer has logged last a direct one by TRANSPORT?
peer_uses()
{
	[[ $(grep 'msg="path"' "$TEST_TMP/$2.log" | tail -n 1) == *" transport=$1 "* ]]
}

# want_both CONDITION…: waits for alice and bob
want_both()
{
	wait_until 90 "$@" alice || fail "$(cat "$TEST_TMP"/{alice,bob}.log)"
	wait_until 90 "$@" bob || fail "$(cat "$TEST_TMP"/{alice,bob}.log)"
}

# pool_is IN-USE MEMBERS
pool_is()
{
	[ "$(json "(d['peers'][0]['pool']['in_use'], d['peers'][0]['paths'][0]['members'])" \
		sluice -j peer list --id carol)" = "($1, $2)" ]
}

peer_run in2 bob --peer-key "alice=$(public alice)" --peer-key "carol=$(public carol)" --expose tcp:127.0.0.1:7
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
peer_connect in1 carol --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7001 --pool-max 1
want_both peer_uses tcp
wait_until 40 pool_is True 1 || fail "$(cat "$TEST_TMP/carol.log")"
transfer_begin in1 7000

say "direct connections are blocked"
in_ns nat1 nft -f - <<-'NFT'
	table inet block {
		chain forward {
			type filter hook forward priority 0
			ip daddr 198.51.100.2 drop
			ip saddr 198.51.100.2 drop
		}
	}
NFT
want_both peer_is_relayed
wait_until 60 pool_is False 0 || fail "$(cat "$TEST_TMP/carol.log")"

say "they are possible again"
in_ns nat1 nft delete table inet block
want_both peer_uses tcp

say "UDP is"
udp_unblock in1
udp_unblock in2
want_both peer_uses udp
wait_until 60 pool_is False 0 || fail "$(cat "$TEST_TMP/carol.log")"
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7001)" hello
transfer_end alice.log bob.log
want_equal "$(grep -cF 'msg="not connected' "$TEST_TMP/alice.log" || true)" 0
