#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An administrator renames an interface under mode wire, changes its Ethernet address, sets it down
# and up, and moves it to another network namespace and back. Right servers stay right throughout.
# Other servers are fixed while the programs are attached. A load or unload works afterwards.
#
#   container ── eth0 10.5.0.1 [host: servers] lo 10.6.0.1
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

addresses()
{
	addrs "$HOST" "$1" 10.5.0.1/24 fd05::1/64
}

# named: prints the interfaces that reply show lists
named()
{
	json "' '.join(i['name'] for i in d['wire']['interfaces'])" sluice -j --netns "$HOST" reply show
}

netns_add "$HOST"
netns_add "$CONTAINER"
netns_add "$LAN"
cable "$HOST" eth0 "$CONTAINER" eth0
addrs "$HOST" lo 10.6.0.1/32 fd06::1/128
addrs "$CONTAINER" eth0 10.5.0.2/24 fd05::2/64
addresses eth0
routes "$CONTAINER" "default via 10.5.0.1" "default via fd05::1"
wait_link "$HOST" eth0
servers_up "$HOST"
PAIRS=(10.5.0.1=10.5.0.1 10.6.0.1=10.5.0.1 fd05::1=fd05::1 fd06::1=fd05::1)

for attach in tcx clsact; do
	say "$attach: without sluice"
	want_servers kernel "$CONTAINER" "${PAIRS[@]}"
	say "$attach: loaded, then renamed"
	wire_load --iface eth0 --attach "$attach"
	want_servers fixed "$CONTAINER" "${PAIRS[@]}"
	in_ns "$HOST" ip link set dev eth0 name wan0
	want_servers fixed "$CONTAINER" "${PAIRS[@]}"
	want_equal "$(named)" wan0
	wire_load --iface wan0 --attach "$attach"
	want_servers fixed "$CONTAINER" "${PAIRS[@]}"

	say "$attach: another Ethernet address, down and up"
	in_ns "$HOST" ip link set dev wan0 down
	in_ns "$HOST" ip link set dev wan0 address 02:00:00:00:55:01
	in_ns "$HOST" ip link set dev wan0 up
	wait_link "$HOST" wan0
	ip -n "$HOST" -6 addr show dev wan0 | contains fd05::1 || addrs "$HOST" wan0 fd05::1/64
	ip -n "$CONTAINER" neigh flush dev eth0
	want_servers fixed "$CONTAINER" "${PAIRS[@]}"

	say "$attach: in another network namespace, and back"
	in_ns "$HOST" ip link set dev wan0 netns "$LAN" name eth0
	want_status 0 "$SLUICE" --netns "$HOST" reply show
	want_text "wan0 (gone)"
	in_ns "$LAN" ip link set dev eth0 netns "$HOST"
	link_up "$HOST" eth0
	addresses eth0
	wait_link "$HOST" eth0
	ip -n "$CONTAINER" neigh flush dev eth0
	# links stay attached when an interface moves, filters do not
	[ "$attach" = tcx ] && state=fixed || state=kernel
	want_servers "$state" "$CONTAINER" "${PAIRS[@]}"
	wire_load --iface eth0 --attach "$attach"
	want_servers fixed "$CONTAINER" "${PAIRS[@]}"
	wire_unload
	want_clean
	want_servers kernel "$CONTAINER" "${PAIRS[@]}"
done
no_errors "$LOG"
