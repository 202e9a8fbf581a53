#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A probe with coturn measures the mapping lifetime of the NAT: at least 20 s, but less than 30 s.
# With a server that lacks RESPONSE-PORT, or does not answer, the probe has no result. The test
# takes half a minute, since no common timeout is shorter.
#
#   inside ── nat (a mapping lives 25 s) ── router ── peer [turnserver on two addresses]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

TURN=$(server_path usr/bin/turnserver)

lab_up endpoint-independent 25
spawn_in "$PEER" "$TEST_TMP/turn.log" "$TURN" -n --listening-ip 203.0.113.2 \
	--listening-ip 203.0.113.3 --stun-only --no-tcp --no-tls --no-dtls --no-cli \
	--log-file stdout --pidfile "$TEST_TMP/turn.pid"
wait_udp "$PEER" 3478

probe_result()
{
	json "(d['hold']['sender']['interval_source'], d['hold']['sender']['proven_s'],
		d['hold']['sender']['interval_s'])" sluice -j hold show
}

configure '[hold]' 'port = 7000' "probe = $PEER4:3478" 'interval_max = 24'
daemon_start
want_equal "$(probe_result)" "('default', None, 18.0)"
want_logged 'msg="hold: probe" mapping_lives_s=20' || fail "$(cat "$TEST_TMP/turn.log")"
want_equal "$(probe_result)" "('probe', 20.0, 18.0)"

say "servers that yield no result"
peer_start 3490
configure '[hold]' 'port = 7000' "probe = $PEER4:3490"
daemon_reload 'msg="hold is active"'
want_logged 'does not answer'
stop "$PEER_PID"

say "errors in the file"
for address in 1.2.3.4 1.2.3.4:0 1.2.3.4:65536 '[::1]' ::1:5 'name:3478' ':3478' '1.2.3.4:'; do
	configure '[hold]' 'port = 7000' "probe = $address"
	want_status 2 sluice run --check-config --config "$CONF"
	want_text "is not an address and a port"
done
configure '[hold]' 'port = 7000' 'probe = [2001:db8::1]:3478'
want_status 0 sluice run --check-config --config "$CONF"
daemon_stop
sluice hold unload
