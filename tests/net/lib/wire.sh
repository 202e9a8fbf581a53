# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of mode wire. Source it after lib.sh.

LIB=$ROOT/tests/net/lib

# wire_load OPTION…: loads mode wire in HOST
wire_load()
{
	sluice --netns "$HOST" reply load --mode wire "$@"
}

wire_unload()
{
	sluice --netns "$HOST" reply unload --mode wire
}

# wire_counter NAME: prints a counter of mode wire
wire_counter()
{
	json "d['wire']['counters']['$1']" sluice -j --netns "$HOST" reply show
}

# bridge_netfilter 0|1: turns bridge netfilter on or off for HOST's bridges; the sysctl is per
# namespace
bridge_netfilter()
{
	in_ns "$HOST" sysctl -qw "net.bridge.bridge-nf-call-iptables=$1" \
		"net.bridge.bridge-nf-call-ip6tables=$1"
}

# forwarding 0|1: turns forwarding on or off on HOST
forwarding()
{
	in_ns "$HOST" sysctl -qw "net.ipv4.ip_forward=$1" "net.ipv6.conf.all.forwarding=$1"
}

# ---- topologies ----

# BEHIND has a server behind HOST when HOST is a gateway. ROUTER is between clients and HOST.
BEHIND=${TOPOLOGY_PREFIX:-}behind
# shellcheck disable=SC2034
ROUTER=${TOPOLOGY_PREFIX:-}router

# cable NAME DEV NAME DEV: connects two namespaces, and creates them if necessary
cable()
{
	local name
	for name in "$1" "$3"; do
		[ -e "/run/netns/$name" ] || netns_add "$name"
	done
	ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
	link_up "$1" "$2"
	link_up "$3" "$4"
}

# addrs NAME DEV ADDR/LEN…
addrs()
{
	local name=$1 dev=$2 addr
	shift 2
	for addr in "$@"; do
		echo "addr add $addr dev $dev $([[ $addr != *:* ]] || echo nodad)"
	done | ip_batch "$name"
}

# routes NAME ROUTE…: adds routes, each a single argument (`default` is for IPv4, ::/0 for IPv6)
routes()
{
	local name=$1
	shift
	[ $# -eq 0 ] || printf 'route add %s\n' "$@" | ip_batch "$name"
}

# routers NAME…: enables forwarding in these namespaces, and disables their reverse path filter
routers()
{
	local name
	for name in "$@"; do
		in_ns "$name" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
			net.ipv4.conf.all.rp_filter=0
	done
}

# behind_up: connects BEHIND to HOST's s0
#
#   HOST: s0 10.8.0.254, fd08::254 ── eth0 10.8.0.5, fd08::5 [BEHIND] 10.20.0.5, fd20::5
BEHIND_NEAR4=10.8.0.5 BEHIND_FAR4=10.20.0.5 BEHIND_NEAR6=fd08::5 BEHIND_FAR6=fd20::5
# shellcheck disable=SC2034
BEHIND_ADDRS=$BEHIND_NEAR4,$BEHIND_FAR4,$BEHIND_NEAR6,$BEHIND_FAR6
behind_up()
{
	cable "$HOST" s0 "$BEHIND" eth0
	addrs "$HOST" s0 10.8.0.254/24 fd08::254/64 fe80::1/64
	addrs "$BEHIND" eth0 $BEHIND_NEAR4/24 $BEHIND_FAR4/32 $BEHIND_NEAR6/64 $BEHIND_FAR6/128 fe80::5/64
	routes "$BEHIND" "default via 10.8.0.254 src $BEHIND_NEAR4" \
		"default via fd08::254 src $BEHIND_NEAR6"
	routes "$HOST" "10.20.0.0/24 dev s0" "fd20::/64 dev s0"
	wait_link "$HOST" s0
}

# subject host|behind: puts the servers of the test on HOST, or BEHIND it. Sets SUBJECT to their
# namespace, A, B and C to addresses for CONTAINER's requests, S to the kernel's reply source, and
# LOAD to a load that covers the servers.
# shellcheck disable=SC2034
subject()
{
	if [ "$1" = host ]; then
		SUBJECT=$HOST
		A4=$FAR4 B4=172.16.13.14 C4=172.16.13.15 S4=$NEAR4
		A6=$FAR6 B6=fd16::14 C6=fd16::15 S6=$NEAR6
		addrs "$HOST" eth0 $B4/24 $C4/24 $B6/64 $C6/64
		LOAD=(wire_load --follow docker0)
	else
		SUBJECT=$BEHIND
		A4=$BEHIND_FAR4 B4=10.20.0.6 C4=10.20.0.7 S4=$BEHIND_NEAR4
		A6=$BEHIND_FAR6 B6=fd20::6 C6=fd20::7 S6=$BEHIND_NEAR6
		addrs "$BEHIND" eth0 $B4/32 $C4/32 $B6/128 $C6/128
		LOAD=(wire_load --gateway s0 --server "$A4,$B4,$C4,$S4,$A6,$B6,$C6,$S6")
	fi
}

# ---- servers: a wrong server, a server that connects back, and right servers ----

RIGHT_PORT=50010 BACK_PORT=50020 DNS_PORT=5300 ATFTP_PORT=6970
PROBES=("wrong=echo:$PORT" "back=back:$BACK_PORT" "pktinfo=echo:$RIGHT_PORT" "dnsmasq=dns:$DNS_PORT"
	"dnsmasq_tftp=tftp:69" "atftpd=tftp4:$ATFTP_PORT")
# A gateway detects by a refusal that a server has connected back, so one request is lost.
# shellcheck disable=SC2034
GATEWAY_PROBES=("${PROBES[@]/=back:/=patient:}")
export TFTP_FILE=$TEST_TMP/tftp/file

# servers_up NAME: starts all servers in namespace NAME. Right servers get the address of each
# request from the kernel (IP_PKTINFO); TFTP servers reply from this address with a new socket.
servers_up()
{
	local name=$1
	mkdir -p "${TFTP_FILE%/*}"
	# four blocks
	seq 480 >"$TFTP_FILE"
	# the probes count refusals
	in_ns "$name" sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
	serve "$name" pktinfo6 "$RIGHT_PORT"
	UP=("$SPAWNED")
	spawn_in "$name" "$TEST_TMP/$name.back.log" python3 "$LIB/back.py" "$BACK_PORT"
	UP+=("$SPAWNED")
	spawn_in "$name" "$TEST_TMP/$name.dnsmasq.log" dnsmasq --keep-in-foreground --conf-file=/dev/null \
		--no-resolv --no-hosts --address=/www.example/192.0.2.1 --port="$DNS_PORT" --user=root \
		--pid-file= --log-facility=- --enable-tftp --tftp-root="${TFTP_FILE%/*}"
	UP+=("$SPAWNED")
	spawn_in "$name" "$TEST_TMP/$name.atftpd.log" "$(server_path usr/sbin/atftpd)" --daemon --no-fork \
		--port "$ATFTP_PORT" --user root --group root --no-multicast --logfile - "${TFTP_FILE%/*}"
	UP+=("$SPAWNED")
	serve "$name" dual6 "$PORT"
	UP+=("$SPAWNED")
	wait_udp "$name" "$BACK_PORT"
	wait_udp "$name" "$DNS_PORT"
	wait_udp "$name" 69
	wait_udp "$name" "$ATFTP_PORT"
}

servers_down()
{
	local pid
	for pid in "${UP[@]}"; do
		stop "$pid"
	done
}

# probe NAME OPTION… -- ADDR…: sends requests to each server at each address from namespace NAME
probe()
{
	local name=$1
	shift
	in_ns "$name" python3 "$LIB/probe.py" "$@"
}

# expected STATE ADDR=ANSWERER…: prints the lines that a probe of all servers must print. For a
# request to ADDR, the kernel selects ANSWERER as the source of the reply. STATE is `fixed`, or
# `kernel` without sluice.
expected()
{
	local state=$1 pair addr answerer wrong back
	shift
	for pair in "$@"; do
		addr=${pair%%=*} answerer=${pair#*=}
		wrong="from $answerer" back="from $answerer, refused"
		[ "$state" = kernel ] && [ "$addr" != "$answerer" ] || wrong=right back=right
		printf '%s\n' "$addr wrong $wrong" "$addr back $back" "$addr pktinfo right" \
			"$addr dnsmasq right" "$addr dnsmasq_tftp right"
		# this server supports only IPv4
		[[ $addr == *:* ]] || echo "$addr atftpd right"
	done
}

# want_servers STATE NAME ADDR=ANSWERER…: checks that right servers are right, and that the other
# servers are as in STATE. PROBE contains the options of the probe.
PROBE=()
want_servers()
{
	local state=$1 name=$2 difference
	shift 2
	difference=$(diff <(expected "$state" "$@") \
		<(probe "$name" "${PROBE[@]}" "${PROBES[@]}" -- "${@%%=*}")) ||
		fail "answers, $state (<) and as they are (>):" "$difference"
}

# want_proof NAME ADDR=ANSWERER…: checks all servers before, during and after each load in LOADS.
# Right servers stay right. Mode wire fixes the other servers; with FIXED=no, it does not change
# them.
want_proof()
{
	local load
	say "${*:2}: without sluice"
	want_servers kernel "$@"
	for load in "${LOADS[@]}"; do
		say "loaded: $load"
		# shellcheck disable=SC2086 # words of a command
		$load
		if [ "${FIXED:-yes}" = yes ]; then
			want_servers fixed "$@"
		else
			want_servers kernel "$@"
		fi
		wire_unload
	done
	say "unloaded"
	want_servers kernel "$@"
}

# ---- conntrack ----

# one_entry PORT: returns true if HOST's conntrack has exactly one entry for the port, and the entry
# has seen a reply
one_entry()
{
	ENTRIES=$(conntrack_list "$HOST" | grep -E "[sd]port=$1 " || true)
	[ "$(grep -c . <<<"$ENTRIES")" = 1 ] && [[ $ENTRIES != *UNREPLIED* ]]
}

# want_one_entry PORT: waits until one_entry succeeds, since the entry of an unanswered request must
# first expire
want_one_entry()
{
	wait_until 10 one_entry "$1" || fail "wanted one entry with a reply:" "$ENTRIES"
}

# want_wire NAME ADDR PORT ANSWERER [OPTION…]: like want_fixed, with mode wire loaded by LOAD
want_wire()
{
	local name=$1 addr=$2 port=$3 answerer=$4
	shift 4
	say "$addr, without sluice"
	conntrack_flush "$HOST"
	want_wrong "$name" "$addr" "$port" "$answerer" "$@"
	say "$addr, loaded"
	conntrack_flush "$HOST"
	"${LOAD[@]}"
	want_right "$name" "$addr" "$port" "$@"
	say "$addr, unloaded"
	wire_unload
	want_wrong "$name" "$addr" "$port" "$answerer" "$@"
}

# no_ports: prints the number of datagrams that found no socket in CONTAINER
no_ports()
{
	in_ns "$CONTAINER" cat /proc/net/snmp /proc/net/snmp6 |
		awk '/^Udp: [0-9]/ { sum += $3 } /^Udp6NoPorts/ { sum += $2 } END { print sum }'
}
