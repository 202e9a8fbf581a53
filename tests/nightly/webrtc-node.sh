#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Node.js libraries behind a NAT get the same address from the server and from XDP: node-datachannel
# (which uses libjuice), werift, and stun.
#
#   INSIDE 10.0.0.2 ── CONTAINER [NAT] 192.0.2.10 ── HOST 192.0.2.1 and .2
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/cpu.sh"
. "$(dirname "$0")/../net/lib/meet.sh"

packages=$BUILD/interop
[ -d "$packages/node_modules/werift" ] || fail "no packages of npm: run tools/setup.sh nightly"

meet_up
nat_up
webrtc_server_start
in_ns "$INSIDE" timeout 60 node "$ROOT/tests/interop/gather.cjs" "$packages" \
	"$BY_SERVER" "$BY_XDP" | sort >"$TEST_TMP/found"
for client in node-datachannel stun werift; do
	printf "$client %s 192.0.2.10\n" "$BY_SERVER" "$BY_XDP"
done >"$TEST_TMP/wanted"
want_equal "$(cat "$TEST_TMP/found")" "$(cat "$TEST_TMP/wanted")"
webrtc_answered 3
rendezvous_stop
