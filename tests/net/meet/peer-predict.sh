#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A NAT maps each destination to another port, but assigns the ports in order. The other NAT admits
# only answers. The peer behind the first NAT predicts its next ports, and the path moves from the
# relay to a direct address, from either side, and while other hosts use the NAT. If the ports are
# random, there is no prediction, and the path stays relayed.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/metrics.sh"
. "$(dirname "$0")/../lib/peer.sh"

# connected NAMESPACE1 NAME1 NAMESPACE2 NAME2: NAME1 connects to NAME2, and sends through the path
connected()
{
	peer_run "$3" "$4" --peer-key "$2=$(public "$2")" --expose tcp:127.0.0.1:7 --metrics "$METRICS_PORT"
	accepts=$SPAWNED
	peer_connect "$1" "$2" --peer-key "$4=$(public "$4")" --to "$4" --listen tcp:127.0.0.1:7000
	connects=$SPAWNED
	wait_log "$TEST_TMP/$2.log" "msg=\"connected\" peer=$4"
	want_equal "$(echo hello | in_ns "$1" socat -t 20 - TCP:127.0.0.1:7000)" hello
}

direct()
{
	peer_is_direct alice && peer_is_direct bob
}

want_direct()
{
	wait_until 20 direct || fail "no direct path:" "$(cat "$TEST_TMP"/{alice,bob}.log)" \
		"$(sluice peer list)" "$(in_ns nat1 conntrack -L 2>/dev/null)"
}

# checks start some time after the introduction
LAB_DELAY=20 peers_up symmetric-sequential address-and-port-dependent 30
echo_start in1
echo_start in2

say "the peer behind the symmetric NAT connects"
connected in1 alice in2 bob
want_direct
grep -q 'kind=predicted' "$TEST_TMP/bob.log" || fail "$(cat "$TEST_TMP/bob.log")"
HOST=in2
want_values 'sluice_peer_paths{kind="predicted"}' 1 'sluice_peer_paths{kind="none"}' 0
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000)" hello
stop "$connects"
stop "$accepts"

say "the other peer connects"
connected in2 bob in1 alice
want_direct
stop "$connects"
stop "$accepts"
