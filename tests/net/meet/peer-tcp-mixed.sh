#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Alice, whose network blocks UDP, reaches bob by TCP, though bob uses UDP: bob learns its address of
# TCP from the server when alice is introduced, and offers it. Until then the path is the relay.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up address-and-port-dependent other-port 30
# of the kinds of NAT that map to another port, none filters by port: this one admits answers alone
in_ns nat2 nft flush chain ip lab prerouting
udp_block in1
echo_start in2
peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7
want_equal "$(in_ns in2 ss -Htnl 'sport > 7')" "" "listeners before there is a use for one"
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
transfer_begin in1 7000
wait_until 90 peer_is_direct alice
wait_until 90 peer_is_direct bob
transfer_end alice.log bob.log
contains -F "kind=relayed" "$TEST_TMP/alice.log" || fail "never relayed" "$(cat "$TEST_TMP/alice.log")"
contains -F "transport=tcp" "$TEST_TMP/alice.log" || fail "not by TCP" "$(cat "$TEST_TMP/alice.log")"
want_equal "$(json "[p['transport'] for p in d['registered'] if p['name'] == 'bob'][0]" \
	sluice -j rendezvous show)" udp

say "what the addresses of one transport show of the NATs is not compared with those of the other"
shown="(p['id'], x['transport'], x['own_nat'], x['peer_nat'])"
want_equal "$(json "sorted($shown for p in d['peers'] for x in p['paths'])" sluice -j peer list)" \
	"[('alice', 'tcp', 'endpoint-independent', None), ('bob', 'tcp', None, 'endpoint-independent')]"
