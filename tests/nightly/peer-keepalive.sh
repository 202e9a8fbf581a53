#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The NATs keep a mapping for 20 seconds. The peers measure this with the server, and an idle path
# stays up for five minutes.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/peer.sh"

peers_up address-and-port-dependent address-and-port-dependent 20
echo_start in2
peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7
bob=$SPAWNED
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
alice=$SPAWNED
wait_until 60 is_logged "$TEST_TMP/alice.log" "interval_s=10.0 source=measured"
wait_until 60 is_logged "$TEST_TMP/bob.log" "interval_s=10.0 source=measured"
want_equal "$(echo hello | in_ns in1 socat -t 60 - TCP:127.0.0.1:7000)" hello
moves="[p[n]['paths'][0][k] for n in ('alice', 'bob') for k in ('repunches', 'path_changes')]"
before=$(listed "$moves")
sleep 300
want_equal "$(listed "$moves")" "$before" "new introductions and moves"
want_equal "$(echo hello | in_ns in1 socat -t 60 - TCP:127.0.0.1:7000)" hello
stop "$alice"
stop "$bob"
