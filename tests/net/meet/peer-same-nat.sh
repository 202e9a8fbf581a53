#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two hosts behind the same NAT use their private addresses; if these cannot reach each other, they use
# the NAT's hairpin, or the relay without one.
#
#   in1 [alice: connect] ──┐
#                          ├── nat1 ── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_server alice bob
peers_nat 1 endpoint-independent 30
peers_beside 1 in2
wait_link "$ROUTER" outside
echo_start in2
peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7

# connects PATTERN: alice gets such a path, and bytes pass
connects()
{
	peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
	wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
	wait_until 30 peer_has_path alice "$1" || fail "$(cat "$TEST_TMP/alice.log")"
	in_ns in1 python3 "$ROOT/tests/net/lib/transfer.py" 7000 300000
	stop "$SPAWNED"
}

say "private addresses"
connects "host udp 10.0.0.3:*"

say "no path between private addresses, and no hairpin"
peers_isolate 1
connects "relayed udp *"

say "hairpin"
lab_hairpin nat1 198.51.100.1
connects "server-reflexive udp 198.51.100.1:*"
