#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A client keeps sending although no reply arrives. Its datagrams keep the entry alive, with the NAT
# decision of the first packet. The audit finds the entry by its counters or, without counters, by
# its timeouts.
#
#   container 172.17.0.3 ── docker0 [host: forwards] eth0 ── lan 172.16.13.1, which drops
. "$(dirname "$0")/../lib/lib.sh"

found()
{
	json "[(f['reason'], f['entry']['original']['source_port']) for f in d['findings']]" \
		sluice --netns "$HOST" -j conntrack "$@"
}

keep_sending()
{
	spawn_in "$CONTAINER" "$TEST_TMP/client.log" "$CLIENT" "$@" --timeout-ms 50 --until-signal
}

entry_of()
{
	conntrack_list "$HOST" | contains "sport=$1 "
}

topology_up
# long timeouts, so that no entry expires before the check on a slow machine
in_ns "$HOST" sysctl -qw net.netfilter.nf_conntrack_udp_timeout{,_stream}=600
in_ns "$HOST" sysctl -qw net.ipv4.ip_forward=1
in_ns "$LAN" nft 'add table ip t; add chain ip t in { type filter hook input priority 0; };
	add rule ip t in udp dport 9000 drop'
serve "$HOST" sendto4 "$PORT"

for acct in 1 0; do
	say "net.netfilter.nf_conntrack_acct=$acct"
	in_ns "$HOST" sysctl -qw net.netfilter.nf_conntrack_acct="$acct"
	conntrack_flush "$HOST"
	keep_sending --to 172.16.13.1:9000 --from 172.17.0.3:4000
	unanswered=$SPAWNED
	keep_sending --to "$NEAR4:$PORT" --from 172.17.0.3:4001
	answered=$SPAWNED
	keep_sending --to 224.0.0.99:9000 --from 172.17.0.3:4002
	group=$SPAWNED
	ask "$CONTAINER" --to 172.16.13.1:9000 --from 172.17.0.3:4003 --count 1 --timeout-ms 1 >/dev/null
	for port in 4000 4001 4003; do
		wait_until 10 entry_of "$port"
	done

	want_equal "$(found audit --watch 0)" "[]" "it takes two readings"
	want_equal "$(found audit --watch 3)" "[('unanswered', 4000)]"
	stop "$unanswered"
	stop "$answered"
	stop "$group"
done

say "no finding after the client stops: the entry will expire"
want_equal "$(found audit --watch 2)" "[]"

say "repair keeps a live one-way flow, unless --reason selects it"
keep_sending --to 172.16.13.1:9000 --from 172.17.0.3:4000
wait_until 10 entry_of 4000
want_status 0 sluice --netns "$HOST" conntrack repair --watch 3
want_text "deleted 0 of"
want_text "kept 1 that may be live flows"
want_equal "$(json "(d['deleted'], d['kept'])" sluice --netns "$HOST" -j conntrack repair --watch 3)" "(0, 1)"
stop "$SPAWNED"

say "repair while the client sends: a new entry replaces the old one and its NAT decision"
keep_sending --to 172.16.13.1:9000 --from 172.17.0.3:4000
wait_until 10 entry_of 4000
want_status 0 sluice --netns "$HOST" conntrack repair --watch 3 --reason unanswered
want_text "deleted 1 of"
stop "$SPAWNED"
