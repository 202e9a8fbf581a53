#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A keepalive takes the same route as the program's datagrams: by the mark and device of the socket,
# and by routing rules for UDP. It does not bypass an IPsec policy for UDP.
#
#   inside ── nat ── router ── peer
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

lab_up symmetric 60
in_ns "$NAT" nft 'add counter ip lab seen; add counter inet firewall seen6
	add rule ip lab forward iifname in meta l4proto udp counter name seen'
in_ns "$NAT" nft insert rule inet firewall forward iifname in meta nfproto ipv6 meta l4proto udp \
	counter name seen6
seen()
{
	in_ns "$NAT" nft -j list counter "$1" "$2" "$3" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["nftables"][1]["counter"]["packets"])'
}

configure '[hold]' 'port = 7000-7009' 'interval = 1'
daemon_start
peer_start 7000 --count 10

# without these rules there is no route to the peer
for family in -4 -6; do
	gateway=10.0.0.1
	[ $family = -4 ] || gateway=fd0a:1::1
	in_ns "$INSIDE" ip $family route del default
	in_ns "$INSIDE" ip $family route add default via $gateway dev eth0 table 100
done

# rule WORD…: sets the only rule that routes to the peer
rule()
{
	local family
	for family in -4 -6; do
		in_ns "$INSIDE" ip $family rule del table 100 2>/dev/null || true
		in_ns "$INSIDE" ip $family rule add "$@" table 100
	done
}

# kept_by PEER OPTION…: checks that a program with these options gets keepalives
kept_by()
{
	local failed
	failed=$(hold_counter send_failed)
	plain_start "$INSIDE" "$@"
	wait_until 20 hold_state_is kept || fail "$(sluice hold flows)"
	sleep 2
	want_equal "$(hold_counter send_failed)" "$failed" "keepalives without a route"
	stop "$PLAIN_PID"
	wait_until 20 no_flow
}

no_flow()
{
	[ "$(hold_flow 'len(f)')" = 0 ]
}

say "the mark of the socket"
rule fwmark 7
kept_by "$PEER4" 7000 --mark 7
kept_by "$PEER6" 7001 --mark 7
say "its device"
rule oif eth0
kept_by "$PEER4" 7002 --device eth0
kept_by "$PEER6" 7003 --device eth0
say "a rule for UDP"
rule ipproto 17 # UDP; a minimal system has no protocol names
kept_by "$PEER4" 7004
kept_by "$PEER6" 7005

say "a policy that forbids UDP to leave unencrypted"
plain_start "$INSIDE" "$PEER4" 7006
plain_start "$INSIDE" "$PEER6" 7007
kept_both()
{
	[ "$(hold_flow '[x["state"] for x in f]')" = "['kept', 'kept']" ]
}
wait_until 20 kept_both
for pair in "10.0.0.2 $PEER4" "fd0a:1::2 $PEER6"; do
	# shellcheck disable=SC2086
	set -- $pair
	in_ns "$INSIDE" ip xfrm policy add src "$1" dst "$2" proto 17 dir out action block
done
sleep 1
before=$(seen ip lab seen) before6=$(seen inet firewall seen6)
refused()
{
	[ "$(hold_flow '[x["state"] for x in f]')" = "['failed', 'failed']" ]
}
wait_until 20 refused || fail "$(sluice hold flows)"
want_equal "$(seen ip lab seen)" "$before" "datagrams past the policy"
want_equal "$(seen inet firewall seen6)" "$before6" "datagrams past the policy, IPv6"
say "the policy is gone: the next attempt follows soon"
in_ns "$INSIDE" ip xfrm policy flush
wait_until 20 kept_both
want_at_least $((before + 1)) "$(seen ip lab seen)" "datagrams"
daemon_stop
sluice hold unload
