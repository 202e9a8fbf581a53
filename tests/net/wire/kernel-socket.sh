#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A tunnel has a UDP socket of the kernel on the wildcard address: VXLAN here, as with ESP in UDP
# and WireGuard. The outer addresses of received packets are not changed, since tunnels and firewall
# rules match on them. Servers at the tunnel's inner address work as before.
#
#   container 172.17.0.3 ── docker0 172.17.0.1 [host] eth0 172.16.13.13
#     vx 10.99.0.3   ══ VXLAN to 172.16.13.13 ══   vx 10.99.0.1 [host: servers]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

VXLAN=4789

# vxlan NAME REMOTE NUMBER [OPTION…]
vxlan()
{
	ip -n "$1" link add vx type vxlan id 7 remote "$2" dstport "$VXLAN" nolearning \
		"${@:4}"
	in_ns "$1" ip link set dev vx address "02:00:00:00:99:0$3"
	link_up "$1" vx
	addrs "$1" vx "10.99.0.$3/24" "fd99::$3/64"
}

# received ADDR: prints the number of tunnel packets that HOST has received at ADDR
received()
{
	in_ns "$HOST" nft list counter inet outer "$1" | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

# want_tunnel kernel|fixed: checks that the tunnel works, and that HOST receives tunnel packets only
# at the tunnel's address. There, the other servers are as the argument says.
want_tunnel()
{
	want_servers "$1" "$CONTAINER" "$FAR=$NEAR"
	in_ns "$HOST" nft reset counters >/dev/null
	want_servers kernel "$CONTAINER" 10.99.0.1=10.99.0.1 fd99::1=fd99::1
	[ "$(received far)" -gt 10 ] || fail "hardly any packet at $FAR"
	want_equal "$(received near)" 0 "packets at another address"
}

topology_up
in_ns "$HOST" nft -f - <<-NFT
	table inet outer {
		counter far { }
		counter near { }
		chain input {
			type filter hook input priority filter
			ip daddr $FAR4 udp dport $VXLAN counter name far
			ip daddr $NEAR4 udp dport $VXLAN counter name near
			ip6 daddr $FAR6 udp dport $VXLAN counter name far
			ip6 daddr $NEAR6 udp dport $VXLAN counter name near
		}
	}
NFT
servers_up "$HOST"
for ends in "$FAR4 $NEAR4 172.17.0.3" "$FAR6 $NEAR6 fd17::3"; do
	read -r FAR NEAR client <<<"$ends"
	# without a configured source, the kernel sends from docker0's address, which the far end
	# accepts too
	for local in "" "$FAR"; do
		vxlan "$CONTAINER" "$FAR" 3
		vxlan "$HOST" "$client" 1 ${local:+local "$local"}
		say "to $FAR${local:+, which is the source too}: without sluice"
		want_tunnel kernel
		say "loaded"
		# both ends send to this port, so the programs treat it as a server's port
		wire_load --follow docker0
		want_tunnel fixed
		wire_unload
		say "unloaded"
		want_tunnel kernel
		ip -n "$CONTAINER" link del vx
		ip -n "$HOST" link del vx
	done
done
no_errors "$LOG"
