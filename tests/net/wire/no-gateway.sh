#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests routes without a gateway, like those of PPP and tunnels. The host's default route is a
# device, a nexthop object, a group of nexthops, or two halves. The interface is an Ethernet
# interface, or a tun device, which has no link layer. Forwarding is off, as on a plain host.
#
#   container 203.0.113.43 ── eth0 or tun0 10.5.0.1 [host: servers] lo 10.6.0.1
#
# takes long: each kind of route without a gateway
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# tun_cable NAME DEV NAME DEV: connects two namespaces by tun devices; a process forwards the
# packets
tun_cable()
{
	spawn_in "$1" "$TEST_TMP/tun.log" python3 "$ROOT/tools/lab/cable.py" "/run/netns/$1" "$2" \
		"/run/netns/$3" "$4"
	wait_until 10 grep -q ready "$TEST_TMP/tun.log" || fail "$(cat "$TEST_TMP/tun.log")"
	link_up "$1" "$2"
	link_up "$3" "$4"
}

# default_by [ROUTE…]: replaces the host's default routes
DEFAULT=()
default_by()
{
	local route
	for route in "${DEFAULT[@]}"; do
		# shellcheck disable=SC2086 # words of a route
		ip -n "$HOST" route del $route
	done
	DEFAULT=("$@")
	routes "$HOST" "$@"
	say "by ${*:-none}"
}

netns_add "$HOST"
netns_add "$CONTAINER"
cable "$HOST" eth0 "$CONTAINER" eth0
tun_cable "$HOST" tun0 "$CONTAINER" tun0
addrs "$HOST" lo 10.6.0.1/32 fd06::1/128
addrs "$CONTAINER" lo 203.0.113.43/32
wait_link "$HOST" eth0
servers_up "$HOST"
PAIRS=(10.5.0.1=10.5.0.1 10.6.0.1=10.5.0.1 fd05::1=fd05::1 fd06::1=fd05::1)

for dev in eth0 tun0; do
	addrs "$HOST" "$dev" 10.5.0.1/32 fd05::1/128
	addrs "$CONTAINER" "$dev" 2001:db8::43/128
	routes "$CONTAINER" "10.5.0.1 dev $dev src 203.0.113.43" "10.6.0.1 dev $dev src 203.0.113.43" \
		"fd05::1 dev $dev"
	if [ "$dev" = eth0 ]; then
		addrs "$HOST" eth0 fe80::1/64
		addrs "$CONTAINER" eth0 fe80::2/64
		# IPv6 hosts answer neighbour solicitations only for addresses of the interface
		routes "$CONTAINER" "fd06::1 via fd05::1 dev eth0"
	else
		routes "$CONTAINER" "fd06::1 dev tun0"
	fi
	LOADS=("wire_load --iface $dev")

	default_by "default dev $dev" "::/0 dev $dev"
	want_proof "$CONTAINER" "${PAIRS[@]}"

	ip -n "$HOST" nexthop add id 7 dev "$dev"
	ip -n "$HOST" nexthop add id 8 group 7
	ip -n "$HOST" -6 nexthop add id 17 dev "$dev"
	ip -n "$HOST" nexthop add id 18 group 17
	default_by "0.0.0.0/0 nhid 7" "::/0 nhid 17"
	want_proof "$CONTAINER" "${PAIRS[@]}"
	default_by "0.0.0.0/0 nhid 8" "::/0 nhid 18"
	want_proof "$CONTAINER" "${PAIRS[@]}"

	default_by "0.0.0.0/1 dev $dev" "128.0.0.0/1 dev $dev" "::/1 dev $dev" "8000::/1 dev $dev"
	want_proof "$CONTAINER" "${PAIRS[@]}"

	default_by
	ip -n "$HOST" nexthop flush >/dev/null
	addr_del "$HOST" "$dev" 10.5.0.1/32
	addr_del "$HOST" "$dev" fd05::1/128
	addr_del "$CONTAINER" "$dev" 2001:db8::43/128
	ip -n "$CONTAINER" route flush dev "$dev"
	ip -n "$CONTAINER" -6 route flush dev "$dev" proto boot
done
no_errors "$LOG"
