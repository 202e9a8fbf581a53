# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A host behind a NAT, for the tests, the demo and tools/lab/run. Source it after tools/topology.sh.
#
#   ┌────────┐         ┌──────────── NAT ────────────┐   ┌── ROUTER ──┐       ┌──────┐
#   │ INSIDE ├─────────┤ in                      out ├───┤            ├───────┤ PEER │
#   └────────┘         └─────────────────────────────┘   └────────────┘       └──────┘
#   10.0.0.2/24         10.0.0.1        198.51.100.1/24  .254      .254   203.0.113.2/24
#   fd0a:1::2/64        fd0a:1::1            fd64::1/64  ::fe      ::fe       fd71::2/64
#
# NAT translates IPv4. It does not translate IPv6, but its stateful firewall admits only answers.

INSIDE="${TOPOLOGY_PREFIX:-}inside"
NAT="${TOPOLOGY_PREFIX:-}nat"
ROUTER="${TOPOLOGY_PREFIX:-}router"
PEER="${TOPOLOGY_PREFIX:-}peer"
# shellcheck disable=SC2034
INSIDE4=10.0.0.2 INSIDE6=fd0a:1::2 NAT4=198.51.100.1 PEER4=203.0.113.2 PEER6=fd71::2

# lab_link NAME DEV NAME DEV: connects two namespaces
lab_link()
{
	ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
	link_up "$1" "$2"
	link_up "$3" "$4"
	# routers send neighbour solicitations from a link-local address
	addr_add "$1" "$2" fe80::1/64
	addr_add "$3" "$4" fe80::2/64
}

lab_forward()
{
	in_ns "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# lab_timeout NAME SECONDS: sets how long the NAT or firewall in namespace NAME keeps a UDP mapping
lab_timeout()
{
	in_ns "$1" sysctl -qw "net.netfilter.nf_conntrack_udp_timeout=$2" \
		"net.netfilter.nf_conntrack_udp_timeout_stream=$2"
}

# lab_rules NAME KIND SECONDS [IN OUT]: translates IPv4 in namespace NAME, from device IN to OUT.
# KIND is a behaviour of RFC 4787: endpoint-independent maps a port to the same port for all peers,
# and admits any peer; symmetric maps it to a different random port for each peer, and admits only
# that peer.
lab_rules()
{
	local name=$1 kind=$2 seconds=$3 in=${4:-in} out=${5:-out} masquerade=masquerade

	[ "$kind" != symmetric ] || masquerade='masquerade fully-random'
	in_ns "$name" nft -f - <<-NFT
		table inet firewall {
			chain forward {
				type filter hook forward priority filter; policy drop
				iifname "$in" accept
				ct state established,related accept
				ct status dnat accept
			}
		}
		table ip lab {
			map mapped {
				type inet_service : ipv4_addr . inet_service
				flags dynamic,timeout
				timeout ${seconds}s
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "$out" meta l4proto udp $masquerade
			}
			chain prerouting {
				type nat hook prerouting priority dstnat
			}
			chain forward {
				type filter hook forward priority filter
			}
		}
	NFT
	lab_timeout "$name" "$seconds"
	if [ "$kind" = endpoint-independent ]; then
		in_ns "$name" nft -f - <<-NFT
			add rule ip lab forward iifname "$in" meta l4proto udp update @mapped { udp sport : ip saddr . udp sport }
			add rule ip lab prerouting iifname "$out" meta l4proto udp dnat ip to udp dport map @mapped
		NFT
	fi
}

# lab_core: makes PEER and ROUTER, the network outside of the NAT
lab_core()
{
	netns_add "$ROUTER"
	netns_add "$PEER"
	ip -n "$ROUTER" link add outside type bridge
	link_up "$ROUTER" outside
	addr_add "$ROUTER" outside 198.51.100.254/24
	addr_add "$ROUTER" outside fd64::fe/64
	addr_add "$ROUTER" outside fe80::fe/64
	lab_link "$ROUTER" peer "$PEER" eth0
	addr_add "$ROUTER" peer 203.0.113.254/24
	addr_add "$ROUTER" peer fd71::fe/64
	addr_add "$PEER" eth0 203.0.113.2/24
	addr_add "$PEER" eth0 fd71::2/64
	lab_forward "$ROUTER"
	ip -n "$PEER" route add default via 203.0.113.254
	ip -n "$PEER" route add default via fd71::fe
	wait_link "$PEER" eth0
}

# lab_nat NAME INSIDE KIND SECONDS NUMBER: makes a NAT in namespace NAME with the outside address
# 198.51.100.NUMBER, and behind it a host in namespace INSIDE with the address 10.0.0.2
lab_nat()
{
	local name=$1 inside=$2 kind=$3 seconds=$4 number=$5

	netns_add "$name"
	netns_add "$inside"
	lab_link "$name" in "$inside" eth0
	lab_link "$ROUTER" "port$number" "$name" out
	ip -n "$ROUTER" link set "port$number" master outside
	addr_add "$inside" eth0 10.0.0.2/24
	addr_add "$inside" eth0 "fd0a:$number::2/64"
	addr_add "$name" in 10.0.0.1/24
	addr_add "$name" in "fd0a:$number::1/64"
	addr_add "$name" out "198.51.100.$number/24"
	addr_add "$name" out "fd64::$number/64"
	lab_forward "$name"
	ip -n "$inside" route add default via 10.0.0.1
	ip -n "$inside" route add default via "fd0a:$number::1"
	ip -n "$name" route add default via 198.51.100.254
	ip -n "$name" route add default via fd64::fe
	ip -n "$ROUTER" route add "fd0a:$number::/64" via "fd64::$number"
	lab_rules "$name" "$kind" "$seconds"
	wait_link "$inside" eth0
	wait_link "$name" out
}

# lab_up KIND SECONDS: makes the drawing above
lab_up()
{
	lab_core
	lab_nat "$NAT" "$INSIDE" "$1" "$2" 1
	wait_link "$ROUTER" outside
}

# Removes the namespaces, for callers outside the test runner.
lab_down()
{
	local name
	for name in "$INSIDE" "$NAT" "$ROUTER" "$PEER"; do
		[ ! -e "/run/netns/$name" ] || ip netns del "$name"
	done
}
