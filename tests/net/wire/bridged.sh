#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A bridge delivers frames to this host or to another port by their Ethernet address. Another host
# behind the bridge may have one of this host's IP addresses, as two nodes with a shared virtual
# address do: frames for that host are left alone. The programs read the bridge's Ethernet address
# from the kernel, so it may change without a new load.
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

via()
{
	ip -n "$CONTAINER" route replace "$FAR4" via "$1"
	ip -n "$CONTAINER" route replace "$FAR6" via "$2"
}

# both_right: uses one port, so that the flow is the same
both_right()
{
	want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4000
	want_right "$CONTAINER" "$FAR6" "$PORT" --from '[fd17::3]:4000'
}

for netfilter in 0 1; do
	bridge_netfilter "$netfilter"
	say "bridge netfilter $netfilter: the other host, the kernel alone"
	via 172.17.0.4 fd17::4
	both_right

	say "loaded: this host, the other, and this host again after a change of its Ethernet address"
	wire_load --follow docker0
	via 172.17.0.1 fd17::1
	both_right
	rewritten=$(wire_counter request_rewritten)
	[ "$rewritten" -ge 6 ] || fail "requests to this host are not rewritten"
	via 172.17.0.4 fd17::4
	both_right
	want_equal "$(wire_counter request_rewritten)" "$rewritten" "requests rewritten"
	via 172.17.0.1 fd17::1
	in_ns "$HOST" ip link set docker0 address "02:42:ac:11:00:9$netfilter"
	in_ns "$CONTAINER" ip neigh flush dev eth0
	wait_until 10 in_ns "$CONTAINER" "$CLIENT" --to "$FAR4:$PORT" --timeout-ms 200
	both_right
	[ "$(wire_counter request_rewritten)" -gt "$rewritten" ] || fail "nothing is rewritten any more"
	wire_unload
done
no_errors "$LOG"
