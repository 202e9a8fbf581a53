#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two hosts with IPv4 and IPv6, whose server has only an IPv4 address. Both NATs are symmetric, so
# IPv4 permits no direct path. The IPv6 firewalls of the NATs admit only answers; the path is direct
# over IPv6.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_server alice bob
lab_nat nat1 in1 symmetric 30 1
lab_nat nat2 in2 symmetric 30 2
wait_link "$ROUTER" outside

alice_meets_bob
is_ip6()
{
	[[ $(grep 'msg="path"' "$TEST_TMP/alice.log" | tail -n 1) == *address=\[fd* ]]
}
wait_until 20 is_ip6 || fail "$(cat "$TEST_TMP"/{alice,bob}.log)" "$(sluice peer list)"
hello_bob
stop "$alice"
stop "$bob"
