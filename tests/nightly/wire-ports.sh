#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Mode wire follows 4,511 ports of six bridges (a bridge takes 1,024), among them one with a client
# whose replies it fixes. The kernel waits for a grace period at each port, in load and unload.
#
#   container ── veth3 ═ docker0 [host: [::]:56789] eth0; br0…br4 with 902 ports each
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/wire.sh"

# both ends of a pair are ports, and no link is up
ports_add()
{
	local bridge pair
	for bridge in 0 1 2 3 4; do
		echo "link add br$bridge type bridge"
		for pair in $(seq 451); do
			echo "link add p$bridge-$pair master br$bridge type veth peer name q$bridge-$pair"
			echo "link set q$bridge-$pair master br$bridge"
		done
	done | ip_batch "$HOST"
}

ifaces()
{
	json "len(d['wire']['interfaces'])" sluice -j --netns "$HOST" reply show
}

topology_up
serve "$HOST" dual6 "$PORT"
ports_add
say "without sluice"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
say "loaded"
wire_load --follow 'br*,docker0' >"$TEST_TMP/loaded"
want_line "reply: loaded: mode wire, ports any, 4511 interfaces, table of 16384 flows (2.2 MB)" \
	"$(cat "$TEST_TMP/loaded")"
want_equal "$(ifaces)" 4511 "interfaces"
want_right "$CONTAINER" "$FAR4" "$PORT"
say "unloaded"
wire_unload
want_clean
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
