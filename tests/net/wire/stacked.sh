#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A datagram passes the programs of a macvlan or VLAN device, and those of its parent. Two tc
# programs emulate the VLAN device, since test kernels may lack 8021q.
#
#   container 10.3.0.2 ────┬─ upper 10.3.0.1 [host: servers] lo 10.9.3.1, 10.9.1.1
#             10.1.0.2 ── eth0 ── 10.1.0.1
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# vlan_half NAME DEV ingress|egress TO: strips or adds the tag, and redirects frames of DEV to TO
vlan_half()
{
	local pin=/sys/fs/bpf/vlan_$1_$3
	in_ns "$1" "$FOREIGN" --dev "$2" --type "tc_$3" --name "vlan_$3" --vlan "$4" --prog "$pin" \
		>/dev/null
	in_ns "$1" tc qdisc add dev "$2" clsact
	in_ns "$1" tc filter add dev "$2" "$3" bpf da object-pinned "$pin"
}

# vlan_add NAME: adds the device `upper` above eth0, with eth0's Ethernet address
vlan_add()
{
	local mac
	mac=$(in_ns "$1" ip -o link show dev eth0 | sed 's/.*link.ether \([^ ]*\).*/\1/')
	ip -n "$1" link add upper type veth peer name upper_end
	ip -n "$1" link set dev upper address "$mac"
	link_up "$1" upper
	link_up "$1" upper_end
	vlan_half "$1" eth0 ingress upper
	vlan_half "$1" upper egress eth0
}

for kind in macvlan vlan; do
	say "$kind"
	cable "$HOST" eth0 "$CONTAINER" eth0
	# each device answers only for its own addresses
	in_ns "$HOST" sysctl -qw net.ipv4.conf.all.arp_ignore=1
	wait_link "$HOST" eth0
	if [ "$kind" = macvlan ]; then
		ip -n "$HOST" link add upper link eth0 type macvlan mode bridge
		link_up "$HOST" upper
		client=eth0
	else
		vlan_add "$HOST"
		vlan_add "$CONTAINER"
		client=upper
		addrs "$CONTAINER" upper fe80::3/64
	fi
	wait_link "$HOST" upper
	addrs "$HOST" eth0 10.1.0.1/24 fd01::1/64 fe80::1/64
	addrs "$HOST" upper 10.3.0.1/24 fd03::1/64 fe80::4/64
	addrs "$HOST" lo 10.9.1.1/32 10.9.3.1/32 fd09:1::1/128 fd09:3::1/128
	addrs "$CONTAINER" eth0 10.1.0.2/24 fd01::2/64 fe80::2/64
	addrs "$CONTAINER" "$client" 10.3.0.2/24 fd03::2/64
	routes "$CONTAINER" "10.9.1.1 via 10.1.0.1" "10.9.3.1 via 10.3.0.1 src 10.3.0.2" \
		"fd09:1::1 via fd01::1 src fd01::2" "fd09:3::1 via fd03::1 src fd03::2"
	servers_up "$HOST"

	for ifaces in eth0,upper eth0 upper; do
		LOADS=("wire_load --iface $ifaces")
		upper=("10.9.3.1=10.3.0.1" "10.3.0.1=10.3.0.1" "fd09:3::1=fd03::1" "fd03::1=fd03::1")
		lower=("10.9.1.1=10.1.0.1" "10.1.0.1=10.1.0.1" "fd09:1::1=fd01::1" "fd01::1=fd01::1")
		case "$ifaces" in
		eth0) want_proof "$CONTAINER" "${lower[@]}" ;;
		upper) want_proof "$CONTAINER" "${upper[@]}" ;;
		*) want_proof "$CONTAINER" "${upper[@]}" "${lower[@]}" ;;
		esac
	done
	no_errors "$LOG"
	servers_down
	ip -n "$HOST" link del eth0
	ip -n "$HOST" addr flush dev lo scope global
done
