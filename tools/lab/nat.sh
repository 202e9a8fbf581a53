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
# IPv4 is translated. IPv6 is not, but a stateful firewall on NAT admits only answers. PEER has a
# second address, 203.0.113.3 and fd71::3, for a STUN server that supports RFC 5780. It sends from
# the first address unless a program selects the second.
#
# KIND is the behaviour of a NAT toward IPv4 in the terms of RFC 4787, the same for UDP and for TCP.
# With LAB_REFUSAL=reset, the NAT answers an unsolicited SYN with a reset segment. All kinds except the
# last four map a port to the same port for all peers, and are named after their filter:
#
#   none                        no NAT and no firewall: INSIDE is routed, for IPv6 as well
#   firewall                    no NAT: a stateful firewall admits only answers
#   endpoint-independent        admits any peer to a mapped port ("full cone")
#   address-dependent           admits the addresses that the port has sent to ("restricted cone")
#   address-and-port-dependent  admits only answers ("port-restricted cone")
#   other-port                  as endpoint-independent, but maps a port to another port
#   address-dependent-mapping   maps a port to another port for the second address of PEER, and
#                               admits only answers
#   symmetric                   maps a port to another random port for each peer and port, and
#                               admits only answers
#   symmetric-sequential        as symmetric, but the ports are in order

INSIDE="${TOPOLOGY_PREFIX:-}inside"
NAT="${TOPOLOGY_PREFIX:-}nat"
ROUTER="${TOPOLOGY_PREFIX:-}router"
PEER="${TOPOLOGY_PREFIX:-}peer"
# A second NAT, between NAT and ROUTER: see lab_nat_behind.
CARRIER="${TOPOLOGY_PREFIX:-}carrier"
# The outside network of the NATs. miniupnpd maps no port if it is a documentation network.
LAB_OUTSIDE=${LAB_OUTSIDE:-198.51.100}
# shellcheck disable=SC2034
INSIDE4=10.0.0.2 INSIDE6=fd0a:1::2 NAT4=$LAB_OUTSIDE.1 PEER4=203.0.113.2 PEER6=fd71::2
# shellcheck disable=SC2034
PEER4_SECOND=203.0.113.3
# shellcheck disable=SC2034
LAB_KINDS=(none firewall endpoint-independent address-dependent address-and-port-dependent
	other-port address-dependent-mapping symmetric symmetric-sequential)
LAB=$(dirname "${BASH_SOURCE[0]}")

# lab_dev NAME DEV LINK_LOCAL: a router sends its neighbour solicitations from a link-local address
lab_dev()
{
	ip_batch "$1" <<-IP
		link set dev $2 addrgenmode none
		link set dev $2 up
		addr add $3/64 dev $2 nodad
	IP
}

# lab_link NAME DEV NAME DEV: connects two namespaces
lab_link()
{
	ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
	lab_dev "$1" "$2" fe80::1
	lab_dev "$3" "$4" fe80::2
}

lab_forward()
{
	in_ns "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# lab_timeout NAME SECONDS: sets the UDP timeout of the NAT or firewall in namespace NAME
lab_timeout()
{
	in_ns "$1" sysctl -qw "net.netfilter.nf_conntrack_udp_timeout=$2" \
		"net.netfilter.nf_conntrack_udp_timeout_stream=$2"
}

# lab_firewall NAME IN OUT ADDRESS: forwards packets from device IN, and the answers. Drops new
# datagrams and SYN segments to the outside ADDRESS; with LAB_REFUSAL=reset, answers SYN by RST.
lab_firewall()
{
	local refuse='meta l4proto tcp drop'

	[ "${LAB_REFUSAL:-drop}" = drop ] || refuse='meta l4proto tcp reject with tcp reset'
	in_ns "$1" nft -f - <<-NFT
		table inet firewall {
			chain forward {
				type filter hook forward priority filter; policy drop
				iifname "$2" accept
				ct state established,related accept
				ct status dnat accept
				$refuse
			}
			# a datagram without a mapping must leave no conntrack entry, because the
			# entry could occupy the port of a mapping
			chain input {
				type filter hook input priority filter
				ct state established,related accept
				iifname "$3" meta l4proto udp drop
				iifname "$3" $refuse
				ip daddr $4 meta l4proto { tcp, udp } drop
			}
		}
	NFT
}

# lab_protocol NAME KIND SECONDS IN OUT ADDRESS PROTOCOL SUFFIX: the part of lab_rules for UDP or TCP;
# the names of its maps end with SUFFIX
lab_protocol()
{
	local name=$1 kind=$2 seconds=$3 in=$4 out=$5 address=$6 protocol=$7 suffix=$8
	local snat=masquerade port="$7 sport" dnat='' second=''

	case "$kind" in
	endpoint-independent) dnat="$protocol dport map @mapped$suffix" ;;
	address-dependent) dnat="ip saddr . $protocol dport map @admitted$suffix" ;;
	address-and-port-dependent) ;;
	other-port)
		# maps each port to a different port, without collisions
		port="$protocol sport xor 0x400"
		snat="snat ip to $address : $port"
		dnat="$protocol dport map @mapped$suffix"
		;;
	address-dependent-mapping)
		# the kernel reuses the earlier port of a source if the rule allows it
		snat="snat ip to $address : $protocol sport"
		second="oifname \"$out\" ip daddr $PEER4_SECOND meta l4proto $protocol"
		second+=" snat ip to $address : $protocol sport xor 0x400"
		;;
	symmetric-sequential)
		# a map, because the kernel would use the bytes of the number in the wrong order
		snat="snat ip to $address : numgen inc mod 2000 map {"
		snat+="$(seq 0 1999 | awk '{ printf "%d : %d, ", $1, 40000 + $1 }') }"
		;;
	symmetric) snat='masquerade fully-random' ;;
	esac
	in_ns "$name" nft -f - <<-NFT
		table ip lab {
			map mapped$suffix {
				type inet_service : ipv4_addr . inet_service
				flags dynamic,timeout
				timeout ${seconds}s
			}
			map admitted$suffix {
				type ipv4_addr . inet_service : ipv4_addr . inet_service
				flags dynamic,timeout
				timeout ${seconds}s
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				$second
				oifname "$out" meta l4proto $protocol $snat
			}
			chain prerouting {
				type nat hook prerouting priority dstnat
				${dnat:+iifname "$out" meta l4proto $protocol dnat ip to $dnat}
			}
			chain forward {
				type filter hook forward priority filter
				iifname "$in" meta l4proto $protocol update @mapped$suffix { $port : ip saddr . $protocol sport }
				iifname "$in" meta l4proto $protocol update @admitted$suffix { ip daddr . $port : ip saddr . $protocol sport }
			}
		}
	NFT
}

# lab_rules NAME KIND SECONDS IN OUT ADDRESS: makes namespace NAME a NAT of this kind from device IN
# to device OUT, which has ADDRESS
lab_rules()
{
	local name=$1 kind=$2 seconds=$3 in=$4 out=$5 address=$6

	lab_timeout "$name" "$seconds"
	[ "$kind" != none ] || return 0
	lab_firewall "$name" "$in" "$out" "$address"
	[ "$kind" != firewall ] || return 0
	lab_protocol "$@" udp ''
	lab_protocol "$@" tcp _tcp
	in_ns "$name" nft add rule ip lab postrouting oifname "$out" masquerade
}

# lab_reboot NAME KIND SECONDS IN OUT ADDRESS: as lab_rules, for a NAT that has rules. The NAT loses
# all mappings. It forwards nothing meanwhile, so that no packet gets a mapping by the old rules.
lab_reboot()
{
	in_ns "$1" sysctl -qw net.ipv4.ip_forward=0
	in_ns "$1" nft flush ruleset
	lab_rules "$@"
	in_ns "$1" conntrack -F 2>/dev/null
	in_ns "$1" sysctl -qw net.ipv4.ip_forward=1
}

# lab_hairpin NAME ADDRESS [IN]: enables hairpinning in namespace NAME, a NAT that maps a port to
# the same port: it returns datagrams from device IN to a mapped port of ADDRESS
lab_hairpin()
{
	local name=$1 address=$2 in=${3:-in}

	in_ns "$name" nft -f - <<-NFT
		add rule ip lab prerouting iifname "$in" ip daddr $address meta l4proto udp dnat ip to udp dport map @mapped
		add rule ip lab postrouting iifname "$in" oifname "$in" ct status dnat snat ip to $address
	NFT
}

# lab_loss PERCENT: makes ROUTER drop PERCENT of all packets, in both directions
lab_loss()
{
	in_ns "$ROUTER" nft -f - <<-NFT
		table inet loss {
			chain forward {
				type filter hook forward priority filter
				numgen random mod 100 < $1 drop
			}
		}
	NFT
}

# lab_cable MS JITTER NAME DEV NAME DEV: connects two namespaces by TUN devices. A process delays
# their packets by MS to MS + JITTER milliseconds, so packets may be reordered. The process exits
# with the namespaces.
lab_cable()
{
	spawn_in "$3" /dev/null setsid python3 "$LAB/cable.py" --delay "$1" --jitter "$2" \
		"/run/netns/$3" "$4" "/run/netns/$5" "$6"
	wait_until 20 ip -n "$5" link show "$6"
	lab_dev "$3" "$4" fe80::1
	lab_dev "$5" "$6" fe80::2
}

# lab_core [MS JITTER]: creates PEER and ROUTER, the network outside the NAT, with the delay of
# lab_cable between them
# shellcheck disable=SC2120 # most calls give no options
lab_core()
{
	netns_add "$ROUTER"
	netns_add "$PEER"
	# otherwise, a bridge has the lowest address of its ports, and changes it with them
	ip -n "$ROUTER" link add outside address 02:c6:33:64:00:fe type bridge
	lab_dev "$ROUTER" outside fe80::fe
	if [ $# = 0 ]; then
		lab_link "$ROUTER" peer "$PEER" eth0
	else
		lab_cable "$1" "$2" "$ROUTER" peer "$PEER" eth0
	fi
	ip_batch "$ROUTER" <<-IP
		addr add $LAB_OUTSIDE.254/24 dev outside
		addr add fd64::fe/64 dev outside nodad
		addr add 203.0.113.254/24 dev peer
		addr add fd71::fe/64 dev peer nodad
	IP
	lab_forward "$ROUTER"
	ip_batch "$PEER" <<-IP
		addr add $PEER4/24 dev eth0
		addr add $PEER4_SECOND/24 dev eth0
		addr add $PEER6/64 dev eth0 nodad
		addr add fd71::3/64 dev eth0 nodad preferred_lft 0
		route add default via 203.0.113.254 dev eth0
		route add default via fd71::fe dev eth0
	IP
	[ $# != 0 ] || wait_link "$PEER" eth0
}

# lab_nat NAME INSIDE KIND SECONDS NUMBER: creates a NAT in namespace NAME with the outside address
# 198.51.100.NUMBER, and a host behind it in namespace INSIDE. The host has the address 10.0.0.2, or
# 10.0.NUMBER.2 if NAME does not translate. LAB_DELAY: the delay between them in each direction, in
# ms
lab_nat()
{
	local name=$1 inside=$2 kind=$3 seconds=$4 number=$5 net=10.0.0

	netns_add "$name"
	netns_add "$inside"
	if [ -n "${LAB_DELAY:-}" ]; then
		lab_cable "$LAB_DELAY" 0 "$name" in "$inside" eth0
	else
		lab_link "$name" in "$inside" eth0
	fi
	lab_link "$ROUTER" "port$number" "$name" out
	if [[ $kind == none || $kind == firewall ]]; then
		net=10.0.$number
		ip -n "$ROUTER" route add "$net.0/24" via "$LAB_OUTSIDE.$number"
	fi
	ip_batch "$ROUTER" <<-IP
		link set port$number master outside
		route add fd0a:$number::/64 via fd64::$number
	IP
	ip_batch "$inside" <<-IP
		addr add $net.2/24 dev eth0
		addr add fd0a:$number::2/64 dev eth0 nodad
		route add default via $net.1
		route add default via fd0a:$number::1
	IP
	ip_batch "$name" <<-IP
		addr add $net.1/24 dev in
		addr add fd0a:$number::1/64 dev in nodad
		addr add $LAB_OUTSIDE.$number/24 dev out
		addr add fd64::$number/64 dev out nodad
		route add default via $LAB_OUTSIDE.254
		route add default via fd64::fe
	IP
	lab_forward "$name"
	lab_rules "$name" "$kind" "$seconds" in out "$LAB_OUTSIDE.$number"
	[ -n "${LAB_DELAY:-}" ] || wait_link "$inside" eth0
	wait_link "$name" out
}

# lab_nat_behind NAME INSIDE KIND SECONDS [ADDRESS]: makes NAME, a host with ADDRESS behind a NAT, a
# NAT itself, and creates a host behind it in namespace INSIDE, with the address 10.1.0.2
lab_nat_behind()
{
	local name=$1 inside=$2

	netns_add "$inside"
	lab_link "$name" in "$inside" eth0
	ip -n "$name" addr add 10.1.0.1/24 dev in
	ip_batch "$inside" <<-'IP'
		addr add 10.1.0.2/24 dev eth0
		route add default via 10.1.0.1
	IP
	lab_forward "$name"
	lab_rules "$name" "$3" "$4" in eth0 "${5:-10.0.0.2}"
	wait_link "$inside" eth0
}

# lab_up KIND SECONDS: creates the network drawn above
lab_up()
{
	# shellcheck disable=SC2119
	lab_core
	lab_nat "$NAT" "$INSIDE" "$1" "$2" 1
	wait_link "$ROUTER" outside
}

# For callers outside the test runner, whose namespaces outlive them.
lab_down()
{
	local name
	for name in "$INSIDE" "$NAT" "$CARRIER" "$ROUTER" "$PEER"; do
		[ ! -e "/run/netns/$name" ] || ip netns del "$name"
	done
}
