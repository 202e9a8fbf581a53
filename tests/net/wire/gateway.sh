#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Gateway mode: HOST forwards to a server with two addresses, which answers from the address of its
# route, not from the requested one. The answer is rewritten on ingress, before PREROUTING. So the
# client gets it with masquerading and DNAT on HOST, and conntrack has one entry.
#
#   client 172.17.0.3 ── docker0 [HOST: NAT] s0 10.8.0.254 ── 10.8.0.5 [server: *:56789] 10.20.0.5
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

BEHIND=${TOPOLOGY_PREFIX:-}behind
B1=10.20.0.5 B2=10.8.0.5 B1_6=fd20::5 B2_6=fd08::5

nat()
{
	in_ns "$HOST" nft -f - <<-NFT
		table inet nat {
			chain prerouting {
				type nat hook prerouting priority dstnat
				ip daddr $FAR4 udp dport 53 dnat ip to $B1:$PORT
				ip6 daddr $FAR6 udp dport 53 dnat ip6 to [$B1_6]:$PORT
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname s0 $1
			}
		}
	NFT
}

want_nothing()
{
	want_line "sent 3 right 0 wrong 0 refused 0 lost 3 corrupt 0" \
		"$(ask "$CONTAINER" --to "$(target "$1" "$2")" --count 3 --timeout-ms 300)"
}

# want_one: HOST has one entry for the client
want_one()
{
	local entries
	entries=$(conntrack_list "$HOST" | grep -E "src=(172.17.0.3|fd17::3) ") || true
	want_equal "$(grep -c . <<<"$entries")" 1 "entries: $entries"
	[[ $entries != *UNREPLIED* ]] || fail "conntrack saw no answer: $entries"
}

topology_up
netns_add "$BEHIND"
ip -n "$HOST" link add s0 type veth peer name eth0 netns "$BEHIND"
link_up "$HOST" s0
link_up "$BEHIND" eth0
for addr in 10.8.0.254/24 fd08::254/64 fe80::1/64; do
	addr_add "$HOST" s0 "$addr"
done
for addr in $B2/24 $B1/32 $B2_6/64 $B1_6/128 fe80::5/64; do
	addr_add "$BEHIND" eth0 "$addr"
done
ip -n "$BEHIND" route add default via 10.8.0.254 src "$B2"
ip -n "$BEHIND" route add default via fd08::254 src "$B2_6"
ip -n "$HOST" route add "$B1" dev s0
ip -n "$HOST" route add "$B1_6" dev s0
forwarding 1
wait_link "$HOST" s0
serve "$BEHIND" dual6 "$PORT"

LOAD=(wire_load --gateway s0 --server "$B1,$B2,$B1_6,$B2_6")
for rules in none masquerade; do
	in_ns "$HOST" nft flush ruleset
	topology_conntrack
	[ "$rules" = none ] || nat masquerade
	for pair in "$B1 $B2" "$B1_6 $B2_6"; do
		read -r asked from <<<"$pair"
		far=$FAR4
		[[ $asked != *:* ]] || far=$FAR6
		say "$asked, $rules: the kernel alone"
		conntrack_flush "$HOST"
		if [ "$rules" = none ]; then
			want_wrong "$CONTAINER" "$asked" "$PORT" "$from"
		else
			want_nothing "$asked" "$PORT"
			want_nothing "$far" 53
		fi
		say "$asked, $rules: loaded"
		conntrack_flush "$HOST"
		"${LOAD[@]}"
		want_right "$CONTAINER" "$asked" "$PORT"
		want_one
		want_right "$CONTAINER" "$asked" "$PORT" --size 8192
		if [ "$rules" = masquerade ]; then
			conntrack_flush "$HOST"
			want_right "$CONTAINER" "$far" 53
			want_one
		fi
		wire_unload
	done
done

say "only within the named set, and only for requested addresses"
in_ns "$HOST" nft flush ruleset
topology_conntrack
wire_load --gateway s0 --server "10.8.0.77,$B1" >/dev/null
want_wrong "$CONTAINER" "$B1" "$PORT" "$B2"
want_equal "$(wire_counter reply_rewritten)" 0 "replies rewritten"
wire_unload

say "a server that connects back"
stop "$SPAWNED"
cat >"$TEST_TMP/back.py" <<-PYTHON
	import socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind(("0.0.0.0", $PORT))
	data, peer = s.recvfrom(2048)
	s.connect(peer)
	while True:
	    s.send(data)
	    data = s.recv(2048)
PYTHON
"${LOAD[@]}"
spawn_in "$BEHIND" "$TEST_TMP/back.log" python3 "$TEST_TMP/back.py"
wait_udp "$BEHIND" "$PORT"
want_right "$CONTAINER" "$B1" "$PORT" --from 172.17.0.3:4000
[ "$(wire_counter request_rewritten)" -ge 1 ] || fail "no request was rewritten"
