#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Checks the keepalives on the wire. An empty keepalive leaves the NAT with a small TTL, and does
# not reach the peer; the other payloads reach it. A peer on the same link gets no empty keepalive.
#
#   inside ── nat ── router ── peer
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

# capture NAME DEV FILTER: writes the datagrams that pass DEV of namespace NAME to CAPTURE
capture()
{
	CAPTURE=$TEST_TMP/capture.$1.$2
	spawn_in "$1" "$CAPTURE" tcpdump -lnvi "$2" --immediate-mode "$3"
	# shellcheck disable=SC2034
	CAPTURE_PID=$SPAWNED
	wait_until 20 grep -q listening "$CAPTURE"
}

lab_up symmetric 30
configure '[hold]' 'port = 7000' 'interval = 1'
daemon_start
peer_start 7000
plain_start "$INSIDE" "$PEER4" 7000
capture "$NAT" out 'udp port 7000 and src 198.51.100.1'
leaving=$CAPTURE
captured()
{
	grep -q 'proto UDP (17), length 28)' "$1"
}
wait_until 20 captured "$leaving" || fail "$(cat "$leaving")" "$(sluice hold flows)"
say "outside the NAT: its address, and a TTL of 1 after one of the two routers"
grep -q 'ttl 1, ' "$leaving" || fail "$(cat "$leaving")"
want_equal "$(grep -c '^got' "$PEER_LOG")" 1 "datagrams at the peer"

for payload in stun crlf ff zero; do
	say "$payload: the peer receives it"
	configure '[hold]' 'port = 7000' 'interval = 1' "payload = $payload"
	before=$(grep -c '^got' "$PEER_LOG" || true)
	daemon_reload 'msg="hold is active"'
	more()
	{
		[ "$(grep -c '^got' "$PEER_LOG")" -gt "$before" ]
	}
	wait_until 20 more
done
stop "$PLAIN_PID"

say "a peer on the link: an empty keepalive would reach it"
configure '[hold]' 'port = 7001' 'interval = 1'
daemon_reload 'msg="hold is active"'
PEER=$NAT peer_start 7001
before=$(hold_sent)
plain_start "$INSIDE" 10.0.0.1 7001
near()
{
	[ "$(hold_counter near)" -ge 1 ]
}
wait_until 20 near
want_equal "$(hold_sent)" "$before" "keepalives to a peer on the link"
hold_state_is near
daemon_stop
sluice hold unload
