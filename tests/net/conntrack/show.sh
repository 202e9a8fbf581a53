#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `conntrack show` prints state, NAT, zone, mark and the process at the local end, over IPv4 and
# IPv6. The namespace is given by name, path or process.
#
#   container 172.17.0.3 ── docker0 172.17.0.1 [host: 0.0.0.0:56789, conntrack] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
# long timeouts, so that no entry expires before the check on a slow machine
in_ns "$HOST" sysctl -qw net.netfilter.nf_conntrack_udp_timeout{,_stream}=600
in_ns "$HOST" sysctl -qw net.ipv4.ip_forward=1
in_ns "$HOST" nft -f - <<NFT
table inet forwarded {
	chain zones {
		type filter hook prerouting priority raw
		udp dport 7000 ct zone set 7
	}
	chain prerouting {
		type nat hook prerouting priority dstnat
		ip daddr 10.1.1.1 udp dport 53 dnat ip to $NEAR4:$PORT
	}
	chain marks {
		type filter hook input priority filter
		udp dport $PORT ct mark set 0x2a
	}
	chain postrouting {
		type nat hook postrouting priority srcnat
		oifname "eth0" masquerade
	}
}
NFT
serve "$HOST" dual6 "$PORT"
server=$SPAWNED
serve "$LAN" sendto4 "$PORT"
serve "$HOST" sendto4 7000

shown()
{
	json "$1" sluice --netns "$HOST" -j conntrack show "${@:2}"
}

say "no entries"
conntrack_flush "$HOST"
want_equal "$(sluice --netns "$HOST" conntrack show)" "0 of 0 UDP entries"
want_equal "$(shown "d['schema_version'], d['total'], d['entries']")" "(1, 0, [])"

say "an answered request, and the process that answers"
want_right "$CONTAINER" "$NEAR4" "$PORT" --from 172.17.0.3:4000
want_right "$CONTAINER" "$NEAR6" "$PORT" --from [fd17::3]:4006
want_equal "$(shown "d['total']")" 2
one="[e for e in d['entries'] if e['original']['source_port'] == 4000][0]"
want_equal "$(shown "$one['state'] in ('SEEN_REPLY', 'ASSURED'), $one['mark'], $one['dnat'], $one['snat']")" \
	"(True, 42, False, False)"
want_equal "$(shown "list($one['original'].values()) + list($one['reply'].values())")" \
	"['172.17.0.3', 4000, '$NEAR4', $PORT, '$NEAR4', $PORT, '172.17.0.3', 4000]"
want_equal "$(shown "[(l['end'], l['address'], l['port'], l['socket'], (l['process']['pid'], l['process']['name'])) for l in $one['local']]")" \
	"[('responder', '$NEAR4', $PORT, True, ($server, 'udp-server'))]"
want_equal "$(shown "[e['local'][0]['process']['pid'] for e in d['entries']]")" "[$server, $server]"
want_status 0 sluice --netns "$HOST" conntrack show
want_text "[fd17::3]:4006"
want_text "udp-server $server"
want_text "0x2a"

say "filters"
want_equal "$(shown "len(d['entries']), d['total']" --port 4006)" "(1, 2)"
want_equal "$(shown "len(d['entries'])" --port "1-99,$PORT")" 2
want_equal "$(shown "len(d['entries'])" --addr fd17::3)" 1
want_equal "$(shown "len(d['entries'])" --addr 172.17.0.3 --port 4006)" 0

say "NAT: DNAT to the server, and masquerading"
conntrack_flush "$HOST"
want_right "$CONTAINER" 10.1.1.1 53 --from 172.17.0.3:4001
want_right "$CONTAINER" 172.16.13.1 "$PORT" --from 172.17.0.3:4002
nat="[(e['dnat'], e['snat'], e['reply']['source'], e['reply']['destination'], len(e['local']))
	for p in (4001, 4002) for e in d['entries'] if e['original']['source_port'] == p]"
want_equal "$(shown "${nat//$'\n'/ }")" \
	"[(True, False, '$NEAR4', '172.17.0.3', 1), (False, True, '172.16.13.1', '$FAR4', 0)]"
want_status 0 sluice --netns "$HOST" conntrack show
want_text "to $NEAR4:$PORT"
want_text "from $FAR4:4002"

say "a zone"
conntrack_flush "$HOST"
ask "$CONTAINER" --to "$NEAR4:7000" --count 1 >/dev/null
want_equal "$(shown "[e['zone'] for e in d['entries'] if e['original']['destination_port'] == 7000]")" \
	"[{'original': 7, 'reply': 7}]"

say "the namespace by path and by process, and a namespace without a name"
for netns in "$HOST" "/run/netns/$HOST" "$server"; do
	want_equal "$(json "d['total'] > 0" sluice --netns "$netns" -j conntrack show)" True
done
want_equal "$(json "d['total']" sluice --netns "$CONTAINER" -j conntrack show)" 0

say "a client's process"
conntrack_flush "$HOST"
spawn_in "$HOST" "$TEST_TMP/client.log" "$CLIENT" --to "172.16.13.1:$PORT" --until-signal
client=$SPAWNED
wait_until 10 sh -c "'$SLUICE' --netns '$HOST' conntrack show | grep -q 'udp-client $client'"
stop "$client"

json "d['entries']" sluice --netns "$HOST" -p conntrack show >/dev/null
