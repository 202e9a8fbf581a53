# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Creates network namespaces with the fault that `sluice reply` fixes, for the tests and the demo.
#
#                 ┌───────────────── HOST ──────────────────┐
#   CONTAINER ────┤ docker0                            eth0 ├──── LAN
#   172.17.0.3    │ 172.17.0.1/16            172.16.13.13/24│     172.16.13.1
#   fd17::3       │ fd17::1                         fd16::13│     fd16::1
#   fe80::3       │ fe80::1                          fe80::1│     fe80::3
#   CONTAINER2 ───┤  (a bridge)                             │
#   172.17.0.4    └─────────────────────────────────────────┘
#   fd17::4
#
# CONTAINER sends requests to 172.16.13.13. A server on HOST that is bound to the wildcard address
# answers from 172.17.0.1, the address of the route back.
#
# Namespaces are entered with nsenter, never with `ip netns exec`, which mounts a fresh /sys without
# a bpffs. TOPOLOGY_PREFIX is prepended to the names, for callers without a private /run/netns.

HOST="${TOPOLOGY_PREFIX:-}host"
CONTAINER="${TOPOLOGY_PREFIX:-}container"
CONTAINER2="${TOPOLOGY_PREFIX:-}container2"
LAN="${TOPOLOGY_PREFIX:-}lan"

# contains PATTERN: like grep -q, but reads its input to the end. grep -q exits at the first match.
# If the command before it is still writing, this command gets SIGPIPE, and the pipeline fails under
# pipefail.
contains()
{
	grep "$@" >/dev/null
}

# in_ns NAME COMMAND…: runs a command in network namespace NAME and the caller's mount namespace
in_ns()
{
	local name=$1
	shift
	nsenter --net="/run/netns/$name" -- "$@"
}

# spawn_in NAME LOG COMMAND…: like in_ns, but in the background, with the output in LOG. SPAWNED is
# the process id of the command itself, so that a signal does not go to a shell around it.
spawn_in()
{
	local name=$1 log=$2
	shift 2
	nsenter --net="/run/netns/$name" -- "$@" </dev/null >"$log" 2>&1 &
	# shellcheck disable=SC2034
	SPAWNED=$!
}

# wait_until SECONDS COMMAND…: waits until COMMAND succeeds. The deadline only matters for a
# failure, and is three times as long on a busy machine. Polls at increasing intervals, to leave CPU
# time to other tests.
wait_until()
{
	local deadline=$((SECONDS + 3 * $1)) ms=10 pause
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -gt "$deadline" ]; then
			echo "gave up waiting for: $*" >&2
			return 1
		fi
		printf -v pause '0.%03d' "$ms"
		sleep "$pause"
		ms=$((ms < 160 ? 2 * ms : ms))
	done
}

# udp_bound NAME PORT: returns true if a UDP socket is bound to PORT in namespace NAME
udp_bound()
{
	in_ns "$1" cat /proc/net/udp /proc/net/udp6 |
		awk -v port="$(printf '%04X' "$2")" '
			{ n = split($2, part, ":") }
			n == 2 && part[2] == port { found = 1 }
			END { exit !found }'
}

wait_udp()
{
	wait_until 10 udp_bound "$1" "$2"
}

udp_unbound()
{
	! udp_bound "$1" "$2"
}

# conntrack_list NAME [FILTER…]: prints the UDP entries of namespace NAME, one per line
conntrack_list()
{
	local name=$1
	shift
	in_ns "$name" conntrack -L -f ipv4 -p udp "$@" 2>/dev/null
	in_ns "$name" conntrack -L -f ipv6 -p udp "$@" 2>/dev/null
}

conntrack_flush()
{
	in_ns "$1" conntrack -F >/dev/null 2>&1
}

# addr_add NAME DEV ADDRESS/LEN: adds an address without duplicate address detection, and waits
# until it is usable, since the kernel makes an IPv6 address local in a work queue
addr_add()
{
	local try

	case "$3" in
	*:*)
		in_ns "$1" ip addr add "$3" dev "$2" nodad
		# shellcheck disable=SC2034 # it only counts
		for try in {1..100}; do
			[ -z "$(in_ns "$1" ip -6 route show table local "${3%/*}" dev "$2")" ] || break
			sleep 0.05
		done
		;;
	*)
		in_ns "$1" ip addr add "$3" dev "$2"
		;;
	esac
}

addr_del()
{
	in_ns "$1" ip addr del "$3" dev "$2"
}

# ip_batch NAME: runs the lines of its standard input as `ip` commands in namespace NAME, in one
# process
ip_batch()
{
	in_ns "$1" ip -batch -
}

# Disables the kernel's own link-local addresses, which would have to wait for duplicate address
# detection.
link_up()
{
	ip_batch "$1" <<-IP
		link set dev $2 addrgenmode none
		link set dev $2 up
	IP
}

link_carrier()
{
	in_ns "$1" ip -o link show dev "$2" | contains 'state UP'
}

wait_link()
{
	wait_until 10 link_carrier "$1" "$2"
}

netns_add()
{
	ip netns add "$1"
	in_ns "$1" ip link set dev lo up
}

# bridge_port NAME NUMBER: creates namespace NAME with eth0, 172.17.0.NUMBER, behind docker0
bridge_port()
{
	local name=$1 number=$2

	netns_add "$name"
	ip_batch "$HOST" <<-IP
		link add veth$number type veth peer name eth0 netns $name
		link set dev veth$number master docker0
		link set dev veth$number addrgenmode none
		link set dev veth$number up
	IP
	ip_batch "$name" <<-IP
		link set dev eth0 addrgenmode none
		link set dev eth0 up
		addr add 172.17.0.$number/16 dev eth0
		addr add fd17::$number/64 dev eth0 nodad
		addr add fe80::$number/64 dev eth0 nodad
		route add default via 172.17.0.1
		route add default via fd17::1
	IP
	wait_link "$name" eth0
}

# A bridge without a fixed Ethernet address uses the address of a port, which changes with the
# ports.
topology_host()
{
	netns_add "$HOST"
	ip_batch "$HOST" <<-'IP'
		link add docker0 type bridge mcast_snooping 0
		link set dev docker0 address 02:42:ac:11:00:01
		link set dev docker0 addrgenmode none
		link set dev docker0 up
		addr add 172.17.0.1/16 dev docker0
		addr add fd17::1/64 dev docker0 nodad
		addr add fe80::1/64 dev docker0 nodad
	IP
}

topology_lan()
{
	netns_add "$LAN"
	ip_batch "$HOST" <<-IP
		link add eth0 type veth peer name eth0 netns $LAN
		link set dev eth0 addrgenmode none
		link set dev eth0 up
		addr add 172.16.13.13/24 dev eth0
		addr add fd16::13/64 dev eth0 nodad
		addr add fe80::1/64 dev eth0 nodad
	IP
	ip_batch "$LAN" <<-'IP'
		link set dev eth0 addrgenmode none
		link set dev eth0 up
		addr add 172.16.13.1/24 dev eth0
		addr add fd16::1/64 dev eth0 nodad
		addr add fe80::3/64 dev eth0 nodad
		route add default via 172.16.13.13
		route add default via fd16::13
	IP
	wait_link "$HOST" eth0
	wait_link "$LAN" eth0
}

# Conntrack tracks packets of a namespace only once a rule in it uses their state.
topology_conntrack()
{
	in_ns "$HOST" nft -f - <<-'NFT'
		table inet state {
			chain input {
				type filter hook input priority filter
				ct state established,related accept
			}
			chain output {
				type filter hook output priority filter
				ct state established,related accept
			}
		}
	NFT
}

# topology_up [second]: creates the network above, with CONTAINER2 only if the argument is given
topology_up()
{
	topology_host
	topology_lan
	bridge_port "$CONTAINER" 3
	if [ "${1:-}" = second ]; then
		bridge_port "$CONTAINER2" 4
	fi
	wait_link "$HOST" docker0
	topology_conntrack
}

# Removes the namespaces, for callers outside the test runner.
topology_down()
{
	local name
	for name in "$CONTAINER" "$CONTAINER2" "$LAN" "$HOST"; do
		if [ -e "/run/netns/$name" ]; then
			ip netns del "$name"
		fi
	done
}
