#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In gateway mode, HOST forwards to a server with two addresses, which replies from the address of
# its route instead of the requested address. The reply is fixed on ingress, before PREROUTING. So
# the client receives it despite masquerading and DNAT on HOST, and conntrack has one entry. The
# server is behind its own interface, or behind a port of a bridge.
#
#   client 172.17.0.3 ── docker0 [HOST: NAT] s0 10.8.0.254 ── 10.8.0.5 [server: *:56789] 10.20.0.5
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

B1=$BEHIND_FAR4 B2=$BEHIND_NEAR4 B1_6=$BEHIND_FAR6 B2_6=$BEHIND_NEAR6

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

# want_one: checks that HOST has one entry for the client
want_one()
{
	local entries
	entries=$(conntrack_list "$HOST" | grep -E "src=(172.17.0.3|fd17::3) ") || true
	want_equal "$(grep -c . <<<"$entries")" 1 "entries: $entries"
	[[ $entries != *UNREPLIED* ]] || fail "conntrack saw no answer: $entries"
}

topology_up
behind_up
forwarding 1
servers_up "$BEHIND"
PROBES=("${GATEWAY_PROBES[@]}")
PAIRS=("$B1=$B2" "$B2=$B2" "$B1_6=$B2_6" "$B2_6=$B2_6")

LOADS=("wire_load --gateway s0 --server $BEHIND_ADDRS")
want_proof "$CONTAINER" "${PAIRS[@]}"
for rules in none masquerade; do
	in_ns "$HOST" nft flush ruleset
	topology_conntrack
	[ "$rules" = none ] || nat masquerade
	for pair in "$B1 $B2" "$B1_6 $B2_6"; do
		read -r asked from <<<"$pair"
		far=$FAR4
		[[ $asked != *:* ]] || far=$FAR6
		say "$asked, $rules: without sluice"
		conntrack_flush "$HOST"
		if [ "$rules" = none ]; then
			want_wrong "$CONTAINER" "$asked" "$PORT" "$from"
		else
			want_nothing "$asked" "$PORT"
			want_nothing "$far" 53
		fi
		say "$asked, $rules: loaded"
		conntrack_flush "$HOST"
		${LOADS[0]}
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

say "only within the named set"
in_ns "$HOST" nft flush ruleset
LOADS=("wire_load --gateway s0 --server 10.8.0.77,$B1")
FIXED=no want_proof "$CONTAINER" "${PAIRS[@]:0:2}"

say "a failed load keeps the earlier addresses"
by_clsact()
{
	sluice -j --netns "$HOST" reply load --mode wire --gateway s0 --attach clsact --server "$@"
}
by_clsact "$BEHIND_ADDRS" >/dev/null
in_ns "$HOST" tc qdisc add dev eth0 clsact
in_ns "$HOST" "$FOREIGN" --dev eth0 --type tc_egress --name other --prog /sys/fs/bpf/other >/dev/null
in_ns "$HOST" tc filter add dev eth0 ingress prio 60427 handle 0x511ce bpf da \
	object-pinned /sys/fs/bpf/other
want_status 5 by_clsact 10.8.0.77,10.8.0.78 --iface eth0
want_right "$CONTAINER" "$B1" "$PORT"
want_equal "$(json "','.join(sorted(d['before']['servers']))" by_clsact "$BEHIND_ADDRS")" \
	"10.20.0.5,10.8.0.5,fd08::5,fd20::5"
wire_unload

say "behind a port of a bridge"
ip -n "$HOST" link add br0 type bridge mcast_snooping 0
link_up "$HOST" br0
ip -n "$HOST" addr flush dev s0
ip -n "$HOST" link set s0 master br0
addrs "$HOST" br0 10.8.0.254/24 fd08::254/64 fe80::1/64
ip -n "$HOST" route replace 10.20.0.0/24 dev br0
ip -n "$HOST" -6 route replace fd20::/64 dev br0
ip -n "$BEHIND" neigh flush dev eth0
wait_link "$HOST" br0
bridge_netfilter 1
LOADS=("wire_load --gateway s0 --server $BEHIND_ADDRS")
want_proof "$CONTAINER" "${PAIRS[@]}"
no_errors "$LOG"
