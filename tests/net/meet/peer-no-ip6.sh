#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# On a kernel without IPv6, a peer predicts the ports of its NAT, and measures how long the NAT keeps
# a mapping, as with IPv6. So does nat probe.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

# socket(AF_INET6) fails with EAFNOSUPPORT
SOCKET=41
[ "$(uname -m)" != aarch64 ] || SOCKET=198
NO_IP6=(python3 "$ROOT/tests/net/lib/seccomp.py" "$SOCKET:10" 97)
WITHOUT=("${NO_IP6[@]}" "$SLUICE")

# checks start some time after the introduction
LAB_DELAY=20 peers_up symmetric-sequential address-and-port-dependent 15
want_status 1 in_ns in1 "${NO_IP6[@]}" python3 -c \
	'import socket; socket.socket(socket.AF_INET6)' # that is, the filter works
echo_start in2
peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7
identity alice
spawn_in in1 "$TEST_TMP/alice.log" "${WITHOUT[@]}" peer connect "${IDENTITY[@]}" \
	--peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'

say "predicted"
wait_until 20 peer_is_direct alice || fail "$(cat "$TEST_TMP"/{alice,bob}.log)"
wait_log "$TEST_TMP/bob.log" 'kind=predicted'
hello_bob

say "probed"
want_status 0 in_ns in1 "${WITHOUT[@]}" nat probe "$PEER4:3478"

say "measured"
wait_until 30 is_logged "$TEST_TMP/alice.log" 'msg="keepalive interval" interval_s=10.0 source=measured' ||
	fail "$(cat "$TEST_TMP/alice.log")"
