#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An application receives no error about a keepalive, whether from a firewall that rejects the
# keepalive, or from the host of a dead peer. An error from the peer's host stops the keepalives.
#
#   inside ── nat ── router ── peer
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

lab_up symmetric 60
# the rule rejects an empty datagram before its TTL is checked
in_ns "$ROUTER" nft 'add table inet wall
	add chain inet wall pre { type filter hook prerouting priority filter; }
	add rule inet wall pre udp length 8 reject with icmpx admin-prohibited'
in_ns "$ROUTER" sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
in_ns "$PEER" sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
configure '[hold]' 'port = 7000-7009' 'interval = 1'
daemon_start

logs=() pids=()
# program OPTION…: starts a client, whose errors are checked below
program()
{
	plain_start "$INSIDE" "$@"
	logs+=("$PLAIN_LOG")
	pids+=("$PLAIN_PID")
}

want_no_errors()
{
	if grep -H error "${logs[@]}"; then fail "errors about keepalives"; fi
}

say "a firewall rejects the keepalives"
peer_start 7000 --count 4
program "$PEER4" 7000 --connect
program "$PEER4" 7001 --recverr
program "$PEER6" 7002 --connect
program "$PEER6" 7003 --recverr --connect
suppressed_at_least()
{
	[ "$(hold_counter suppressed)" -ge "$1" ]
}
wait_until 30 suppressed_at_least 12 || fail "$(sluice hold show)"
want_no_errors
want_equal "$(hold_flow 'sorted({x["state"] for x in f})')" "['kept']"

say "the peer has exited, and keepalives reach its host"
configure '[hold]' 'port = 7000-7009' 'interval = 1' 'payload = zero'
daemon_reload 'msg="hold is active"'
sleep 2
stop "$PEER_PID"
all_unreachable()
{
	[ "$(hold_flow 'sorted({x["state"] for x in f})')" = "['unreachable']" ]
}
wait_until 30 all_unreachable || fail "$(sluice hold flows)"
before=$(hold_sent)
sleep 3
want_equal "$(hold_sent)" "$before" "keepalives to a port that is closed"
want_no_errors
kill "${pids[@]}"
daemon_stop
sluice hold unload
