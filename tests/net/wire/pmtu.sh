#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests path MTU discovery through mode wire. A hop behind the interface has a small MTU, replies
# have DF set (or are IPv6), and the router's error names the address that the client used. A server
# that has connected back to its client receives the error only if mode wire rewrites the source
# address of the quoted packet.
#
#   far 10.9.0.2 ──1400── router 10.8.0.2 ──1500── r0 10.8.0.1 [host: *:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

ROUTER=${TOPOLOGY_PREFIX:-}router
BEYOND=${TOPOLOGY_PREFIX:-}beyond

# address NAME DEV ADDR4 ADDR6 LINKLOCAL: configures one end of a link; a router sends neighbour
# solicitations from the link-local address
address()
{
	local name=$1 dev=$2 addr
	shift 2
	link_up "$name" "$dev"
	for addr in "$@"; do
		addr_add "$name" "$dev" "$addr"
	done
}

# A server that connects back, and replies with 1,450 bytes and DF set until the kernel reports a
# smaller path MTU. It prints its source address and the path MTU.
server_script()
{
	cat <<-'PYTHON'
		import errno, socket, sys
		family, port = sys.argv[1:]
		six = family == "6"
		s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("::" if six else "0.0.0.0", int(port)))
		data, peer = s.recvfrom(100)
		s.connect(peer)
		level, discover, mtu = (41, 23, 24) if six else (0, 10, 14)
		s.setsockopt(level, discover, 2)
		s.settimeout(0.5)
		while True:
		    try:
		        s.send(b"x" * 1420)
		        s.recv(100)
		    except TimeoutError:
		        pass
		    except OSError as error:
		        if error.errno != errno.EMSGSIZE:
		            raise
		        break
		print(s.getsockname()[0], s.getsockopt(level, mtu))
	PYTHON
}

topology_up
netns_add "$ROUTER"
netns_add "$BEYOND"
ip -n "$HOST" link add r0 type veth peer name h0 netns "$ROUTER"
ip -n "$ROUTER" link add b0 mtu 1400 type veth peer name eth0 mtu 1400 netns "$BEYOND"
address "$HOST" r0 10.8.0.1/24 fd08::1/64 fe80::1/64
address "$ROUTER" h0 10.8.0.2/24 fd08::2/64 fe80::2/64
address "$ROUTER" b0 10.9.0.1/24 fd09::1/64 fe80::1/64
address "$BEYOND" eth0 10.9.0.2/24 fd09::2/64 fe80::2/64
in_ns "$ROUTER" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n "$HOST" route add 10.9.0.0/24 via 10.8.0.2
ip -n "$HOST" route add fd09::/64 via fd08::2
ip -n "$ROUTER" route add default via 10.8.0.1
ip -n "$ROUTER" route add default via fd08::1
ip -n "$BEYOND" route add default via 10.9.0.1
ip -n "$BEYOND" route add default via fd09::1
wait_link "$HOST" r0
wait_link "$BEYOND" eth0
server_script >"$TEST_TMP/server.py"
LOAD=(wire_load --iface r0)

say "long answers of an unconnected server: the first is lost, the rest are fragmented"
serve "$HOST" dual6 "$PORT"
server=$SPAWNED
for asked in "$FAR4" "$FAR6"; do
	[ "$asked" = "$FAR4" ] && near=10.8.0.1 || near=fd08::1
	want_wrong "$BEYOND" "$asked" "$PORT" "$near"
	"${LOAD[@]}"
	ask "$BEYOND" --to "$(target "$asked" "$PORT")" --size 1390 --timeout-ms 500 >/dev/null
	want_right "$BEYOND" "$asked" "$PORT" --size 1390
	wire_unload
	want_wrong "$BEYOND" "$asked" "$PORT" "$near" --size 1390
done
stop "$server"

for family in 4 6; do
	[ "$family" = 4 ] && asked=$FAR4 near=10.8.0.1 client=10.9.0.2
	[ "$family" = 6 ] && asked=$FAR6 near=fd08::1 client=fd09::2
	ip -n "$HOST" route flush cache
	ip -n "$HOST" -6 route flush cache
	say "IPv$family: a server that connects back learns the small MTU"
	"${LOAD[@]}"
	spawn_in "$HOST" "$TEST_TMP/server.log" python3 -u "$TEST_TMP/server.py" "$family" "$PORT"
	server=$SPAWNED
	wait_udp "$HOST" "$PORT"
	in_ns "$BEYOND" python3 - "$family" "$client" "$asked" "$PORT" <<-'PYTHON'
		import socket, sys
		family, source, target, port = sys.argv[1:]
		s = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET, socket.SOCK_DGRAM)
		s.connect((target, int(port)))
		s.send(b"x")
	PYTHON
	wait "$server" || fail "the server:" "$(cat "$TEST_TMP/server.log")"
	want_equal "$(cat "$TEST_TMP/server.log")" "$near 1400" "source and path MTU"
	[ "$(wire_counter error_translated)" -ge 1 ] || fail "no error was translated"
	wire_unload
done
