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
alice_meets_bob
wait_until 60 is_logged "$TEST_TMP/alice.log" "interval_s=10.0 source=measured"
wait_until 60 is_logged "$TEST_TMP/bob.log" "interval_s=10.0 source=measured"
idle_stays_up 300
stop "$alice"
stop "$bob"
