#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Client and server agree with coturn: turnutils_natdiscovery against sluice's server, and the probe
# against both servers, classify each NAT alike.
#
#   in1 ── nat1 ──┐
#   …             ├── router ── peer [coturn, sluice rendezvous serve]
#   in4 ── nat4 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/nat.sh"

DISCOVERY=$(server_path usr/bin/turnutils_natdiscovery)
KINDS=(endpoint-independent address-dependent address-and-port-dependent symmetric)

lab_core
coturn_start 3478 "$PEER4" "$PEER4_SECOND"
spawn_in "$PEER" "$TEST_TMP/rendezvous" "$SLUICE" rendezvous serve --listen "$PEER4:4000" \
	--alternate "$PEER4_SECOND:4001"
server=$SPAWNED
wait_udp "$PEER" 4001
discoveries=()
for number in 1 2 3 4; do
	lab_nat "nat$number" "in$number" "${KINDS[number - 1]}" 30 "$number"
done
wait_link "$ROUTER" outside
for number in 1 2 3 4; do
	probe_start "in$number" "$number.coturn" "$PEER4:3478"
	probe_start "in$number" "$number.sluice" "$PEER4:4000" --lifetime 1
	in_ns "in$number" "$DISCOVERY" -m -f -p 4000 "$PEER4" >"$TEST_TMP/discovery.$number" 2>&1 &
	discoveries+=("$!")
done
wait "${discoveries[@]}"
probes_wait

# discovered NUMBER: prints the mapping and filtering as named by natdiscovery
discovered()
{
	sed -n 's/^NAT with \(.*\) \(Mapping\|Filtering\)!$/\1/p' "$TEST_TMP/discovery.$1" |
		tr 'A-Z ' 'a-z-' | xargs
}
# probed LABEL
probed()
{
	json "d['mapping']['behaviour'] + ' ' + d['filtering']['behaviour']" cat "$PROBES/$1"
}
for number in 1 2 3 4; do
	want_equal "$(probed "$number.sluice")" "$(probed "$number.coturn")" "${KINDS[number - 1]}"
	want_equal "$(discovered "$number")" "$(probed "$number.coturn")" \
		"${KINDS[number - 1]}: $(cat "$TEST_TMP/discovery.$number")"
	want_equal "$(json "d['lifetime']['alive_s']" cat "$PROBES/$number.sluice")" 1.0
done
stop "$server"
