#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A backend behind a router has replied and then dies, while the router stays up. The client's
# datagrams keep the entry and its binding to the dead backend alive. Packet counters show that the
# backend no longer replies.
#
#   container ── docker0 [host: dnat 10.1.1.1:53 to 172.31.0.5:9000] eth0 ── lan: router, 172.31.0.5
. "$(dirname "$0")/../lib/lib.sh"

topology_up
# long timeouts, so that no entry expires before the check on a slow machine
in_ns "$HOST" sysctl -qw net.netfilter.nf_conntrack_udp_timeout{,_stream}=600
in_ns "$HOST" sysctl -qw net.ipv4.ip_forward=1
ip -n "$LAN" addr add 172.31.0.5/32 dev lo
ip -n "$HOST" route add 172.31.0.0/24 via 172.16.13.1
in_ns "$HOST" nft -f - <<NFT
table ip forwarded {
	chain prerouting {
		type nat hook prerouting priority dstnat
		ip daddr 10.1.1.1 udp dport 53 dnat to 172.31.0.5:9000
	}
}
NFT

# audit OPTION…: prints the findings, and the number of entries without counters
audit()
{
	json "([(f['reason'], f['entry']['original']['source_port']) for f in d['findings']],
		d['uncounted'])" sluice --netns "$HOST" -j conntrack audit "$@"
}

counted()
{
	conntrack_list "$HOST" | contains -E 'packets=.*packets='
}

keep_sending()
{
	spawn_in "$CONTAINER" "$TEST_TMP/client.log" "$CLIENT" --to 10.1.1.1:53 \
		--from 172.17.0.3:4000 --timeout-ms 50 --until-signal
}

# begin ACCT: the backend replies to a client that keeps sending, and then exits; the router drops
# datagrams without a socket, and sends no errors
begin()
{
	say "net.netfilter.nf_conntrack_acct=$1"
	in_ns "$HOST" sysctl -qw net.netfilter.nf_conntrack_acct="$1"
	conntrack_flush "$HOST"
	serve "$LAN" sendto4 9000 --bind 172.31.0.5
	server=$SPAWNED
	want_right "$CONTAINER" 10.1.1.1 53 --from 172.17.0.3:4000
	keep_sending
	client=$SPAWNED
	want_equal "$(audit --watch 2)" "([], $((1 - $1)))" "the backend replies"
	stop "$server"
	in_ns "$LAN" nft 'add table inet t; add chain inet t in { type filter hook input priority 0; };
		add rule inet t in udp dport 9000 drop'
}

begin 0
want_equal "$(audit --watch 2)" "([], 1)" "without counters"
want_status 0 sluice --netns "$HOST" conntrack audit
want_text "nf_conntrack_acct=1"
stop "$client"
in_ns "$LAN" nft delete table inet t

begin 1
wait_until 10 counted
want_equal "$(audit --watch 3)" "([('backend-silent', 4000)], 0)"
want_equal "$(audit --watch 0)" "([], 0)" "it takes two readings"

say "repair keeps the entry, unless --reason selects it"
want_status 0 sluice --netns "$HOST" conntrack repair --watch 3
want_text "deleted 0 of 1"
want_text "kept 1 that may be live flows"
want_status 0 sluice --netns "$HOST" conntrack repair --watch 3 --reason backend-silent
want_text "deleted 1 of 1"
stop "$client"

say "a client that has stopped is not a finding"
want_equal "$(audit --watch 2)" "([], 0)"
