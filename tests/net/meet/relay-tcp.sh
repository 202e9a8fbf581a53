#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A peer that cannot send UDP is relayed over TCP, to another one that uses UDP alone. The services of
# the peer continue when the connection to the server breaks, and when UDP works again.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up endpoint-independent endpoint-independent 30
echo_start in2
peer_run in2 bob --peer-key "alice=$(public alice)" --peer-key "carol=$(public carol)" \
	--expose tcp:127.0.0.1:7 --transport udp

# echoed PORT: returns true if bob's service answers
echoed()
{
	[ "$(echo hello | in_ns in1 timeout 5 socat -t 5 - "TCP:127.0.0.1:$1" 2>/dev/null)" = hello ]
}

say "--transport tcp"
peer_connect in1 carol --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7001 \
	--transport tcp
carol=$SPAWNED
wait_log "$TEST_TMP/carol.log" 'msg="connected" peer=bob'
want_equal "$(grep -cF kind=relayed "$TEST_TMP/carol.log")" 1
wait_until 20 echoed 7001
want_equal "$(json "[p['transport'] for p in d['registered'] if p['name'] == 'carol'][0]" \
	sluice -j rendezvous show)" tcp
stop "$carol"

say "UDP is blocked"
udp_block in1
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
wait_log "$TEST_TMP/alice.log" 'msg="connected to the server by TCP"'
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
want_equal "$(grep -cF kind=relayed "$TEST_TMP/alice.log")" 1
wait_until 20 echoed 7000

say "the connection breaks"
in_ns "$PEER" ss -K "dport > 0 and sport = 3478"
reconnected()
{
	[ "$(grep -cF 'msg="connected to the server by TCP"' "$TEST_TMP/alice.log")" -gt 1 ]
}
wait_until 20 reconnected
wait_until 20 echoed 7000

say "UDP works again"
udp_unblock in1
wait_log "$TEST_TMP/alice.log" 'msg="the server answers by UDP"'
wait_until 30 peer_is_direct alice
wait_until 20 echoed 7000
