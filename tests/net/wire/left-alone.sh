#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Mode wire must leave alone: sockets bound to one address, servers that can set the source
# themselves, unmanaged ports, addresses that no interface has (AnyIP), the host as a client,
# forwarded datagrams, and those of another namespace on the same interface.
#
#   container, container2 ═ docker0 172.17.0.1 [host] eth0 172.16.13.13 ── lan
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

ANY4=10.50.0.7 ANY6=fd50::7

# A server that deliberately replies from another address: it has requested the destination address
# from the kernel, or replies through a bound socket or a raw socket. The kernel stores the protocol
# of a raw socket in place of its port, here IPPROTO_RAW.
RAW_PORT=255
cat >"$TEST_TMP/chooser.py" <<'PYTHON'
import socket, struct, sys

how, source, port = sys.argv[1:]
six = ":" in source
# IP_PKTINFO, IPV6_RECVPKTINFO; IP_RECVORIGDSTADDR, IPV6_RECVORIGDSTADDR
options = {"pktinfo": (41, 49) if six else (0, 8), "origdst": (41, 74) if six else (0, 20)}

def open_socket(addr):
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, int(port)))
    return s

receiver = open_socket("")
if how in options:
    receiver.setsockopt(*options[how], 1)
    sender = receiver
elif how in ("raw", "raw_udp"):
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW,
                           socket.IPPROTO_RAW if how == "raw" else socket.IPPROTO_UDP)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
else:
    sender = open_socket(source)
while True:
    data, peer = receiver.recvfrom(2048)
    if how in ("raw", "raw_udp"):
        udp = struct.pack("!HHHH", int(port), peer[1], 8 + len(data), 0) + data
        ip = struct.pack("!BxHxxxxBBxx", 0x45, 20 + len(udp), 64, socket.IPPROTO_UDP)
        ip += socket.inet_aton(source) + socket.inet_aton(peer[0])
        sender.sendto(ip + udp, (peer[0], 0))
    elif how == "connected":
        sender.connect(peer)
        sender.send(data)
    else:
        sender.sendto(data, peer)
PYTHON

# want_choices: checks that these servers reply from their chosen address
want_choices()
{
	local how pair far near port
	for pair in "$FAR4 $NEAR4" "$FAR6 $NEAR6"; do
		read -r far near <<<"$pair"
		for how in pktinfo origdst bound connected raw raw_udp; do
			[ "$how" = raw ] && port=$RAW_PORT || port=50002
			# IPv6 raw sockets cannot do this
			[[ $how != raw* || $near != *:* ]] || continue
			spawn_in "$HOST" "$TEST_TMP/chooser" python3 "$TEST_TMP/chooser.py" "$how" "$near" "$port"
			wait_udp "$HOST" "$port"
			want_wrong "$CONTAINER" "$far" "$port" "$near"
			stop "$SPAWNED"
		done
	done
}

topology_up second
forwarding 1
ip -n "$HOST" route add local 10.50.0.0/24 dev lo
ip -n "$HOST" -6 route add local fd50::/64 dev lo
serve "$HOST" dual6 "$PORT"
serve "$HOST" pktinfo6 50001
serve "$HOST" sendto4 50004 --bind "$FAR4"
serve "$HOST" sendto4 50003
serve "$CONTAINER2" sendto4 "$PORT"
serve "$LAN" sendto4 "$PORT"

# want_kernel: checks the answers without sluice
want_kernel()
{
	want_right "$CONTAINER" "$ANY4" 50001
	want_wrong "$CONTAINER" "$ANY4" "$PORT" "$NEAR4"
	want_right "$CONTAINER" "$FAR4" 50001
	want_right "$CONTAINER" "$FAR4" 50004
	want_wrong "$CONTAINER" "$FAR4" 50003 "$NEAR4"
	want_choices
}

say "without sluice"
want_kernel

LOAD=(wire_load --follow docker0 --port "$PORT,50001-50002,50004,$RAW_PORT")
"${LOAD[@]}"
say "a server with PKTINFO, and a server bound to a single address"
want_right "$CONTAINER" "$FAR4" 50001
want_right "$CONTAINER" "$FAR6" 50001
want_right "$CONTAINER" "$FAR4" 50004
say "servers that deliberately use another address"
want_choices
say "a port that is not named"
want_wrong "$CONTAINER" "$FAR4" 50003 "$NEAR4"
say "the same port of another host: beside this one, and behind it"
before=$(wire_counter request_rewritten)
want_right "$CONTAINER" 172.17.0.4 "$PORT"
want_right "$CONTAINER" 172.16.13.1 "$PORT"
want_equal "$(wire_counter request_rewritten)" "$before" "requests rewritten"
say "the host as a client, from each of its addresses"
want_right "$HOST" 172.17.0.4 "$PORT"
want_right "$HOST" 172.17.0.4 "$PORT" --from "$FAR4"
want_right "$HOST" 172.17.0.4 "$PORT" --from "$FAR4:$((PORT + 1))"

say "an address of the host by a route only"
want_right "$CONTAINER" "$ANY4" 50001
want_wrong "$CONTAINER" "$ANY4" "$PORT" "$NEAR4"
want_wrong "$CONTAINER" "$ANY6" "$PORT" "$NEAR6"
say "two clients with the same port"
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4002
want_right "$CONTAINER2" "$FAR4" "$PORT" --from 172.17.0.4:4002
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4002

say "unloaded"
wire_unload
want_kernel

"${LOAD[@]}"
say "a removed address: requests follow the route, and no longer reach a local socket"
ip -n "$HOST" route add default via 172.17.0.4
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4003
addr_del "$HOST" eth0 "$FAR4/24"
want_line "sent 1 right 0 wrong 0 refused 0 lost 1 corrupt 0" \
	"$(ask "$CONTAINER" --to "$FAR4:$PORT" --timeout-ms 300 --from 172.17.0.3:4004)"
say "a new address is used without another load"
addr_add "$HOST" eth0 192.0.2.1/24
want_right "$CONTAINER" 192.0.2.1 "$PORT"

say "another namespace's macvlan on the interface, and its server on the same port"
GUEST=${TOPOLOGY_PREFIX:-}guest
addr_add "$HOST" eth0 "$FAR4/24"
netns_add "$GUEST"
ip -n "$HOST" link add guest0 link eth0 netns "$GUEST" type macvlan mode bridge
link_up "$GUEST" guest0
addr_add "$GUEST" guest0 172.16.13.77/24
serve "$GUEST" sendto4 "$PORT"
wire_load --iface eth0 --port "$PORT"
for _ in 1 2; do
	want_right "$LAN" "$NEAR4" "$PORT" --from 172.16.13.1:4005
	want_right "$LAN" 172.16.13.77 "$PORT" --from 172.16.13.1:4005
done

say "unloaded"
wire_unload
want_wrong "$LAN" "$NEAR4" "$PORT" "$FAR4" --from 172.16.13.1:4006
want_right "$LAN" 172.16.13.77 "$PORT" --from 172.16.13.1:4006
