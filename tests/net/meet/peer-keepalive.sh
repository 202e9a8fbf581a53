#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The NATs of both peers drop an idle mapping after 15 seconds, so the default interval of 18 seconds
# loses the path; alice then registers at another port each time. The peers measure this with the
# server, and then an idle path stays up.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up symmetric endpoint-independent 15
echo_start in2

is_measured()
{
	[ "$(listed "[[p[n]['paths'][0]['keepalive'][k] for k in ('interval_s', 'source')] for n in ('alice', 'bob')]")" = \
		"[[10.0, 'measured'], [10.0, 'measured']]" ]
}

say "measured with the server"
peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7
bob=$SPAWNED
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
alice=$SPAWNED
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
wait_until 60 is_measured || fail "$(in_ns in1 "$SLUICE" peer list)" "$(cat "$TEST_TMP"/{alice,bob}.log)"

say "an idle path stays up"
# a path that was lost meanwhile is restored first
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000)" hello
lost="[p[n]['paths'][0][k] for n in ('alice', 'bob') for k in ('repunches', 'path_changes')]"
before=$(listed "$lost")
sleep 40
want_equal "$(listed "$lost")" "$before" "new introductions and moves"
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000)" hello
stop "$alice"
stop "$bob"
