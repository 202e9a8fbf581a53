#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'reply flows' lists the flows of mode wire beside those of mode socket, for a server on HOST and a
# server behind it, over IPv4 and IPv6. A flow has the requested address, the reply source, and
# whether replies are rewritten. The command also lists fifty thousand flows while others are added.
#
#   container 172.17.0.3 ── veth3 ═ docker0 172.17.0.1 [HOST: *:56789] eth0 172.16.13.13
#                                                      s0 10.8.0.254 ── 10.8.0.5 [server: *:56790] 10.20.0.5
#
# takes long: fifty thousand flows
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

B1=$BEHIND_FAR4 B2=$BEHIND_NEAR4
FAR_PORT=$((PORT + 1))

# listed EXPRESSION [OPTION…]: evaluates EXPRESSION with `d` = the listing
listed()
{
	local expression=$1
	shift
	json "$expression" sluice -j reply flows "$@"
}

# row ROLE CLIENT_PORT KEY…: prints KEY of the only flow of mode wire
row()
{
	listed "[[f[k] for k in '${*:3}'.split()] for f in d['wire_flows']
		if (f['role'], f['client_port']) == ('$1', $2)]"
}

inode()
{
	stat -Lc %i "/run/netns/$1"
}

topology_up
behind_up
forwarding 1
serve "$HOST" dual6 "$PORT"
serve "$BEHIND" sendto4 "$FAR_PORT"

say "not loaded"
want_status 1 sluice reply flows
want_text "$NOT_LOADED"

say "no flows"
wire_load --follow docker0 --gateway s0 --server "$B1,$B2" --port "$PORT,$FAR_PORT,$BACK_PORT"
want_equal "$(listed "(d['size'], d['flows'], d['wire_flows'], d['wire_size'] > 0)")" \
	"(None, [], [], True)"
want_status 0 sluice reply flows
want_text "reply: mode wire: 0 flows"
want_text "no requests yet"

say "a server on this host: rewritten answers, and answers that are right"
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4001
want_right "$CONTAINER" "$NEAR4" "$PORT" --from 172.17.0.3:4002
want_right "$CONTAINER" "$FAR6" "$PORT" --from '[fd17::3]:4003'
want_equal "$(row host 4001 mode client requested server server_port state interface)" \
	"[['wire', '172.17.0.3', '$FAR4', '$NEAR4', $PORT, 'rewritten', 'veth3']]"
want_equal "$(row host 4002 client requested server server_port state interface)" \
	"[['172.17.0.3', '$NEAR4', '$NEAR4', $PORT, 'right', 'veth3']]"
want_equal "$(row host 4003 client requested server server_port state interface)" \
	"[['fd17::3', '$FAR6', '$NEAR6', $PORT, 'rewritten', 'veth3']]"
want_equal "$(row host 4001 ifindex netns netns_name)" \
	"[[$(ip -n "$HOST" -j link show dev veth3 |
		python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["ifindex"])'), $(inode "$HOST"), '$HOST']]"
want_equal "$(listed "all(0 <= f['age_s'] < 120 for f in d['wire_flows'])")" True

say "a server behind this host"
want_right "$CONTAINER" "$B1" "$FAR_PORT" --from 172.17.0.3:4004
want_equal "$(row gateway 4004 client requested server server_port state interface netns_name)" \
	"[['172.17.0.3', '$B1', '$B2', $FAR_PORT, 'rewritten', 's0', '$HOST']]"

want_right "$CONTAINER" "$B1" "$FAR_PORT" --from 172.17.0.3:4004
want_equal "$(row gateway 4004 requested state)" "[['$B1', 'rewritten']]"

say "a server that has connected back, and a client without an answer"
serve "$HOST" connect6 "$BACK_PORT"
want_right "$CONTAINER" "$FAR4" "$BACK_PORT" --from 172.17.0.3:4008
want_equal "$(row host 4008 requested server state)" "[['$FAR4', '$NEAR4', 'redirected']]"
stop "$SPAWNED"
ask "$CONTAINER" --to "$FAR4:$BACK_PORT" --from 172.17.0.3:4009 --timeout-ms 300 >/dev/null
want_equal "$(row host 4009 requested server state)" "[['$FAR4', None, 'half_open']]"

say "the same as text"
want_status 0 sluice reply flows
grep -qE "^ +host +172.17.0.3:4001 +$FAR4:$PORT +$NEAR4 +rewritten +veth3 +[0-9]+ \($HOST\) +[0-9.]+s$" \
	<<<"$OUTPUT" || fail "no line of the flow:" "$OUTPUT"
grep -qE "^ +gateway +172.17.0.3:4004 +$B1:$FAR_PORT +$B2 +rewritten +s0 +[0-9]+ \($HOST\) +[0-9.]+s$" \
	<<<"$OUTPUT" || fail "no line of the flow behind:" "$OUTPUT"

say "the same from another namespace"
# the request to the server behind HOST has passed both interfaces
want_equal "$(json "sorted((f['interface'], f['client_port']) for f in d['wire_flows'])" \
	sluice -j --netns "$CONTAINER" reply flows | tr -d "()' ")" \
	"[s0,4004,veth3,4001,veth3,4002,veth3,4003,veth3,4004,veth3,4008,veth3,4009]"

say "both modes: each lists its own flows"
reply_load --port "$PORT"
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4005
want_equal "$(listed "[(f['mode'], f['peer_port'], f['netns'], f['netns_name']) for f in d['flows']]")" \
	"[('socket', 4005, $(inode "$HOST"), '$HOST')]"
want_equal "$(listed "[f['client_port'] for f in d['wire_flows']][0]")" 4005 "the latest first"
want_status 0 sluice reply flows
want_text "reply: mode socket: 1 flow,"
want_text "reply: mode wire: 8 flows,"
wire_unload
want_equal "$(listed "(d['wire_size'], d['wire_flows'], len(d['flows']))")" "(None, [], 1)"
sluice reply unload

say "a deleted interface is shown by its index"
wire_load --iface veth3 --port "$PORT"
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4006
wire_load --iface s0 --port "$PORT"
want_equal "$(row host 4006 interface)" "[[None]]"
want_status 0 sluice reply flows
grep -qE "172.17.0.3:4006 .* #[0-9]+ \(gone\) " <<<"$OUTPUT" || fail "no number:" "$OUTPUT"
wire_unload

say "expired flows: listed with --all, counted without it"
wire_load --follow docker0 --port "$PORT" --age 1
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4007
none_live()
{
	[ "$(listed "len(d['wire_flows'])")" = 0 ]
}
wait_until 20 none_live
want_equal "$(listed "[f['client_port'] for f in d['wire_flows']]" --all)" "[4007]"
want_status 0 sluice reply flows
want_text "1 older than 1s (see them with --all)"
wire_unload

say "fifty thousand flows, while others are added"
in_ns "$CONTAINER" ip route add local 10.77.0.0/16 dev lo
ip -n "$HOST" route add 10.77.0.0/16 via 172.17.0.3
wire_load --follow docker0 --port "$PORT" --table 262144 --age 3600
spawn_in "$CONTAINER" "$TEST_TMP/flood" "$BUILD/tests/udp-flows" --to "$FAR4:$PORT" --flood 50000 \
	--from 10.77.0.1 --sources 50000
flood=$SPAWNED
while
	listed "len({(f['client'], f['client_port']) for f in d['wire_flows']}) == len(d['wire_flows'])"
	kill -0 "$flood" 2>/dev/null
do :; done >"$TEST_TMP/each-once"
wait "$flood" || true
want_equal "$(sort -u "$TEST_TMP/each-once")" True "no flow is listed twice"
live=$(json "d['wire']['flows']['live']" sluice -j --netns "$HOST" reply show)
[ "$live" -ge 25000 ] || fail "only $live flows"
want_equal "$(listed "len(d['wire_flows'])")" "$live" "flows listed"
want_equal "$(sluice reply flows | grep -c '^ *host ')" "$live" "lines"
want_equal "$(wire_counter half_open)" "$live" "new flows"

sluice --netns "$HOST" reply unload
want_clean
