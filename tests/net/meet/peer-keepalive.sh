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

is_measured()
{
	[ "$(listed "[[p[n]['paths'][0]['keepalive'][k] for k in ('interval_s', 'source')] for n in ('alice', 'bob')]")" = \
		"[[10.0, 'measured'], [10.0, 'measured']]" ]
}

say "measured with the server"
alice_meets_bob
wait_until 60 is_measured || fail "$(in_ns in1 "$SLUICE" peer list)" "$(cat "$TEST_TMP"/{alice,bob}.log)"

say "an idle path stays up"
# a path that was lost meanwhile is restored first
idle_stays_up 40
stop "$alice"
stop "$bob"
