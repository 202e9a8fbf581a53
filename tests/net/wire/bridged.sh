#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A bridge delivers frames to this host or to another port by their Ethernet address. Another host
# behind the bridge may have one of this host's IP addresses, such as a shared virtual address.
# Frames for this other host are left alone. The programs read the bridge's Ethernet address from
# the kernel, so the address may change without a new load.
#
#   container ── veth3 ═ docker0 172.17.0.1 [host: *:56789] eth0 172.16.13.13
#   container2: *:56789, also 172.16.13.13 ── veth4 ═ docker0
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

topology_up second
forwarding 1
addr_add "$CONTAINER2" eth0 "$FAR4/32"
addr_add "$CONTAINER2" eth0 "$FAR6/128"
serve "$HOST" dual6 "$PORT"
serve "$CONTAINER2" pktinfo6 "$PORT"
serve "$CONTAINER2" pktinfo6 50030

via()
{
	ip -n "$CONTAINER" route replace "$FAR4" via "$1"
	ip -n "$CONTAINER" route replace "$FAR6" via "$2"
}

# both_right [PORT]: checks both hosts from one port, so that the flow is the same
both_right()
{
	want_right "$CONTAINER" "$FAR4" "$PORT" --from "172.17.0.3:${1:-4000}"
	want_right "$CONTAINER" "$FAR6" "$PORT" --from "[fd17::3]:${1:-4000}"
}

for netfilter in 0 1; do
	bridge_netfilter "$netfilter"
	say "bridge netfilter $netfilter: the other host, without sluice"
	via 172.17.0.4 fd17::4
	both_right

	say "loaded: this host, the other, and this host again after a change of its Ethernet address"
	wire_load --follow docker0
	via 172.17.0.1 fd17::1
	both_right
	via 172.17.0.4 fd17::4
	both_right
	in_ns "$HOST" ip link set docker0 address "02:42:ac:11:00:9$netfilter"
	in_ns "$CONTAINER" ip neigh flush dev eth0
	via 172.17.0.1 fd17::1
	wait_until 10 in_ns "$CONTAINER" "$CLIENT" --to "$FAR4:$PORT" --timeout-ms 200
	# the other host has given right replies, so the flows of this port are left alone
	both_right 4001
	both_right 4001
	say "a server of this host is connected to the client, which then sends to the other host"
	for client in 172.17.0.3 fd17::3; do
		[ "$client" = fd17::3 ] && far=$FAR6 || far=$FAR4
		from=$(target "$client" 4002)
		serve "$HOST" connect6 50030
		want_right "$CONTAINER" "$far" 50030 --from "$from"
		want_right "$CONTAINER" "$far" 50030 --from "$from"
		via 172.17.0.4 fd17::4
		want_right "$CONTAINER" "$far" 50030 --from "$from"
		via 172.17.0.1 fd17::1
		stop "$SPAWNED"
	done
	say "unloaded"
	wire_unload
	via 172.17.0.4 fd17::4
	both_right
done
