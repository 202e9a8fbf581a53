# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of wire mode. Source it after lib.sh.

# wire_load OPTION…: loads wire mode in HOST
wire_load()
{
	sluice --netns "$HOST" reply load --mode wire "$@"
}

wire_unload()
{
	sluice --netns "$HOST" reply unload --mode wire
}

# wire_counter NAME: prints its value
wire_counter()
{
	json "d['wire']['counters']['$1']" sluice -j --netns "$HOST" reply show
}

# bridge_netfilter 0|1: for HOST's bridges; the sysctl belongs to the network namespace
bridge_netfilter()
{
	in_ns "$HOST" sysctl -qw "net.bridge.bridge-nf-call-iptables=$1" \
		"net.bridge.bridge-nf-call-ip6tables=$1"
}

# forwarding 0|1: of HOST; programs can use the kernel's route lookup only with forwarding
forwarding()
{
	in_ns "$HOST" sysctl -qw "net.ipv4.ip_forward=$1" "net.ipv6.conf.all.forwarding=$1"
}

# want_one_entry PORT: HOST's conntrack has one entry for the port, and it has seen a reply
want_one_entry()
{
	local entries
	entries=$(conntrack_list "$HOST" | grep -E "dport=$1 " || true)
	want_equal "$(grep -c . <<<"$entries")" 1 "entries: ${entries//$'\n'/ / }"
	[[ $entries != *UNREPLIED* ]] || fail "conntrack saw no answer:" "$entries"
}

is_assured()
{
	in_ns "$CONTAINER" "$CLIENT" --from "$2" --to "$(target "$1" "$PORT")" || true
	conntrack_list "$HOST" | contains 'ASSURED'
}

# want_assured ADDR [FROM:PORT]: after traffic for more than the two seconds that conntrack requires
# of a UDP stream, there is still one entry, and it is ASSURED
want_assured()
{
	conntrack_flush "$HOST"
	wait_until 20 is_assured "$1" "${2:-172.17.0.3:4000}"
	want_one_entry "$PORT"
}

# want_wire NAME ADDR PORT ANSWERER [OPTION…]: as want_fixed, with the wire mode that LOAD loads
want_wire()
{
	local name=$1 addr=$2 port=$3 answerer=$4
	shift 4
	say "$addr, the kernel alone"
	conntrack_flush "$HOST"
	want_wrong "$name" "$addr" "$port" "$answerer" "$@"
	say "$addr, loaded"
	conntrack_flush "$HOST"
	"${LOAD[@]}"
	want_right "$name" "$addr" "$port" "$@"
	want_one_entry "$port"
	say "$addr, unloaded"
	wire_unload
	want_wrong "$name" "$addr" "$port" "$answerer" "$@"
}

# no_ports: counts the datagrams that arrived in CONTAINER without a socket
no_ports()
{
	in_ns "$CONTAINER" cat /proc/net/snmp /proc/net/snmp6 |
		awk '/^Udp: [0-9]/ { sum += $3 } /^Udp6NoPorts/ { sum += $2 } END { print sum }'
}
