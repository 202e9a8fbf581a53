#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The audit finds entries whose local socket, of a server or a client, has been closed. Entries of
# live senders stay, including those of kernel tunnels, which never had a socket.
#
#   container 172.17.0.3 ── docker0 172.17.0.1 [host: conntrack] eth0 172.16.13.13 ── lan 172.16.13.1
. "$(dirname "$0")/../lib/lib.sh"

reasons()
{
	json "[(f['reason'], f['entry']['original']['destination_port']) for f in d['findings']]" \
		sluice --netns "$HOST" -j conntrack audit "$@"
}

topology_up
# long timeouts, so that no entry expires before the check on a slow machine
in_ns "$HOST" sysctl -qw net.netfilter.nf_conntrack_udp_timeout{,_stream}=600
serve "$HOST" dual6 "$PORT"
server=$SPAWNED
serve "$HOST" sendto4 7000
serve "$LAN" sendto4 9000

say "while the servers live"
conntrack_flush "$HOST"
want_right "$CONTAINER" "$NEAR4" "$PORT"
want_right "$CONTAINER" "$NEAR6" "$PORT"
want_right "$CONTAINER" "$NEAR4" 7000
want_equal "$(reasons --watch 0)" "[]"

say "one of the servers exits"
stop "$server"
want_equal "$(reasons --watch 0)" "[('socket-gone', $PORT), ('socket-gone', $PORT)]"
want_status 0 sluice --netns "$HOST" conntrack audit --watch 0
want_text "no socket of this host receives on $NEAR4:$PORT"
want_text "no socket of this host receives on [$NEAR6]:$PORT"

say "the server returns: the same entries are healthy again"
serve "$HOST" dual6 "$PORT"
want_equal "$(reasons --watch 0)" "[]"
stop "$SPAWNED"

say "repair"
want_status 0 sluice --netns "$HOST" conntrack repair --watch 0
want_text "deleted 2 of 3 UDP entries"
want_equal "$(conntrack_count "$HOST" 7000)" 1

say "one of two local clients has closed its socket"
conntrack_flush "$HOST"
want_right "$HOST" 172.16.13.1 9000 --from "$FAR4:4000"
spawn_in "$HOST" "$TEST_TMP/client.log" "$CLIENT" --to 172.16.13.1:9000 --from "$FAR4:4001" \
	--until-signal
client=$SPAWNED
wait_until 10 sh -c "'$SLUICE' --netns '$HOST' conntrack show | grep -q 'udp-client $client'"
want_equal "$(reasons --watch 0)" "[]" "it takes two readings"
want_equal "$(json "[(f['why'], f['entry']['original']['source_port']) for f in d['findings']]" \
	sluice --netns "$HOST" -j conntrack audit --watch 1)" \
	"[('no socket of this host sends from $FAR4:4000 any more', 4000)]"
stop "$client"

say "a VXLAN tunnel sends from ports without a socket"
conntrack_flush "$HOST"
in_ns "$HOST" ip link add vx0 type vxlan id 5 dstport 4789 local "$FAR4" remote 172.16.13.1
in_ns "$HOST" ip link set vx0 up
addr_add "$HOST" vx0 10.55.0.1/24
in_ns "$HOST" ip neigh add 10.55.0.2 lladdr 02:00:00:00:00:02 dev vx0
ask "$HOST" --to 10.55.0.2:9 --count 1 --timeout-ms 1 >/dev/null
tunnel=$(conntrack_list "$HOST" | grep -c 'dport=4789 ')
[ "$tunnel" -ge 1 ] || fail "the tunnel left no entry"
want_equal "$(json "[f for f in d['findings'] if f['entry']['original']['destination_port'] == 4789]" \
	sluice --netns "$HOST" -j conntrack audit --watch 1)" "[]"
