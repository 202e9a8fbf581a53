#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Addresses come and go under traffic from the same client ports, as after renumbering, or with
# temporary addresses, without a new load. The address that the kernel replies from changes, and a
# requested address moves to another host.
#
#   container ── veth3 ═ docker0 172.17.0.1, then .9 [host: servers] eth0 172.16.13.13 ── lan
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

NEXT4=172.17.0.9 NEXT6=fd17::9 CONNECTED=50030

# move_near ADDR4 ADDR6 NEW4 NEW6: replaces the addresses of docker0
move_near()
{
	addrs "$HOST" docker0 "$3/16" "$4/64"
	ip -n "$CONTAINER" route replace default via "$3"
	ip -n "$CONTAINER" -6 route replace default via "$4"
	addr_del "$HOST" docker0 "$1/16"
	addr_del "$HOST" docker0 "$2/64"
}

topology_up
forwarding 1
in_ns "$HOST" sysctl -qw net.ipv4.conf.docker0.promote_secondaries=1 \
	net.ipv4.conf.eth0.promote_secondaries=1
servers_up "$HOST"
# another address of the same network, to reach the LAN after the other addresses have moved there
addrs "$HOST" eth0 172.16.13.14/24 fd16::14/64
ip -n "$LAN" route replace default via 172.16.13.14
ip -n "$LAN" -6 route replace default via fd16::14
before=("$FAR4=$NEAR4" "$FAR6=$NEAR6") after=("$FAR4=$NEXT4" "$FAR6=$NEXT6")
PROBE=(--from 21000)

say "without sluice"
want_servers kernel "$CONTAINER" "${before[@]}"
move_near "$NEAR4" "$NEAR6" "$NEXT4" "$NEXT6"
want_servers kernel "$CONTAINER" "${after[@]}"
move_near "$NEXT4" "$NEXT6" "$NEAR4" "$NEAR6"

say "loaded: the address of the route is replaced, twice"
wire_load --follow docker0
want_servers fixed "$CONTAINER" "${before[@]}"
move_near "$NEAR4" "$NEAR6" "$NEXT4" "$NEXT6"
want_servers fixed "$CONTAINER" "${after[@]}"
move_near "$NEXT4" "$NEXT6" "$NEAR4" "$NEAR6"
want_servers fixed "$CONTAINER" "${before[@]}"
wire_unload
say "unloaded"
want_servers kernel "$CONTAINER" "${before[@]}"

for pair in "$FAR4 172.17.0.3 $NEAR4/16 $NEXT4/16" "$FAR6 fd17::3 $NEAR6/64 $NEXT6/64"; do
	read -r far client near next <<<"$pair"
	from=$(target "$client" 4000)

	say "$far: a server is connected to its client at an address that leaves"
	wire_load --follow docker0
	serve "$HOST" connect6 "$CONNECTED"
	want_right "$CONTAINER" "$far" "$CONNECTED" --from "$from"
	addrs "$HOST" docker0 "$next"
	addr_del "$HOST" docker0 "$near"
	[[ $far == *:* ]] || ip -n "$CONTAINER" route replace default via "${next%/*}"
	[[ $far != *:* ]] || ip -n "$CONTAINER" -6 route replace default via "${next%/*}"
	want_line "sent 1 right 0 wrong 0 refused 1 lost 0 corrupt 0" \
		"$(ask "$CONTAINER" --to "$(target "$far" "$CONNECTED")" --from "$from")"
	stop "$SPAWNED"
	serve "$HOST" connect6 "$CONNECTED"
	here=$SPAWNED
	want_right "$CONTAINER" "$far" "$CONNECTED" --from "$from"

	say "$far moves to another host"
	serve "$LAN" pktinfo6 "$CONNECTED"
	if [[ $far == *:* ]]; then
		addr_del "$HOST" eth0 "$far/64"
		addrs "$LAN" eth0 "$far/128"
	else
		addr_del "$HOST" eth0 "$far/24"
		addrs "$LAN" eth0 "$far/32"
	fi
	want_right "$CONTAINER" "$far" "$CONNECTED" --from "$from"
	want_right "$CONTAINER" "$far" "$CONNECTED"
	wire_unload
	want_right "$CONTAINER" "$far" "$CONNECTED" --from "$from"
	want_right "$CONTAINER" "$far" "$CONNECTED"
	no_errors "$LOG"
	stop "$SPAWNED"
	stop "$here"
done
