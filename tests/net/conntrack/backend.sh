#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# DNAT binds a client to a backend for the lifetime of the entry, even if the backend is gone. Tests
# three kinds: a local backend that no longer listens, a backend without a route, and a backend that
# no longer answers neighbour solicitations.
#
#   lan 172.16.13.1 asks 10.1.1.1:PORT ── eth0 [host: dnat] docker0 ── container 172.17.0.3
. "$(dirname "$0")/../lib/lib.sh"

topology_up
# long timeouts, so that no entry expires before the check on a slow machine
in_ns "$HOST" sysctl -qw net.netfilter.nf_conntrack_udp_timeout{,_stream}=600
in_ns "$HOST" sysctl -qw net.ipv4.ip_forward=1
in_ns "$HOST" nft -f - <<NFT
table ip forwarded {
	chain prerouting {
		type nat hook prerouting priority dstnat
		ip daddr 10.1.1.1 udp dport 53 dnat to 172.17.0.3:9000
		ip daddr 10.1.1.1 udp dport 54 dnat to $FAR4:7000
	}
}
NFT

found()
{
	json "[(f['reason'], f['why']) for f in d['findings']]" \
		sluice --netns "$HOST" -j conntrack "$@"
}

neighbour_is()
{
	[[ $(ip -n "$HOST" neigh show 172.17.0.3 dev docker0) == *$1* ]]
}

serve "$CONTAINER" sendto4 9000
far=$SPAWNED
serve "$HOST" pktinfo4 7000
near=$SPAWNED
conntrack_flush "$HOST"

say "both backends answer"
want_right "$LAN" 10.1.1.1 53 --from 172.16.13.1:4000
want_right "$LAN" 10.1.1.1 54 --from 172.16.13.1:4001
want_equal "$(conntrack_count "$HOST" 9000)" 1
want_equal "$(found audit --watch 0)" "[]"

say "the local backend exits"
stop "$near"
near_gone="('backend-gone', 'no socket of this host receives on $FAR4:7000')"
want_equal "$(found audit --watch 0)" "[$near_gone]"

say "the remote backend exits: its host still answers, and only this host knows its sockets"
stop "$far"
want_equal "$(found audit --watch 0)" "[$near_gone]"
want_status 0 sluice --netns "$HOST" conntrack repair --watch 0
want_text "deleted 1 of 2 UDP entries"
want_equal "$(conntrack_count "$HOST" 7000)" 0

say "no route to it"
ip -n "$HOST" route del 172.17.0.0/16 dev docker0
want_equal "$(found audit --watch 0)" \
	"[('backend-gone', 'forwarded to 172.17.0.3, but there is no route to it')]"

say "an unreachable route"
ip -n "$HOST" route add unreachable 172.17.0.0/16
want_equal "$(found audit --watch 0)" \
	"[('backend-gone', 'forwarded to 172.17.0.3, but there is no route to it')]"

say "with policy routing, another table may have a route"
ip -n "$HOST" rule add fwmark 1 table 100
want_equal "$(found audit --watch 0)" "[]"
ip -n "$HOST" rule del fwmark 1 table 100
ip -n "$HOST" route del unreachable 172.17.0.0/16
ip -n "$HOST" route add 172.17.0.0/16 dev docker0 src 172.17.0.1
want_equal "$(found audit --watch 0)" "[]"

say "the backend's host disappears, and the client keeps sending"
ip -n "$CONTAINER" link set eth0 down
ip -n "$HOST" neigh flush dev docker0
spawn_in "$LAN" "$TEST_TMP/client.log" "$CLIENT" --to 10.1.1.1:53 --from 172.16.13.1:4000 \
	--timeout-ms 50 --until-signal
client=$SPAWNED
wait_until 10 neighbour_is INCOMPLETE
want_equal "$(found audit --watch 2)" \
	"[('backend-gone', 'forwarded to 172.17.0.3, which does not answer ARP or NDP')]"
stop "$client"
wait_until 20 neighbour_is FAILED
want_equal "$(found audit --watch 0)" \
	"[('backend-gone', 'forwarded to 172.17.0.3, which does not answer ARP or NDP')]"

say "repair"
want_status 0 sluice --netns "$HOST" conntrack repair --watch 0
want_text "deleted 1 of 1 UDP entries"
want_equal "$(conntrack_count "$HOST" 9000)" 0
