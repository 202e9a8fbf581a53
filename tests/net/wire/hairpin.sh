#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Hairpin NAT: a DNAT rule redirects requests to one address of this host back out of the bridge on
# which they arrived, to another container, like Docker's published ports. Servers of this host use
# the same ports, and the client also sends requests to them, from the same source port. Right
# replies stay right.
#
#   container ═ docker0 172.17.0.1 [host: dnat A → container2, servers] eth0 A 172.16.13.13, B .14
#   container2: servers ═
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

B4=172.16.13.14 B6=fd16::14
# a TFTP transfer through DNAT would need a conntrack helper
SERVERS=("wrong=echo:$PORT" "pktinfo=echo:$RIGHT_PORT" "dnsmasq=dns:$DNS_PORT")

rules()
{
	local ports="$PORT, $RIGHT_PORT, $DNS_PORT"
	in_ns "$HOST" nft flush ruleset
	in_ns "$HOST" nft -f - <<-NFT
		table inet hairpin {
			chain prerouting {
				type nat hook prerouting priority dstnat
				ip daddr $FAR4 udp dport { $ports } dnat ip to 172.17.0.4
				ip6 daddr $FAR6 udp dport { $ports } dnat ip6 to fd17::4
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				iifname docker0 oifname docker0 $1
			}
		}
	NFT
}

# outcomes FROM: prints the outcomes; the first request of each family goes to the address with
# DNAT, and from the second port, to the other address
outcomes()
{
	conntrack_flush "$HOST"
	probe "$CONTAINER" --one-port --from "$1" "${SERVERS[@]}" -- \
		"$FAR4" "$B4" "$FAR4" "$NEAR4" "$FAR6" "$B6" "$FAR6" "$NEAR6"
	probe "$CONTAINER" --one-port --from "$(($1 + 1))" "${SERVERS[@]}" -- "$B4" "$FAR4" "$B6" "$FAR6"
}

# want_no_worse OUTCOMES: checks that each line with `right` in ALONE is also `right` in OUTCOMES
want_no_worse()
{
	local worse
	worse=$(diff <(echo "$ALONE") <(echo "$1") | grep '^< .* right$' || true)
	[ -z "$worse" ] || fail "no longer right:" "$worse" "but:" "$1"
}

topology_up second
forwarding 1
addrs "$HOST" eth0 "$B4/24" "$B6/64"
in_ns "$HOST" ip link set veth3 type bridge_slave hairpin on
servers_up "$HOST"
servers_up "$CONTAINER2"
FROM=21000
for netfilter in 0 1; do
	bridge_netfilter "$netfilter"
	for nat in masquerade accept; do
		# without masquerading, container2 answers the container directly through the bridge
		[ "$netfilter $nat" != "0 accept" ] || continue
		rules "$nat"
		say "bridge netfilter $netfilter, $nat: without sluice"
		ALONE=$(outcomes "$FROM")
		want_equal "$(grep -c ' wrong right$' <<<"$ALONE")" 8 "servers behind DNAT, or asked at S"
		want_equal "$(grep -c ' pktinfo right$' <<<"$ALONE")" 12 "right servers"
		want_equal "$(grep -c ' dnsmasq right$' <<<"$ALONE")" 12 "right servers"
		say "loaded"
		wire_load --follow docker0
		loaded=$(outcomes $((FROM + 2)))
		want_no_worse "$loaded"
		# this address gets the first request from its port
		for addr in "$B4" "$B6"; do
			contains "$addr wrong right" <<<"$loaded" || fail "$addr is not fixed:" "$loaded"
		done
		wire_unload
		say "unloaded"
		want_equal "$(outcomes $((FROM + 4)))" "$ALONE"
		FROM=$((FROM + 6))
	done
done
