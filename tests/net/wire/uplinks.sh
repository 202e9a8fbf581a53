#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A host has two uplinks, so a reply may leave through an interface other than that of its request.
# The router also acts as a gateway in front of such a host.
#
#                      ┌ up1 192.168.1.1 ── eth0 192.168.1.100 ┐
#   container ── [router]                                   [host: servers]
#   203.0.113.43       └ up2 192.168.2.1 ── eth1 192.168.2.100 ┘
#
# takes long: several kinds of servers and uplinks
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

A4=192.168.1.100 B4=192.168.2.100 A6=fd01::100 B6=fd02::100

# strict 0|1|2: reverse path filtering on HOST
strict()
{
	in_ns "$HOST" sysctl -qw net.ipv4.conf.all.rp_filter="$1" net.ipv4.conf.eth0.rp_filter="$1" \
		net.ipv4.conf.eth1.rp_filter="$1"
}

cable "$HOST" eth0 "$ROUTER" up1
cable "$HOST" eth1 "$ROUTER" up2
cable "$CONTAINER" eth0 "$ROUTER" c
addrs "$HOST" eth0 "$A4/24" "$A6/64" fe80::1/64
addrs "$HOST" eth1 "$B4/24" "$B6/64" fe80::1/64
addrs "$ROUTER" up1 192.168.1.1/24 fd01::1/64 fe80::2/64
addrs "$ROUTER" up2 192.168.2.1/24 fd02::1/64 fe80::2/64
addrs "$ROUTER" c 203.0.113.1/24 2001:db8::1/64 fe80::1/64
addrs "$CONTAINER" eth0 203.0.113.43/24 2001:db8::43/64 fe80::2/64
routes "$CONTAINER" "default via 203.0.113.1" "default via 2001:db8::1"
routes "$HOST" "default via 192.168.1.1" "default via fd01::1"
routers "$ROUTER"
for link in "$HOST eth0" "$HOST eth1" "$CONTAINER eth0"; do
	# shellcheck disable=SC2086
	wait_link $link
done
servers_up "$HOST"
gateway_load()
{
	sluice --netns "$ROUTER" reply load --mode wire --gateway "$1" --server "$A4,$B4,$A6,$B6"
}

say "answers leave only through eth0"
strict 0
PAIRS=("$A4=$A4" "$B4=$A4" "$A6=$A6" "$B6=$A6")
# neither interface carries both directions
FIXED=no
LOADS=("wire_load --iface eth0" "wire_load --iface eth1" "wire_load --iface eth0,eth1"
	"gateway_load up1" "gateway_load up2" "gateway_load up1,up2")
want_proof "$CONTAINER" "${PAIRS[@]}"

say "policy routing by source, and a strict reverse path filter"
strict 1
for number in 1 2; do
	ip -n "$HOST" route add default via "192.168.$number.1" table "10$number"
	ip -n "$HOST" rule add from "192.168.$number.100" lookup "10$number"
	ip -n "$HOST" -6 route add default via "fd0$number::1" table "10$number"
	ip -n "$HOST" -6 rule add from "fd0$number::100" lookup "10$number"
done
LOADS=("wire_load --iface eth0,eth1" "gateway_load up1,up2")
want_proof "$CONTAINER" "${PAIRS[@]}"

say "a rule for the servers' source ports: right replies for requests to this uplink"
strict 0
for port in "$PORT" "$BACK_PORT"; do
	ip -n "$HOST" rule add ipproto 17 sport "$port" lookup 102
	ip -n "$HOST" -6 rule add ipproto 17 sport "$port" lookup 102
done
PAIRS=("$B4=$B4" "$B6=$B6")
want_proof "$CONTAINER" "${PAIRS[@]}"

for port in "$PORT" "$BACK_PORT"; do
	ip -n "$HOST" rule del ipproto 17 sport "$port" lookup 102
done
in_ns "$HOST" sysctl -qw net.ipv4.fib_multipath_hash_policy=1
# flows PORT…: prints the outcome of each server for ten fixed client ports
flows()
{
	local addrs=()
	for _ in 1 2 3 4 5 6 7 8; do
		addrs+=("$A4" "$B4")
	done
	probe "$CONTAINER" --from 21000 "${PROBES[@]}" -- "${addrs[@]}"
}
# if a route has no gateway, the router answers for the client on both uplinks
in_ns "$ROUTER" sysctl -qw net.ipv4.conf.up1.proxy_arp=1 net.ipv4.conf.up2.proxy_arp=1
for path in "via 192.168.1.1 via 192.168.2.1" "dev eth0 dev eth1"; do
	read -r how one _ two <<<"$path"
	say "two uplinks by the hash of addresses and ports, $path: some flows are right, and stay right"
	ip -n "$HOST" route replace default nexthop "$how" "$one" nexthop "$how" "$two"
	alone=$(flows)
	for server in wrong back; do
		contains "$server right" <<<"$alone" || fail "no flow of $server is right:" "$alone"
		contains "$server from" <<<"$alone" || fail "all flows of $server are right:" "$alone"
	done
	! grep -v -e ' wrong ' -e ' back ' -e 'right$' <<<"$alone" || fail "a right server is wrong"
	for load in "wire_load --iface eth0,eth1" "gateway_load up1,up2"; do
		$load
		want_equal "$(flows)" "$alone" "flows, $load"
		want_equal "$(flows)" "$alone" "flows, again"
		wire_unload
	done
	want_equal "$(flows)" "$alone" "flows, unloaded"
done
no_errors "$LOG"
