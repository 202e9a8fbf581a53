#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The network drops 30 % of all packets, in both directions. Peers behind NATs connect directly, and
# bytes arrive unchanged, in both directions.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/peer.sh"

peers_up endpoint-independent address-and-port-dependent 30
lab_loss 30
head -c 200000 /dev/urandom >"$TEST_TMP/sent"

say "connected, and directly"
alice_meets_bob
is_direct()
{
	peer_is_direct alice && peer_is_direct bob
}
wait_until 60 is_direct || fail "$(cat "$TEST_TMP"/{alice,bob}.log)"

say "200 kB there and back"
in_ns in1 timeout 600 socat -t 600 - TCP:127.0.0.1:7000 <"$TEST_TMP/sent" >"$TEST_TMP/got"
cmp "$TEST_TMP/sent" "$TEST_TMP/got"
stop "$alice"
stop "$bob"
