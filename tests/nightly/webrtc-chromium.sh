#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A headless Chromium behind a NAT gets the same address from the server and from XDP.
#
#   INSIDE 10.0.0.2 ── CONTAINER [NAT] 192.0.2.10 ── HOST 192.0.2.1 and .2
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/cpu.sh"
. "$(dirname "$0")/../net/lib/meet.sh"

browser=$(type -p chromium-headless-shell) || fail "no browser: run tools/setup.sh nightly"

meet_up
nat_up
webrtc_server_start
in_ns "$INSIDE" timeout 120 python3 "$ROOT/tests/interop/chromium.py" \
	"$browser" "$TEST_TMP/state" "$BY_SERVER" "$BY_XDP" >"$TEST_TMP/found"
want_equal "$(cat "$TEST_TMP/found")" "$(printf '%s 192.0.2.10\n' "$BY_SERVER" "$BY_XDP")"
webrtc_answered 1
rendezvous_stop
