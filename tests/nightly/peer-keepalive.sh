#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The interval of keepalives, measured with the server. With NATs that keep a mapping for 20 seconds,
# an idle path stays up for five minutes. With NATs that keep it for 90 seconds, the interval is 48
# seconds; after both NATs have lost all mappings it is 18 seconds, and the path is restored.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/peer.sh"

# intervals: prints the interval and its source of both peers
intervals()
{
	listed "[[p[n]['paths'][0]['keepalive'][k] for k in ('interval_s', 'source')] for n in ('alice', 'bob')]"
}

are_intervals()
{
	[ "$(intervals)" = "[[$1, '$2'], [$1, '$2']]" ]
}

want_intervals()
{
	wait_until "$1" are_intervals "$2" "$3" || fail "$(intervals)" "$(cat "$TEST_TMP"/{alice,bob}.log)"
}

hello()
{
	want_equal "$(echo hello | in_ns in1 socat -t 60 - TCP:127.0.0.1:7000)" hello
}

start()
{
	peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7
	bob=$SPAWNED
	peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
	alice=$SPAWNED
	wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
}

say "mappings live for 20 seconds"
peers_up address-and-port-dependent address-and-port-dependent 20
echo_start in2
start
want_intervals 60 10.0 measured
hello
moves="[p[n]['paths'][0][k] for n in ('alice', 'bob') for k in ('repunches', 'path_changes')]"
before=$(listed "$moves")
sleep 300
want_equal "$(listed "$moves")" "$before" "new introductions and moves"
hello
stop "$alice"
stop "$bob"

say "mappings live for 90 seconds"
lab_timeout nat1 90
lab_timeout nat2 90
start
want_intervals 200 48.0 measured
in_ns nat2 conntrack -F 2>/dev/null
lab_reboot nat1 other-port 90 in out 198.51.100.1
# the peer that notices first restores the path for both
is_reset()
{
	[[ $(intervals) == *"[18.0, 'default']"* ]]
}
wait_until 120 is_reset || fail "$(intervals)" "$(cat "$TEST_TMP"/{alice,bob}.log)"
hello
stop "$alice"
stop "$bob"
